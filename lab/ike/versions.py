"""What `version` of a connection means, and what each version of IKE does not allow in it."""

from typing import TYPE_CHECKING

from lab.crypto import ikev1_numbers
from lab.crypto.schemes import ECDSA, RSA
from lab.ike import xauth_config
from lab.ike.swanctl import Section

if TYPE_CHECKING:
    from lab.ike.config import AuthConfig, Child, Connection

# What is written -> the version that is spoken.
SPOKEN = {"0": 2, "1": 1, "2": 2}


def check(section: Section, connection: "Connection") -> None:
    """ConfigError in words where the version of a connection does not allow what else is written in its section."""
    {1: _first, 2: _second}[connection.version](section, connection)


def _first(section: Section, connection: "Connection") -> None:
    """IKEv1 has one method of authentication for both sides, and no numbers for what came after it."""
    local, remote = connection.local, connection.remote
    hybrid = local.auth.user or remote.auth.user
    if hybrid and not (local.auth.signed or remote.auth.signed):
        raise section.error("where one side has auth = xauth and no more, the other has auth = pubkey", "version")
    if not hybrid and (local.auth.signed != remote.auth.signed or local.eap or remote.eap):
        raise section.error("with version = 1 both sides have auth = psk, or both auth = pubkey", "version")
    if local.xauth and remote.xauth:
        raise section.error("XAUTH is for one side: write auth = xauth in local-2 or in remote-2", "version")
    if local.auth.signed:
        _first_key(section, local, by_user=local.xauth or remote.xauth)
    for key in ("ppk_id", "ppk_required"):
        if getattr(connection, key):
            raise section.error("postquantum preshared keys are IKEv2's; version = 1 has none", key)
    if "proposals" in section.values and (missing := ikev1_numbers.inexpressible(connection.proposals, phase=1)):
        reason = f"version = 1 has no numbers for {missing}: write a CBC cipher, a hash and a MODP or ECP group"
        raise section.error(reason, "proposals")
    for inner in section.sections.get("children", Section()).sections.values():
        _first_child(inner, connection.children[inner.name])


def _first_child(section: Section, child: "Child") -> None:
    """What is written has numbers; of our defaults those that have none are left out."""
    for key in ("esp_proposals", "ah_proposals"):
        if key in section.values and (missing := ikev1_numbers.inexpressible(getattr(child, key), phase=2)):
            raise section.error(f"version = 1 has no numbers for {missing}", key)


def _first_key(section: Section, local: "AuthConfig", *, by_user: bool) -> None:
    """Signatures have numbers for RSA and ECDSA; with XAUTH, and in hybrid authentication, for RSA alone."""
    families = {certificate.public.family for certificate in local.certs}
    if by_user and RSA not in families:
        raise section.error("XAUTH goes with signatures by RSA keys; no certificate has one", "version")
    if not families & {RSA, ECDSA}:
        reason = "with version = 1 and auth = pubkey a certificate with an RSA or an ECDSA key is needed"
        raise section.error(reason, "version")


def _second(section: Section, connection: "Connection") -> None:
    """IKEv2 has EAP in the place of XAUTH, and only the initiator's question for addresses."""
    xauth_config.refuse(section)
    if not connection.pull:
        raise section.error("in IKEv2 the initiator asks for its addresses: pull = no goes with version = 1", "pull")
