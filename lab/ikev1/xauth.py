"""XAUTH: a user proves itself by a password behind phase 1 (draft-ietf-ipsec-isakmp-xauth-06).

    who asks                                              who is asked: as a rule the initiator of phase 1
    CFG_REQUEST(TYPE, USER_NAME, USER_PASSWORD)      -->
                                                     <--  CFG_REPLY(TYPE, USER_NAME, USER_PASSWORD), or STATUS(FAIL)
    CFG_SET(STATUS = OK | FAIL)                      -->
                                                     <--  CFG_ACK(STATUS)

The ISAKMP SA is established with the CFG_ACK, and ends with it where the password is wrong. The password goes as it is,
under the keys of phase 1: with a pre-shared key that a whole group knows, each of the group could play the gateway.
"""

from functools import partial
from hmac import compare_digest

from lab.errors import ProtocolError
from lab.ike.credentials import user_identity
from lab.ikev1 import attributes, succession
from lab.ikev1.exchange import Exchange, Step
from lab.ikev1.sa import Sa
from lab.wire.ids_v1 import CfgType1, NotifyType1, Xauth1
from lab.wire.payloads_v1 import Attribute, Attributes1

GENERIC, FAIL, OK = 0, 0, 1
# Names and passwords are bounded by us: the draft has no bound.
LONGEST = 256
_NUMBERS = frozenset(int(one) for one in Xauth1)


def concerns(payload: Attributes1) -> bool:
    """Whether a payload holds attributes of XAUTH."""
    return any(int(attribute.type) in _NUMBERS for attribute in payload.attributes)


# -- who asks


def request(sa: Sa, message_id: int) -> Exchange:
    """CFG_REQUEST(USER_NAME, USER_PASSWORD)  -->    <--  CFG_REPLY; what follows tells how it went."""
    wanted = [
        Attribute.of(Xauth1.XAUTH_TYPE, GENERIC),
        *(attributes.of_octets(kind, b"") for kind in (Xauth1.XAUTH_USER_NAME, Xauth1.XAUTH_USER_PASSWORD)),
    ]
    sa.stage = "XAUTH"
    answer = yield from attributes.ask(sa, message_id, CfgType1.CFG_REQUEST, wanted)
    sa.put_first(partial(_status, reason=_refusal(sa, answer)))
    return None


def _refusal(sa: Sa, answer: tuple[Attribute, ...]) -> str:
    """Why the user is not let in, in words; empty where it is, and then it is known by its name."""
    given = {int(attribute.type): attributes.octets(attribute) for attribute in answer}
    name, password = given.get(int(Xauth1.XAUTH_USER_NAME)), given.get(int(Xauth1.XAUTH_USER_PASSWORD))
    if name is None or password is None:
        return f"{sa.remote_id} gives no user name and password for XAUTH"
    if max(len(name), len(password)) > LONGEST:
        return f"{sa.remote_id} gives a user name or a password of more than {LONGEST} octets"
    name = name or (sa.remote_id.data if sa.remote_id else b"")
    user, wanted = user_identity(name), sa.connection.remote.xauth_id
    if wanted and not user.matches(user_identity(wanted.encode())):
        return f"XAUTH user {user} is not {wanted}, whom connection {sa.connection.name} expects"
    ours = sa.host.config.credentials.eap_secret(name)
    if ours is None:
        return f"no secret for XAUTH user {user}"
    # Some clients count a NUL behind the password.
    if not (compare_digest(ours, password) or compare_digest(ours, password.removesuffix(b"\0"))):
        return f"wrong password for XAUTH user {user}"
    sa.user = user
    return ""


def _status(sa: Sa, message_id: int, reason: str) -> Exchange:
    """CFG_SET(STATUS)  -->    <--  CFG_ACK; now the SA is established, or it ends."""
    status = [Attribute.of(Xauth1.XAUTH_STATUS, FAIL if reason else OK)]
    yield from attributes.ask(sa, message_id, CfgType1.CFG_SET, status)
    if reason:
        sa.fail(reason)
    else:
        succession.come_up(sa)
    return None


# -- who is asked


def responder(sa: Sa, message_id: int, asked: Attributes1) -> Step:
    """The answer to CFG_REQUEST or CFG_SET of XAUTH; ProtocolError where nobody has to ask us."""
    if not sa.connection.local.xauth or not sa.waits_for_xauth:
        reason = f"peer asks us for XAUTH, and connection {sa.connection.name} has none for us to answer"
        raise ProtocolError(reason if sa.waits_for_xauth or not sa.xauth else "XAUTH after its end")
    sa.stage = "XAUTH"
    if asked.cfg_type == CfgType1.CFG_SET:
        return _told(sa, message_id, asked)
    name = _name(sa)
    password = sa.host.config.credentials.eap_secret(name)
    reason = _unanswerable(asked) or ("" if password else f"no secret for XAUTH user {user_identity(name)}")
    if reason:
        answer = attributes.reply(sa, message_id, asked, [Attribute.of(Xauth1.XAUTH_STATUS, FAIL)])
        sa.hint = reason
        return answer
    values = {Xauth1.XAUTH_USER_NAME: name, Xauth1.XAUTH_USER_PASSWORD: password or b""}
    found = [
        attributes.of_octets(kind, value) for kind, value in values.items() if attributes.value(asked, kind) is not None
    ]
    kind = [Attribute.of(Xauth1.XAUTH_TYPE, GENERIC)] if attributes.value(asked, Xauth1.XAUTH_TYPE) is not None else []
    return attributes.reply(sa, message_id, asked, [*kind, *found])


def _name(sa: Sa) -> bytes:
    """The configured name, or else our identity."""
    configured = sa.connection.local.xauth_id.encode()
    return configured or (sa.local_id.data if sa.local_id else b"")


def _unanswerable(asked: Attributes1) -> str:
    """Why a request wants more of us than a name and a password, in words."""
    kind = attributes.value(asked, Xauth1.XAUTH_TYPE)
    if kind is not None and kind.number != GENERIC:
        return f"peer asks for XAUTH of type {kind.number}; we know the generic one"
    more = (Xauth1.XAUTH_PASSCODE, Xauth1.XAUTH_CHALLENGE, Xauth1.XAUTH_NEXT_PIN, Xauth1.XAUTH_ANSWER)
    wanted = [one.name for one in more if attributes.value(asked, one) is not None]
    return f"peer asks for {', '.join(wanted)}; we answer with a name and a password" if wanted else ""


def _told(sa: Sa, message_id: int, asked: Attributes1) -> Step:
    """How it went, which we acknowledge."""
    status = attributes.value(asked, Xauth1.XAUTH_STATUS)
    if status is None:
        raise ProtocolError("CFG_SET of XAUTH without a STATUS", NotifyType1.PAYLOAD_MALFORMED)
    answer = attributes.reply(sa, message_id, asked, [attributes.of_octets(Xauth1.XAUTH_STATUS, b"")])
    if status.number == OK:
        succession.come_up(sa)
    else:
        sa.fail(f"peer refuses XAUTH user {user_identity(_name(sa))}: it does not accept the name or the password")
    return answer
