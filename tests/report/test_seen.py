"""What is read from the messages of a scenario: each figure follows the ladder, and what is not there is not said."""

import pytest

from lab.report import ladder, seen
from tests.report.proven import esp, handshake, ike1, ike2, main_mode, numbered, quick_mode


def say(reader, *entries, negotiated=None):
    return reader(ladder.read(numbered(*entries)), negotiated or {})


def test_messages_are_counted_until_traffic():
    assert say(seen.until_traffic, *main_mode(), esp(), *quick_mode(9)) == (
        "6 Main Mode + 3 Quick Mode = 9 messages before the first ESP packet"
    )
    assert say(seen.until_traffic, *handshake(), esp(protocol="AH")) == (
        "2 IKE_SA_INIT + 2 IKE_AUTH = 4 messages before the first AH packet"
    )
    assert say(seen.until_traffic, *handshake()) == ""
    assert say(seen.until_traffic) == ""


def test_a_repeated_message_counts_once_and_one_in_fragments_by_its_last():
    first, *rest = handshake()
    again = {**first, "retransmit_of": 0}
    piece = ike2("IKE_AUTH", "SKF(1/2)", 1, encrypted=True)
    last = ike2("IKE_AUTH", "SKF(2/2) IDi AUTH", 1, encrypted=True)
    said = say(seen.until_traffic, first, again, rest[0], piece, last, rest[2], esp())
    assert said.startswith("2 IKE_SA_INIT + 2 IKE_AUTH = 4 messages")


def test_eap_is_counted_beyond_one_pair():
    eap = [ike2("IKE_AUTH", "EAP", 2), ike2("IKE_AUTH", "EAP", 2, response=True)]
    end = [ike2("IKE_AUTH", "AUTH", 3), ike2("IKE_AUTH", "AUTH SAr2", 3, response=True)]
    assert say(seen.with_eap, *handshake(), *eap, *end, esp()) == (
        "2 IKE_SA_INIT + 6 IKE_AUTH = 8 messages before the first ESP packet, "
        "4 more than with one pair of IKE_AUTH; 2 of them with EAP"
    )


def test_exchanges_are_told_apart():
    assert say(seen.exchanges("Quick Mode"), *quick_mode(7), *quick_mode(8)) == (
        "Quick Mode ran 2 times, with 3 messages each"
    )
    assert say(seen.exchanges("Quick Mode"), *quick_mode(7), *quick_mode(8)[:2]) == (
        "Quick Mode ran 2 times, with 2 or 3 messages each"
    )
    child = [ike2("CREATE_CHILD_SA", "SA Ni", 2), ike2("CREATE_CHILD_SA", "SA Nr", 2, response=True)]
    theirs = [ike2("CREATE_CHILD_SA", "SA Ni", 2, response=way, asker="right") for way in (False, True)]
    assert say(seen.exchanges("CREATE_CHILD_SA"), *child) == "CREATE_CHILD_SA ran once, with 2 messages"
    assert say(seen.exchanges("CREATE_CHILD_SA"), *child, *theirs).startswith("CREATE_CHILD_SA ran 2 times, with 2")
    assert say(seen.exchanges("CREATE_CHILD_SA"), *handshake()) == ""


def test_ports_are_those_that_the_initiator_sends_to():
    moved = [one | {"dst": "198.51.100.2:4500"} if at > 1 else one for at, one in enumerate(handshake())]
    assert say(seen.ports, *handshake()) == "the initiator sends to UDP port 500 throughout"
    assert say(seen.ports, *moved) == "the initiator sends to UDP port 500, from message 3 (IKE_AUTH) on to 4500"
    assert say(seen.ports, esp()) == ""


@pytest.mark.parametrize(
    ("address", "port"),
    [("192.0.2.1:500", "500"), ("[2001:db8::1]:4500", "4500"), ("2001:db8::1", ""), ("192.0.2.1", ""), ("", "")],
)
def test_a_port_is_not_the_end_of_an_address(address, port):
    assert seen.port(address) == port


def test_nat_traversal_is_detection_encapsulation_and_keepalives():
    asking = ike2("IKE_SA_INIT", "SAi1 N(NAT_DETECTION_SOURCE_IP) N(NAT_DETECTION_DESTINATION_IP)", 0)
    keepalive = esp(protocol="NAT-keepalive")
    assert say(seen.traversal, asking, esp(dst="198.51.100.2:4500"), esp(), keepalive) == (
        "NAT detection in 1 message, 1 of 2 ESP packets in UDP, 1 keepalive"
    )
    assert say(seen.traversal, ike1("Main Mode", "KE NAT_D NAT_D")) == "NAT detection in 1 message"
    assert say(seen.traversal, *handshake(), esp()) == ""


