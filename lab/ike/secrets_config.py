"""The sections `secrets` and `authorities` of a configuration: shared secrets, private keys, CAs and their CRLs."""

from lab.crypto.certificates import Certificate, Crl
from lab.crypto.signatures import PrivateKey
from lab.ike import options
from lab.ike.credentials import Credentials, Identity, SharedSecret, secret_octets
from lab.ike.files import Files
from lab.ike.swanctl import Section

# Sections of `secrets` that hold a private key; the key says itself of what kind it is.
_KEYS = (r"private.*", r"rsa.*", r"ecdsa.*", r"pkcs8.*")


def credentials(tree: Section, files: Files) -> Credentials:
    """All of both sections; ConfigError where one says too little."""
    secrets, authorities = (tree.sections.get(name, Section()) for name in ("secrets", "authorities"))
    options.read(secrets, {}, (r"(ike|eap|xauth|ppk).*", *_KEYS))
    options.read(authorities, {}, (".*",))
    certificates: tuple[Certificate, ...] = ()
    crls: tuple[Crl, ...] = ()
    for authority in authorities.sections.values():
        readers: dict[str, options.Reader] = {"cacert": files.certificates, "crl_uris": files.crls}
        values = options.read(authority, readers)
        if "cacert" not in values:
            raise authority.error("cacert = FILE is needed")
        certificates += values["cacert"]  # type: ignore[operator]
        crls += values.get("crl_uris", ())  # type: ignore[operator]
    inner = secrets.sections.items()
    return Credentials(
        shared=tuple(_secret(section) for name, section in inner if name.startswith("ike")),
        eap=tuple(_secret(section) for name, section in inner if name.startswith(("eap", "xauth"))),
        keys=tuple(
            _private(section, files) for name, section in inner if not name.startswith(("ike", "eap", "xauth", "ppk"))
        ),
        ppks=tuple(_ppk(section) for name, section in inner if name.startswith("ppk")),
        authorities=certificates,
        crls=crls,
    )


def _ppk(section: Section) -> SharedSecret:
    """A postquantum preshared key; peers ask for it by name, so one must be written."""
    secret = _secret(section)
    if not any(secret.owners):
        raise section.error("id = ... is needed: peers ask for a PPK by its name")
    return secret


def _private(section: Section, files: Files) -> PrivateKey:
    key = options.read(section, {"file": files.private_key}).get("file")
    if not isinstance(key, PrivateKey):
        raise section.error("file = ... is needed")
    return key


def _secret(section: Section) -> SharedSecret:
    readers = {key: options.identity if key.startswith("id") else secret_octets for key in section.values}
    known = {key: reader for key, reader in readers.items() if key == "secret" or key.startswith("id")}
    values = options.read(section, known)
    secret = values.pop("secret", None)
    if not isinstance(secret, bytes) or not secret:
        raise section.error("secret = ... is needed")
    owners = tuple(value for value in values.values() if value is None or isinstance(value, Identity))
    return SharedSecret(section.name, secret, owners)
