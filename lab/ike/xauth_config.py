"""XAUTH in swanctl.conf: a second round, `local-2 { auth = xauth }` or `remote-2 { auth = xauth }`, or the only one.

It goes with IKEv1 only: behind a first round that is a pre-shared key or a signature (XAUTH, draft 06), or as all that
a side has while the other signs (hybrid authentication, draft-ietf-ipsec-isakmp-hybrid-auth-05).
"""

from lab.ike import options
from lab.ike.means import USER_WORDS
from lab.ike.swanctl import Section

# The backends that charon has beside the generic one ask RADIUS or PAM; here the secrets are the configuration's.
_ROUND: dict[str, options.Reader] = {"auth": options.one_of(*USER_WORDS), "xauth_id": options.text}


def rounds(section: Section, side: str) -> tuple[list[Section], list[Section]]:
    """The sections of one side of a connection: those of XAUTH, and the others."""
    found = [inner for name, inner in section.sections.items() if name == side or name.startswith(f"{side}-")]
    by_user = [inner for inner in found if inner.name != side and inner.get("auth").startswith("xauth")]
    return by_user, [inner for inner in found if inner not in by_user]


def alone(inner: Section) -> bool:
    """Whether this round, which is a side's only one, is XAUTH."""
    return inner.get("auth") in USER_WORDS


def of(section: Section, side: str) -> dict[str, object]:
    """What AuthConfig says of XAUTH for a side; nothing where it has none."""
    second, first = rounds(section, side)
    by_user = [*filter(alone, first), *second]
    if not by_user:
        return {}
    if len(by_user) > 1:
        raise by_user[1].error(f"one section of {side!r} has auth = xauth, {len(by_user)} found", "auth")
    known = _ROUND if second else {**_ROUND, "id": options.text}
    return {"xauth": True, "xauth_id": options.read(by_user[0], known).get("xauth_id", "")}


def refuse(section: Section) -> None:
    """ConfigError where a side has XAUTH, for a version that has none."""
    for side in ("local", "remote"):
        second, first = rounds(section, side)
        for inner in (*filter(alone, first), *second):
            raise inner.error("auth = xauth goes with version = 1 only", "auth")
