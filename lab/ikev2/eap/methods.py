"""The table of methods. "Add a method" = a file with both roles, a row here, and its word in `lab.ike.config`."""

from lab.ikev2.eap import md5, mschapv2
from lab.ikev2.eap.method import Method
from lab.wire.eap import EapType

# In the order in which we propose them where the configuration names none.
METHODS = {
    method.word: method
    for method in (
        Method("eap-mschapv2", EapType.MSCHAPV2, mschapv2.peer, mschapv2.server),
        Method("eap-md5", EapType.MD5, md5.peer, md5.server),
    )
}


def allowed(word: str) -> tuple[Method, ...]:
    """The methods that a word of swanctl.conf allows: itself, or all for `eap` and `eap-dynamic`."""
    return (METHODS[word],) if word in METHODS else tuple(METHODS.values())
