"""connection.json -> ipsec.conf, ipsec.secrets and names (for each: connection, IKE SA, child).

Rule: a key that is not translated here ends in exit code 127 with its name, and is never ignored.
"""

import json
import sys
from ipaddress import ip_address
from pathlib import Path

CIPHERS = {
    **{f"aes{bits}": f"aes_cbc_{bits}" for bits in (128, 192, 256)},
    **{f"aes{bits}{mode}{icv}": f"aes_{mode}_{icv}_{bits}" for bits in (128, 192, 256) for mode in ("gcm", "ccm")
       for icv in (8, 12, 16)},
    "chacha20poly1305": "chacha20_poly1305",
}  # fmt: skip
HASHES = {"sha1": "sha1", "sha256": "sha2_256", "sha384": "sha2_384", "sha512": "sha2_512"}
GROUPS = {
    "modp2048": "dh14", "modp3072": "dh15", "modp4096": "dh16", "modp6144": "dh17", "modp8192": "dh18",
    "ecp256": "dh19", "ecp384": "dh20", "ecp521": "dh21", "x25519": "dh31",
}  # fmt: skip
YES_NO = {"yes": "yes", "no": "no"}


class Unsupported(Exception):
    """What the lab wants and this translation has not."""


def main(config: Path, logs: Path) -> None:
    """Write the three files into the directory of connection.json."""
    told = json.loads((config / "connection.json").read_text())
    known(told, {"schema", "node", "role", "connections", "secrets"}, "the configuration")
    names = []
    text = [f"config setup\n    logfile={logs}/pluto.log\n    plutodebug=base,private,crypt\n    nssdir=/run/nss\n"
            f"    secretsfile={config}/ipsec.secrets\n"]  # fmt: skip
    for ike, connection in told["connections"].items():
        for child, wishes in connection["children"].items():
            names.append(f"{ike}-{child} {ike} {child}\n")
            lines = [*of_connection(connection), *of_child(wishes)]
            text.append(f"conn {ike}-{child}\n" + "".join(f"    {line}\n" for line in lines))
    (config / "ipsec.conf").write_text("\n".join(text))
    (config / "ipsec.secrets").write_text("".join(secret(one) for one in told.get("secrets", {}).values()))
    (config / "names").write_text("".join(names))


def known(section: dict, keys: set, where: str) -> None:
    """Only these keys are translated."""
    if strange := sorted(set(section) - keys):
        raise Unsupported(f"{strange[0]} of {where} is not translated for libreswan")


def chosen(value: str, table: dict, key: str) -> str:
    """What a value is called there."""
    if value not in table:
        raise Unsupported(f"{key} = {value} is not translated for libreswan")
    return table[value]


def of_connection(told: dict) -> list:
    """The lines that speak of the IKE SA."""
    keys = {"version", "local_addrs", "remote_addrs", "proposals", "mobike", "fragmentation", "encap"}
    known(told, keys | {"local", "remote", "children"}, "a connection")
    chosen(told.get("version", "2"), {"2": ""}, "version")
    lines = [
        "auto=ignore",
        "keyexchange=ikev2",
        "authby=secret",
        f"left={one(told['local_addrs'])}",
        f"right={one(told['remote_addrs'])}",
        f"ike={','.join(ike(text) for text in told['proposals'])}",
        f"mobike={chosen(told.get('mobike', 'no'), YES_NO, 'mobike')}",
        f"fragmentation={chosen(told.get('fragmentation', 'yes'), YES_NO, 'fragmentation')}",
        f"encapsulation={chosen(told.get('encap', 'no'), {'yes': 'yes', 'no': 'auto'}, 'encap')}",
    ]
    for side, name in (("local", "left"), ("remote", "right")):
        known(told[side], {"auth", "id"}, side)
        chosen(told[side]["auth"], {"psk": ""}, f"auth of {side}")
        lines.append(f"{name}id={identity(told[side]['id'])}")
    return lines


def of_child(told: dict) -> list:
    """The lines that speak of the CHILD SA."""
    known(told, {"local_ts", "remote_ts", "esp_proposals", "mode"}, "a child")
    groups = {GROUPS[word] for text in told["esp_proposals"] for word in text.split("-") if word in GROUPS}
    return [
        f"leftsubnet={one(told['local_ts'])}",
        f"rightsubnet={one(told['remote_ts'])}",
        f"esp={','.join(esp(text) for text in told['esp_proposals'])}",
        f"pfs={'yes' if groups else 'no'}",
        "esn=no",
        f"type={chosen(told.get('mode', 'tunnel'), {'tunnel': 'tunnel', 'transport': 'transport'}, 'mode')}",
    ]


def one(items: list) -> str:
    """The only item."""
    if len(items) != 1:
        raise Unsupported(f"only one of {', '.join(items)} is translated for libreswan")
    return items[0]


def ike(proposal: str) -> str:
    """`aes256gcm16-prfsha384-x25519` -> `aes_gcm_16_256-sha2_384-dh31`."""
    cipher, integrity, prf, group = parts(proposal)
    if len({integrity, prf} - {""}) != 1 or not group:
        raise Unsupported(f"the IKE proposal {proposal} is not translated for libreswan")
    return f"{cipher}-{prf or integrity}-{group}"


def esp(proposal: str) -> str:
    """`aes256gcm16-x25519` -> `aes_gcm_16_256-none-dh31`."""
    cipher, integrity, prf, group = parts(proposal)
    if prf:
        raise Unsupported(f"the ESP proposal {proposal} names a PRF")
    return "-".join(filter(None, (cipher, integrity or "none", group)))


def parts(proposal: str) -> tuple:
    """Cipher, integrity, PRF and group of a proposal, each empty where it has none."""
    found = {"cipher": "", "integrity": "", "prf": "", "group": ""}
    for word in proposal.split("-"):
        prf = HASHES.get(word.removeprefix("prf")) if word.startswith("prf") else None
        for kind, name in (("cipher", CIPHERS.get(word)), ("integrity", HASHES.get(word)), ("prf", prf),
                           ("group", GROUPS.get(word))):  # fmt: skip
            if name and not found[kind]:
                found[kind] = name
                break
        else:
            raise Unsupported(f"{word} of the proposal {proposal} is not translated for libreswan")
    return tuple(found.values())


def identity(text: str) -> str:
    """An address as it is, a name as FQDN or user name."""
    try:
        return str(ip_address(text))
    except ValueError:
        return text if "@" in text else f"@{text}"


def secret(told: dict) -> str:
    """A line of ipsec.secrets."""
    owners = [identity(value) for key, value in told.items() if key.startswith("id")]
    if '"' in told["secret"] or "\n" in told["secret"]:
        raise Unsupported("a secret with a quotation mark or a line end cannot be written in ipsec.secrets")
    return f'{" ".join(owners)} : PSK "{told["secret"]}"\n'


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except Unsupported as reason:
        print(reason, file=sys.stderr)
        sys.exit(127)
