"""The one place where an endpoint that is told to misbehave does (lab.ike.impair).

Each row of the setting `impair` is made once, in the first message of ours that it fits; a message takes at most one,
in the order of the configuration, so a list is worked off message by message, and what is sent afterwards is honest.
A request or response that is repeated is repeated as it was sent first.
"""

from lab.ike.impair.craft import Draft
from lab.ikev2.sa import Sa
from lab.wire.message import Message


def impaired(sa: Sa, message: Message) -> tuple[bytes, ...]:
    """The datagrams of a message of ours as a row makes them; none where no row is left that fits."""
    if not sa.host.impairments:
        return ()
    theirs = sa.init_r if sa.initiator else sa.init_i
    draft = Draft(message.header, message.payloads, sa.sealer, sa.sent, theirs, sa.fragments)
    row = next((row for row in sa.host.impairments if row.fits(draft)), None)
    if row is None:
        return ()
    sa.host.impairments.remove(row)
    sa.host.trace.emit("note", f"impaired: {row.name}", about=row.about)
    made = row.craft(draft)
    return made if isinstance(made, tuple) else (made,)
