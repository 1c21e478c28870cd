"""What a gateway shows and whom it trusts, as additions to its `Tunnel`.

ca = lab.ca()
left = papers.certified(Tunnel(), ca.leaf("left", "ed25519", identities=("left.lab",)))
left = papers.trusting(left, ca.root, crl=ca.crl())
"""

from dataclasses import replace

from lab.crypto.certificates import Crl
from lab.crypto.issue import Issuer
from lab.plugin.tunnel import Tunnel

CERTIFICATE, KEY = "own.pem", "own.key"


def certified(tunnel: Tunnel, own: Issuer, auth: str = "pubkey") -> Tunnel:
    """This side proves itself with a certificate and its key."""
    return replace(
        tunnel,
        local={**tunnel.local, "auth": auth, "certs": CERTIFICATE},
        secrets={**tunnel.secrets, "private-own": {"file": KEY}},
        files={**tunnel.files, CERTIFICATE: own.certificate.pem, KEY: own.key.pem},
    )


def knowing(tunnel: Tunnel, *issuers: Issuer, crl: Crl | None = None) -> Tunnel:
    """This side has the certificates of these CAs, and with the first one comes a CRL."""
    authorities, files = dict(tunnel.authorities), dict(tunnel.files)
    for issuer in issuers:
        name = f"ca{len(authorities)}"
        listed = crl if issuer is issuers[0] else None
        authorities[name] = {"cacert": f"{name}.pem", **({"crl_uris": f"{name}-crl.pem"} if listed else {})}
        files[f"{name}.pem"] = issuer.certificate.pem
        if listed:
            files[f"{name}-crl.pem"] = listed.pem
    return replace(tunnel, authorities=authorities, files=files)


def trusting(tunnel: Tunnel, *issuers: Issuer, crl: Crl | None = None, auth: str = "pubkey") -> Tunnel:
    """This side wants a signature of the other one, with a certificate under one of these CAs."""
    return replace(knowing(tunnel, *issuers, crl=crl), remote={**tunnel.remote, "auth": auth})