def test_recovery_says_who_repeated_and_when():
    first, second, *_ = handshake()
    lost = second | {"lost": True}
    assert say(seen.recovery, first, lost, first | {"retransmit_of": 0}) == (
        "1 message lost, 1 sent again, by the initiator after 1.0 s"
    )
    both = [first | {"retransmit_of": 0}, second | {"retransmit_of": 1}]
    assert say(seen.recovery, first, lost, *both).endswith("2 sent again, first by the initiator after 1.0 s")
    assert say(seen.recovery, *handshake()) == ""
    assert say(seen.recovery, first | {"retransmit_of": 99}) == ""


def test_the_first_response_belongs_to_the_first_request_although_the_spi_is_new():
    assert say(seen.acknowledged, *handshake()) == "2 of 2 requests have their response"
    assert say(seen.acknowledged, *handshake(), ike2("INFORMATIONAL", "D", 2)) == "2 of 3 requests have their response"
    assert say(seen.acknowledged, *main_mode()) == ""


def test_informational_messages_of_ikev1_go_one_way():
    deletes = [ike1("Informational", "HASH D", "right", message_id=number) for number in (5, 6)]
    assert say(seen.one_way, *main_mode(), *deletes) == (
        "2 Informational messages by the responder, 0 by the initiator"
    )
    answer = ike1("Informational", "HASH N", "left", message_id=8)
    assert say(seen.one_way, *main_mode(), *deletes, answer).endswith("by the responder, 1 by the initiator")
    assert say(seen.one_way, *main_mode()) == ""


def test_identities_are_those_of_phase_1():
    assert say(seen.identities, *main_mode()) == "0 of 2 messages with an identity readable without keys"
    open_ones = [ike1("Aggressive Mode", "SA KE NONCE ID", side) for side in ("left", "right")]
    assert say(seen.identities, *open_ones, *quick_mode(1)).startswith("2 of 2 messages")
    assert say(seen.identities, *quick_mode(1)) == ""


def test_an_identity_told_to_whoever_answered():
    init = ike2("IKE_SA_INIT", "SAr1 KEr Nr", 0, response=True)
    auth = ike2("IKE_AUTH", "IDi AUTH SAi2", 1)
    astray = [init | {"from": "third", "to": "left"}, auth | {"from": "left", "to": "third"}]
    assert say(seen.attacked, *astray).startswith("IDi told in IKE_AUTH to somebody else")
    assert say(seen.attacked, init | {"from": "right"}, auth | {"to": "right"}) == ""
    assert say(seen.attacked, astray[1]) == ""


def test_cookies_key_exchanges_refusals_and_suites():
    asked = ike2("IKE_SA_INIT", "N(COOKIE)", 0, response=True)
    back = ike2("IKE_SA_INIT", "N(COOKIE) SAi1 KEi Ni", 0)
    assert say(seen.cookies, asked, back) == "COOKIE demanded in 1 response and brought back in 1 request"
    assert say(seen.cookies, *handshake()) == ""
    with_pfs = [one | {"payloads": [*one["payloads"], "KE"]} for one in quick_mode(1)[:2]]
    assert say(seen.key_exchange("Quick Mode"), *with_pfs, quick_mode(1)[2]) == "KE in 2 of 3 messages of Quick Mode"
    assert say(seen.key_exchange("Quick Mode"), *handshake()) == ""
    refused = [ike1("Main Mode", "SA"), ike1("Informational", "N(NO_PROPOSAL_CHOSEN)", "right")]
    assert say(seen.refusal, *refused) == "NO_PROPOSAL_CHOSEN in message 2, no SA"
    assert say(seen.refusal, *refused, negotiated={"ike": {}}).endswith("an SA all the same")
    assert say(seen.refusal, *main_mode()) == ""


def test_a_flood_and_what_came_for_it():
    def stranger(number, *answer):
        asked = {**ike1("Main Mode", "SA"), "from": "internet", "src": f"198.18.0.{number}:500"}
        return [asked, *(one | {"from": "right", "dst": f"198.18.0.{number}:500"} for one in answer)]

    full, cookie = ike1("Main Mode", "SA VID"), ike2("IKE_SA_INIT", "N(COOKIE)", 0, response=True)
    sent = [*stranger(1, full), *stranger(2, cookie), *stranger(3, cookie), *stranger(4)]
    assert say(seen.flooded, *sent, *main_mode()) == (
        "4 first messages of strangers: 1 answered in full, 2 with COOKIE alone"
    )
    assert say(seen.flooded, *main_mode()) == ""


def test_a_suite_is_what_was_negotiated():
    ike = {"encr": "ENCR_AES_GCM_16", "encr_key_length": 256, "integ": None, "prf": "PRF_X", "ke": "CURVE25519"}
    assert say(seen.suite, negotiated={"ike": ike}) == "IKE SA of ENCR_AES_GCM_16 with 256 bits, PRF_X, CURVE25519"
    assert say(seen.suite, negotiated={"ike": {"encr": "ENCR_CHACHA20_POLY1305", "encr_key_length": 0}}) == (
        "IKE SA of ENCR_CHACHA20_POLY1305"
    )
    assert say(seen.suite) == ""
