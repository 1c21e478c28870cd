"""What host mode needs of this machine's own kernel, tried out in network namespaces that last for one command."""

import os
import shutil
import subprocess
from collections.abc import Iterator

HOST = "host mode"
Row = tuple[str, str, str, bool, str, str]  # the fields of doctor.Check

# id, what, what it is for, command, fix. Each runs as root in a fresh network and mount namespace.
TRIALS = (
    ("veth", "veth pairs", "any topology", "ip link add name va type veth peer name vb", "CONFIG_VETH"),
    ("tun", "TUN devices", "our user-space data plane", "ip tuntap add t mode tun", "CONFIG_TUN and /dev/net/tun"),
    ("bridge", "bridges", "topologies with shared links", "ip link add name br type bridge", "CONFIG_BRIDGE"),
    ("nat", "nftables NAT", "NAT scenarios", "nft add table ip n && nft 'add chain ip n c { type nat hook postrouting "
     "priority srcnat; }' && nft add rule ip n c udp sport 500 masquerade", "CONFIG_NF_TABLES, NFT_NAT, NFT_MASQ"),
    ("nat-timeout", "connection tracking timeouts", "NAT timeout scenarios",
     "nft add table ip n && nft 'add ct timeout ip n t { protocol udp; policy = { unreplied: 2 }; }'",
     "CONFIG_NF_CONNTRACK_TIMEOUT, NF_CT_NETLINK_TIMEOUT"),
    ("netem", "delay and loss (netem)", "impaired links", "tc qdisc add dev lo root netem delay 1ms",
     "CONFIG_NET_SCH_NETEM"),
    ("xfrm", "IPsec in the kernel (XFRM)", "strongSwan's ESP; without it, its user-space ESP is used",
     "ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 256 mode tunnel aead 'rfc4106(gcm(aes))' "
     "0x0102030405060708091011121314151617181920 128", "CONFIG_XFRM_USER, INET_ESP, CRYPTO_GCM"),
    ("gre", "GRE tunnels", "routing scenarios", "ip link add name g type gre local 192.0.2.1 remote 192.0.2.2",
     "CONFIG_NET_IPGRE"),
)  # fmt: skip

# program -> (the Debian package that has it, what it is for)
PROGRAMS = {
    "ip": ("iproute2", "any topology"),
    "tc": ("iproute2", "impaired links"),
    "nft": ("nftables", "NAT boxes"),
    "ping": ("iputils-ping", "any scenario"),
}
CHARONS = ("/usr/lib/ipsec/charon", "/usr/sbin/charon-systemd")


def rows() -> Iterator[Row]:
    """One row per need of host mode."""
    root = os.geteuid() == 0
    yield "root", "root", "yes" if root else "no", root, HOST, "" if root else "run as root, or use --kernel guest"
    for program, (package, purpose) in PROGRAMS.items():
        there = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        yield _row(program, f"{program}, for {purpose}", there or "missing", bool(there), f"apt-get install {package}")
    charon = next((path for path in CHARONS if os.access(path, os.X_OK)), "")
    fix = "apt-get install strongswan-charon libstrongswan-standard-plugins libcharon-extra-plugins"
    yield _row("charon", "strongSwan, as a peer", charon or "missing", bool(charon), fix)
    yield _attempt("netns", "network namespaces", "any topology", "true", "root outside of a container")
    for trial in TRIALS:
        yield _attempt(*trial)


def _row(check: str, what: str, found: str, ok: bool, fix: str) -> Row:
    return f"host-{check}", what, found, ok, HOST, "" if ok else fix


def _attempt(check: str, what: str, purpose: str, command: str, fix: str) -> Row:
    what = f"{what}, for {purpose}"
    if os.geteuid() != 0:
        return _row(check, what, "not tried: needs root", False, "run ikelab doctor as root")
    program = command.split()[0]
    if program in PROGRAMS and not shutil.which(program):
        return _row(check, what, f"not tried: {program} is missing", False, f"apt-get install {PROGRAMS[program][0]}")
    needs = fix if not fix.startswith("CONFIG_") else f"a kernel with {fix}"
    tried = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", command], capture_output=True, text=True, check=False
    )
    said = tried.stderr.strip().splitlines()
    return _row(check, what, "works" if not tried.returncode else (said or ["fails"])[-1], not tried.returncode, needs)
