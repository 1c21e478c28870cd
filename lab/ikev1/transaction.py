"""Transaction exchange: one side asks or sets, the other answers (draft-ietf-ipsec-isakmp-mode-cfg-05 3).

    HDR*, HASH(1), ATTR(CFG_REQUEST)  -->                  HDR*, HASH(1), ATTR(CFG_SET)  -->
                                      <--  ATTR(CFG_REPLY), or for what was set ATTR(CFG_ACK), behind a HASH(1) too

Each pair has a message ID, and a chain of IVs, of its own. XAUTH is two pairs before the ISAKMP SA is established, Mode
Config one behind it. The identifier binds what belongs together; as many answer with 0, the message ID is what counts.
"""

from lab.errors import ProtocolError
from lab.ikev1 import mode_config, phase2, xauth
from lab.ikev1.exchange import Step
from lab.ikev1.sa import Sa
from lab.wire.ids_v1 import CfgType1, NotifyType1
from lab.wire.message_v1 import Message1
from lab.wire.payloads_v1 import Attributes1


def unauthentic(sa: Sa, message: Message1) -> str:
    """Why a message is not to be heeded, in words.

    Mode Config that comes before XAUTH is over comes again: the peer's last message of XAUTH was lost.
    """
    if reason := phase2.unauthentic(sa, message):
        return reason
    asked = message.get(Attributes1)
    early = asked is not None and not sa.usable and not xauth.concerns(asked)
    return "Mode Config before XAUTH is over" if early else ""


def responder(sa: Sa, message: Message1) -> Step:
    """The answer to CFG_REQUEST or CFG_SET; ProtocolError where none is due."""
    asked = message.need(Attributes1)
    if asked.cfg_type not in (CfgType1.CFG_REQUEST, CfgType1.CFG_SET):
        raise ProtocolError(f"{asked.cfg_type.name} that answers nothing of ours", NotifyType1.INVALID_MESSAGE_ID)
    if xauth.concerns(asked):
        return xauth.responder(sa, message.header.message_id, asked)
    return mode_config.responder(sa, message.header.message_id, asked)
