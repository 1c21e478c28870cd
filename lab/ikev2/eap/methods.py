"""The table of methods. "Add a method" = a file with both roles, a row here, and its word in `lab.ike.means`."""

from lab.ikev2.eap import md5, mschapv2, peap, tls, ttls
from lab.ikev2.eap.method import Method
from lab.wire.eap import EapType

_MSCHAPV2 = Method("eap-mschapv2", EapType.MSCHAPV2, mschapv2.peer, mschapv2.server)
_MD5 = Method("eap-md5", EapType.MD5, md5.peer, md5.server)
_INNER = (_MSCHAPV2, _MD5)
_TLS = Method("eap-tls", EapType.TLS, tls.peer, tls.server, alone=True, certified=frozenset({"peer", "server"}))
_TTLS = Method(
    "eap-ttls", EapType.TTLS, ttls.Peer(_INNER), ttls.Server(_INNER), alone=True, certified=frozenset({"server"})
)
_PEAP = Method(
    "eap-peap", EapType.PEAP, peap.Peer(_INNER), peap.Server(_INNER), alone=True, certified=frozenset({"server"})
)
# In the order in which we propose them where the configuration names none.
METHODS = {method.word: method for method in (_TLS, _TTLS, _PEAP, _MSCHAPV2, _MD5)}


def allowed(word: str) -> tuple[Method, ...]:
    """The methods that a word of swanctl.conf allows: itself, or all for `eap` and `eap-dynamic`."""
    return (METHODS[word],) if word in METHODS else tuple(METHODS.values())
