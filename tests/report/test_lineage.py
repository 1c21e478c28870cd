"""The SAs of a scenario in their line: who came from whom, what they carried, and how they ended."""

from lab.report import lineage
from tests.report.trees import SPIS, Talk, delete, node, notify, proposal, sa, sealed

ESP = ("ENCR ENCR_AES_GCM_16 256", "ESN NO_ESN")
IKE = ("ENCR ENCR_AES_GCM_16 256", "PRF PRF_HMAC_SHA2_384", "KE CURVE25519")


def tunnel(talk: Talk) -> None:
    talk.ike("IKE_SA_INIT", sa(proposal("IKE (1)", *IKE)), spi=SPIS[:17] + "0" * 16)
    talk.ike("IKE_SA_INIT", sa(proposal("IKE (1)", *IKE)), by="right")
    talk.ike("IKE_AUTH", sealed(sa(proposal("ESP (3)", *ESP, spi="aaaaaaaa"))), mid=1)
    talk.ike("IKE_AUTH", sealed(sa(proposal("ESP (3)", *ESP, spi="bbbbbbbb"))), mid=1, by="right")


def rekey_child(talk: Talk) -> None:
    # HDR, SK {N(REKEY_SA), SA} -->, <-- HDR, SK {SA}
    offer = sa(proposal("ESP (3)", *ESP, spi="cccccccc"))
    talk.ike("CREATE_CHILD_SA", sealed(notify("REKEY_SA", "aaaaaaaa"), offer), mid=2)
    talk.ike("CREATE_CHILD_SA", sealed(sa(proposal("ESP (3)", *ESP, spi="dddddddd"))), mid=2, by="right")
    # HDR, SK {D} -->, <-- HDR, SK {D}
    talk.ike("INFORMATIONAL", sealed(delete("ESP (3)", "aaaaaaaa")), mid=3)
    talk.ike("INFORMATIONAL", sealed(delete("ESP (3)", "bbbbbbbb")), mid=3, by="right")


def test_a_rekeyed_child_names_whom_it_replaces() -> None:
    talk = Talk()
    tunnel(talk)
    for by, spi in (("left", "bbbbbbbb"), ("right", "aaaaaaaa"), ("right", "aaaaaaaa")):
        talk.esp(spi, by)
    rekey_child(talk)
    talk.esp("dddddddd")
    ike, old, new = lineage.find(talk.messages, talk.details)
    assert (ike.protocol, ike.spis, ike.life) == ("IKE", tuple(SPIS.split(":")), "to the end")
    assert (old.spis, old.packets, old.octets, old.after) == (("aaaaaaaa", "bbbbbbbb"), (2, 1), (240, 120), [2])
    assert (new.spis, new.packets, new.before, new.life) == (("cccccccc", "dddddddd"), (0, 1), 1, "to the end")
    assert old.ended is not None and (old.ended.number, old.life) == (9, "60.0 ms")
    assert old.algorithms == "ENCR_AES_GCM_16 256"


def test_a_child_without_rekey_sa_replaces_nobody() -> None:
    talk = Talk()
    tunnel(talk)
    talk.ike("CREATE_CHILD_SA", sealed(sa(proposal("ESP (3)", *ESP, spi="cccccccc"))), mid=2)
    talk.ike("CREATE_CHILD_SA", sealed(sa(proposal("ESP (3)", *ESP, spi="dddddddd"))), mid=2, by="right")
    _, first, second = lineage.find(talk.messages, talk.details)
    assert (first.after, second.before) == ([], None)


def test_an_ike_sa_made_within_one_replaces_it_and_a_delete_without_spis_ends_the_one_it_came_in() -> None:
    talk = Talk()
    tunnel(talk)
    talk.ike("CREATE_CHILD_SA", sealed(sa(proposal("IKE (1)", *IKE, spi="3" * 16))), mid=2)
    talk.ike("CREATE_CHILD_SA", sealed(sa(proposal("IKE (1)", *IKE, spi="4" * 16))), mid=2, by="right")
    talk.ike("INFORMATIONAL", sealed(delete("IKE (1)")), mid=3)
    old, _, new = lineage.find(talk.messages, talk.details)
    assert (old.after, new.before, new.spis) == ([2], 0, ("3" * 16, "4" * 16))
    assert old.ended is not None and old.ended.number == 6 and new.ended is None


def test_a_refused_exchange_makes_no_sa() -> None:
    talk = Talk()
    tunnel(talk)
    talk.ike("CREATE_CHILD_SA", sealed(sa(proposal("ESP (3)", *ESP, spi="cccccccc"))), mid=2)
    talk.ike("CREATE_CHILD_SA", sealed(notify("NO_ADDITIONAL_SAS")), mid=2, by="right")
    assert len(lineage.find(talk.messages, talk.details)) == 2


def test_ikev1_agrees_on_a_lifetime() -> None:
    parts = {"Number": "1", "ID": "ENCR_AES_CBC (12)", "LIFE_TYPE": "SECONDS (1)", "LIFE_DURATION": "3960"}
    parts |= {"KEY_LENGTH": "256", "MODE": "TUNNEL (1)", "AUTHENTICATION": "77"}
    transform = node("Transform", "", [node(name, value) for name, value in parts.items()])

    def offered(spi: str) -> dict[str, object]:
        return sa(node("Proposal", "", [node("Number", "1"), node("Protocol", "ESP (3)"), node("SPI", spi), transform]))

    talk = Talk()
    talk.ike("Quick Mode", offered("aaaaaaaa"), mid=7, v1=True)
    talk.ike("Quick Mode", offered("bbbbbbbb"), mid=7, by="right", v1=True)
    (found,) = lineage.find(talk.messages, talk.details)
    assert (found.lifetime, found.algorithms) == ("3960 s", "ENCR_AES_CBC 256, tunnel, authentication 77")


def test_rekey_sa_names_the_one_and_not_the_latest() -> None:
    talk = Talk()
    tunnel(talk)
    talk.ike("CREATE_CHILD_SA", sealed(sa(proposal("ESP (3)", *ESP, spi="eeeeeeee"))), mid=9)
    talk.ike("CREATE_CHILD_SA", sealed(sa(proposal("ESP (3)", *ESP, spi="ffffffff"))), mid=9, by="right")
    rekey_child(talk)
    _, first, other, new = lineage.find(talk.messages, talk.details)
    assert (first.after, other.after, new.before) == ([3], [], 1)
