"""What host mode needs of this machine's own kernel, tried out in network namespaces that last for one command."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

HOST = "host mode"
ALL = "all"
Row = tuple[str, str, str, bool, str, str, str]  # the fields of doctor.Check

# id, what, the scenarios that need it, command, fix. Each runs as root in a fresh network and mount namespace.
_STATE = "ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto {} spi 256 mode tunnel {}"
_GCM = "aead 'rfc4106(gcm(aes))' 0x0102030405060708091011121314151617181920 128"
_CHACHA = f"aead 'rfc7539esp(chacha20,poly1305)' 0x{'01' * 36} 128"
TRIALS = (
    ("veth", "veth pairs", ALL, "ip link add name va type veth peer name vb", "CONFIG_VETH"),
    ("tun", "TUN devices", "all with our stack, the packet gate", "ip tuntap add t mode tun",
     "CONFIG_TUN and /dev/net/tun"),
    ("bridge", "bridges", "all on topologies with shared links", "ip link add name br type bridge", "CONFIG_BRIDGE"),
    ("nat", "nftables NAT", "nat/ and all on topologies with a NAT box",
     "nft add table ip n && nft 'add chain ip n c { type nat hook postrouting "
     "priority srcnat; }' && nft add rule ip n c udp sport 500 masquerade", "CONFIG_NF_TABLES, NFT_NAT, NFT_MASQ"),
    ("nat-timeout", "connection tracking timeouts", "nat/ with mappings that expire",
     "nft add table ip n && nft 'add ct timeout ip n t { protocol udp; policy = { unreplied: 2 }; }'",
     "CONFIG_NF_CONNTRACK_TIMEOUT, NF_CT_NETLINK_TIMEOUT"),
    ("netem", "delay and loss (netem)", "all on slow or lossy links: adsl, satellite, asymmetric",
     "tc qdisc add dev lo root netem delay 1ms", "CONFIG_NET_SCH_NETEM"),
    ("xfrm", "ESP in the kernel (XFRM)", "all with strongSwan, whose user-space ESP is used without it, or ours-xfrm",
     _STATE.format("esp", _GCM), "CONFIG_XFRM_USER, INET_ESP, CRYPTO_GCM"),
    ("espinudp", "ESP in UDP in the kernel", "nat/ with strongSwan or ours-xfrm",
     _STATE.format("esp", _GCM) + " encap espinudp 4500 4500 0.0.0.0", "CONFIG_INET_ESP, CRYPTO_GCM"),
    ("chacha", "ChaCha20-Poly1305 for ESP in the kernel", "esp/ with it and strongSwan or ours-xfrm",
     _STATE.format("esp", _CHACHA), "CONFIG_CRYPTO_CHACHA20POLY1305"),
    ("ah", "AH in the kernel", "esp/ah-... with strongSwan or ours-xfrm",
     _STATE.format("ah", f"auth-trunc 'hmac(sha256)' 0x{'01' * 32} 128"), "CONFIG_INET_AH"),
    ("xfrm-interface", "XFRM interfaces", "routing/ in tunnel mode", "ip link add x type xfrm dev lo if_id 1",
     "CONFIG_XFRM_INTERFACE"),
    ("gre", "GRE tunnels", "routing/", "ip link add name g type gre local 192.0.2.1 remote 192.0.2.2",
     "CONFIG_NET_IPGRE"),
)  # fmt: skip

# program -> (the Debian package that has it, the scenarios that need it)
PROGRAMS = {
    "ip": ("iproute2", ALL),
    "tc": ("iproute2", "all on slow or lossy links"),
    "nft": ("nftables", "nat/ and every drop of a packet"),
    "ping": ("iputils-ping", ALL),
}
CHARONS = ("/usr/lib/ipsec/charon", "/usr/sbin/charon-systemd")
CHARON_PACKAGES = "strongswan-charon libstrongswan-standard-plugins libcharon-extra-plugins"
PLUGINS, WANTED = Path("/usr/lib/ipsec/plugins"), ("vici", "kernel-netlink", "kernel-libipsec")
PROFILES = Path("/sys/kernel/security/apparmor/profiles")
OSPFD = "/usr/lib/frr/ospfd"


def rows() -> Iterator[Row]:
    """One row per need of host mode."""
    root = os.geteuid() == 0
    yield _row("root", "root", ALL, "yes" if root else "no", root, "run as root, or use --kernel guest")
    for program, (package, scenarios) in PROGRAMS.items():
        there = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        yield _row(program, f"the program {program}", scenarios, there or "missing", bool(there), _install(package))
    yield from _charon()
    routes = os.access(OSPFD, os.X_OK)
    yield _row("frr", "FRR, for OSPF", "routing/", OSPFD if routes else "missing", routes, _install("frr"))
    yield _attempt("netns", "network namespaces", ALL, "true", "root outside of a container")
    for trial in TRIALS:
        yield _attempt(*trial)


def _charon() -> Iterator[Row]:
    """strongSwan, what it is built with, and whether a policy holds it back."""
    with_it = "all with strongswan"
    charon = next((path for path in CHARONS if os.access(path, os.X_OK)), "")
    yield _row("charon", "strongSwan", with_it, charon or "missing", bool(charon), _install(CHARON_PACKAGES))
    lacking = [name for name in WANTED if not (PLUGINS / f"libstrongswan-{name}.so").is_file()]
    found = f"missing: {', '.join(lacking)}" if lacking else ", ".join(WANTED)
    yield _row("plugins", "strongSwan's plugins", with_it, found, not lacking, _install(CHARON_PACKAGES))
    held = _enforced("charon")
    fix = f"aa-complain {held}, or use --kernel guest"
    yield _row("apparmor", "AppArmor and charon", with_it, f"enforces {held}" if held else "no profile", not held, fix)


def _enforced(program: str) -> str:
    """The AppArmor profile that is enforced for a program, or nothing; who may not read them is not told."""
    try:
        profiles = PROFILES.read_text().splitlines()
    except OSError:
        return ""
    return next((name for name, _, mode in (line.rpartition(" ") for line in profiles)
                 if mode == "(enforce)" and name.rpartition("/")[2] == program), "")  # fmt: skip


def _install(packages: str) -> str:
    return f"apt-get install {packages}"


def _row(check: str, what: str, scenarios: str, found: str, ok: bool, fix: str) -> Row:
    return f"host-{check}", what, found, ok, HOST, "" if ok else fix, scenarios


def _attempt(check: str, what: str, scenarios: str, command: str, fix: str) -> Row:
    if os.geteuid() != 0:
        return _row(check, what, scenarios, "not tried: needs root", False, "run ikelab doctor as root")
    program = command.split()[0]
    if program in PROGRAMS and not shutil.which(program):
        fix = _install(PROGRAMS[program][0])
        return _row(check, what, scenarios, f"not tried: {program} is missing", False, fix)
    needs = fix if not fix.startswith("CONFIG_") else f"a kernel with {fix}"
    tried = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", command], capture_output=True, text=True, check=False
    )
    said = tried.stderr.strip().splitlines()
    found = "works" if not tried.returncode else (said or ["fails"])[-1]
    return _row(check, what, scenarios, found, not tried.returncode, needs)
