"""The second round of authentication, `local-2 { auth = xauth }` or `remote-2 { auth = xauth }` of swanctl.conf.

It goes with IKEv1 only, behind a first round that is a pre-shared key or a signature: XAUTH, draft 06.
"""

from lab.ike import options
from lab.ike.swanctl import Section

# The backends that charon has beside the generic one ask RADIUS or PAM; here the secrets are the configuration's.
_ROUND: dict[str, options.Reader] = {"auth": options.one_of("xauth", "xauth-generic"), "xauth_id": options.text}


def rounds(section: Section, side: str) -> tuple[list[Section], list[Section]]:
    """The sections of one side of a connection: those of XAUTH, and the others."""
    found = [inner for name, inner in section.sections.items() if name == side or name.startswith(f"{side}-")]
    by_user = [inner for inner in found if inner.name != side and inner.get("auth").startswith("xauth")]
    return by_user, [inner for inner in found if inner not in by_user]


def second(section: Section, side: str) -> dict[str, object]:
    """What AuthConfig says of XAUTH for a side; nothing where there is no such round."""
    by_user, _ = rounds(section, side)
    if not by_user:
        return {}
    if section.get("version") != "1":
        raise by_user[0].error("auth = xauth goes with version = 1 only", "auth")
    if len(by_user) > 1:
        raise by_user[1].error(f"one section of {side!r} has auth = xauth, {len(by_user)} found", "auth")
    values = options.read(by_user[0], _ROUND)
    return {"xauth": True, "xauth_id": values.get("xauth_id", "")}
