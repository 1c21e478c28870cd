"""What of charon's report on a command is the reason of its failure."""

from lab.peers.strongswan import last_words

# As charon 6.0.1 reports a child that its peer refused.
REPORT = [
    "sending packet: from 203.0.113.2[500] to 198.51.100.2[500] (256 bytes)",
    "received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built",
    "failed to establish CHILD_SA, keeping IKE_SA",
    "deleting policy 10.2.0.0/24 === 10.1.0.0/24 in failed, not found",
    "deleting policy 10.2.0.0/24 === 10.1.0.0/24 fwd failed, not found",
]


def test_cleaning_up_is_no_reason() -> None:
    assert last_words(REPORT) == REPORT[:3]
    assert last_words(REPORT[:1] * 9) == REPORT[:1] * 3
    assert last_words([]) == []
