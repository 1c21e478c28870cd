"""Traps that other IKEv2 stacks fell into, each with the tests that name it: none of them may lose its last one.

The list is walked by hand, from the peers' changelogs, their issues and the errata of the RFCs; where a trap has tests
in several layers, one of each is named.
"""

import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
V2, ESP, WIRE, CRYPTO = "ikev2/test_", "ipsec/test_", "wire/test_", "crypto/test_"

TRAPS = {
    # start-up
    "NAT-D hashes have SPIr zero at first and are computed anew behind COOKIE": [
        f"{V2}nat.py::test_the_hashes_are_computed_anew_behind_a_cookie",
        "ike/test_nat.py::test_the_hash_covers_spis_address_and_port",
    ],
    "several SOURCE_IP hashes are taken": [f"{V2}nat.py::test_one_of_several_source_hashes_is_enough"],
    "encapsulation is forced by a bogus hash": [f"{V2}nat.py::test_encap_forces_encapsulation_without_a_nat"],
    "a reply leaves from where the request came to": [
        f"{V2}engine.py::test_a_repeated_request_is_answered_from_the_cache_to_where_it_came_from",
    ],
    "no floating without NAT-D": [f"{V2}nat.py::test_a_peer_without_nat_detection_stays_on_port_500"],
    "floating begins with IKE_INTERMEDIATE": [
        f"{V2}ike_intermediate.py::test_both_move_to_port_4500_with_the_first_ike_intermediate",
    ],
    "floating without a NAT with MOBIKE": [
        f"{V2}mobike.py::test_mobike_is_agreed_in_ike_auth_and_ports_float_without_a_nat",
    ],
    "the marker from packet 1 to another port than 500": [
        f"{V2}nat.py::test_the_marker_is_there_from_the_first_packet_to_another_port_than_500",
    ],
    "a doubled marker, and a keepalive, are no message": [
        f"{V2}impaired.py::test_a_request_that_has_to_be_ignored",
        f"{V2}nat.py::test_a_keepalive_that_arrives_is_no_message",
    ],
    "COOKIE and INVALID_KE_PAYLOAD in either order, stale cookies, a capped loop": [
        f"{V2}ike_sa_init.py::test_cookie_then_invalid_ke", f"{V2}ike_sa_init.py::test_invalid_ke_then_cookie",
        f"{V2}ike_sa_init.py::test_a_stale_cookie_is_replaced_by_a_fresh_one",
        f"{V2}ike_sa_init.py::test_the_rounds_are_capped",
    ],
    "INVALID_KE_PAYLOAD leads to offered groups only, and the SA survives it": [
        f"{V2}ike_sa_init.py::test_a_group_that_we_did_not_offer_is_not_used",
        f"{V2}create_child_sa.py::test_the_group_that_the_responder_wants",
        f"{V2}create_child_sa.py::test_a_group_that_we_did_not_offer_is_a_refusal",
    ],
    "AES-128 without Key Length": [f"{CRYPTO}proposal.py::test_missing_key_length_means_128"],
    "unknown transforms and transform types": [
        f"{CRYPTO}proposal.py::test_unknown_transforms_are_passed_over",
        f"{CRYPTO}proposal.py::test_a_proposal_with_an_unknown_transform_type_is_passed_over",
    ],
    "AEAD with no integrity, or NONE": [f"{CRYPTO}proposal.py::test_aead_goes_without_integrity_or_with_none"],
    "no key exchange in the child of IKE_AUTH": [f"{CRYPTO}proposal.py::test_child_of_ike_auth_has_no_key_exchange"],
    "ESN is mandatory": [f"{CRYPTO}proposal.py::test_a_missing_mandatory_type"],
    "values of RFC 9827 are passed over": [
        f"{CRYPTO}proposal.py::test_sequence_numbers_of_rfc_9827_that_we_do_not_know_are_passed_over",
    ],
    "PRFs with a fixed key take 64 bits of each nonce": [
        f"{CRYPTO}vectors.py::test_fixed_key_prfs_take_64_bits_of_each_nonce",
    ],
    "nonces of 16 to 256 octets": [f"{V2}impaired.py::test_a_response_that_has_to_be_ignored"],
    "secrets keep their leading zeros": [
        f"{CRYPTO}groups.py::test_modp_secret_keeps_leading_zeros",
        f"{CRYPTO}groups.py::test_ecp_secret_keeps_leading_zeros",
    ],
    "the critical bit": [f"{V2}ike_sa_init.py::test_a_critical_payload_that_we_do_not_know_is_refused_by_its_type"],
    "a higher major version": ["test_endpoint.py::test_a_higher_major_version_is_answered_with_ours"],
    "reserved octets of the identity are signed": [
        f"{V2}ike_auth.py::test_reserved_octets_of_the_id_payload_are_signed_as_they_are",
    ],
    "octets behind the last payload": [f"{WIRE}payloads_v2.py::test_octets_behind_the_last_payload_are_ignored"],
    "vendor IDs and the order of payloads": [
        f"{V2}ike_sa_init.py::test_vendor_ids_unknown_notifies_and_unknown_payloads_are_passed_over",
        f"{V2}impaired.py::test_a_request_that_has_to_be_tolerated",
    ],
    # message IDs, retransmission
    "a request is repeated bit for bit": [f"{V2}engine.py::test_ike_auth_repeats_the_same_octets_with_the_same_iv"],
    "only fragment 1 brings the answer again": [
        f"{V2}fragments.py::test_only_the_first_fragment_brings_the_answer_again",
    ],
    "responses are never sent by a timer": [f"{V2}engine.py::test_a_response_is_never_repeated_by_a_timer"],
    "the window is 1 unless told, and both may ask at once": [
        f"{V2}engine.py::test_the_peers_window_limits_what_we_have_under_way",
        f"{V2}engine.py::test_both_sides_may_ask_at_the_same_time",
    ],
    "no second liveness while a request is out": [
        f"{V2}informational.py::test_no_liveness_while_a_request_is_under_way",
    ],
    "message IDs run out": [f"{V2}engine.py::test_message_ids_run_out"],
    "a wrong ICV is not answered": [f"{V2}engine.py::test_a_wrong_icv_is_dropped_and_changes_nothing"],
    "fragments: first type in number 1 only, totals that grow, caps": [
        f"{V2}fragments.py::test_a_later_fragment_that_tells_of_payloads",
        f"{V2}fragments.py::test_a_larger_total_replaces_the_set_and_a_smaller_one_is_dropped",
        f"{V2}fragments.py::test_incomplete_sets_stay_bounded",
    ],
    "IntAuth covers the unfragmented message": [
        f"{V2}ike_intermediate.py::test_both_ends_cover_the_same_octets",
    ],
    # AUTH
    "the pad of the shared key": [f"{V2}keys.py::test_the_shared_key_goes_through_the_pad"],
    "EAP: AUTH with SK_p where there is no MSK, identities that differ": [
        f"{V2}ppk.py::test_the_last_auth_of_eap_by_the_formula",
    ],
    "signatures only with hashes that the peer lists": [
        f"{V2}signature.py::test_we_sign_only_with_hashes_that_the_peer_lists",
        f"{V2}signature.py::test_the_older_methods_where_one_side_lists_no_hashes",
    ],
    "PSS parameters are explicit": [f"{CRYPTO}signatures.py::test_pss_parameters"],
    "IKE_INTERMEDIATE enters AUTH only where it ran; NONE is skipped": [
        f"{V2}ike_intermediate.py::test_without_additional_key_exchanges_nothing_is_announced_nor_covered",
        f"{V2}ike_intermediate.py::test_none_is_skipped",
    ],
    "a child that fails in IKE_AUTH leaves the IKE SA": [
        f"{V2}ike_auth.py::test_selectors_without_anything_in_common_leave_the_ike_sa_alive",
    ],
    "nothing has an effect before IKE_AUTH is over": [
        f"{V2}engine.py::test_before_authentication_nothing_but_ike_auth_is_served",
    ],
    "INITIAL_CONTACT: first IKE_AUTH only, same pair of identities": [
        f"{V2}ike_auth.py::test_initial_contact_is_sent_with_the_first_sa_only",
        f"{V2}ike_auth.py::test_initial_contact_ends_what_a_crashed_peer_left",
    ],
    "both begin at once": [f"{V2}ike_auth.py::test_both_begin_at_once_and_each_side_knows_the_same_ike_sas"],
    # rekeying, deletion, liveness
    "the lowest of four nonces": [
        f"{V2}collisions.py::test_the_exchange_with_the_lowest_nonce_made_the_redundant_sa",
        f"{V2}collisions.py::test_the_nonces_decide_and_not_the_roles",
    ],
    "a response behind the delete, an unaware side, CHILD_SA_NOT_FOUND, mixtures": [
        f"{V2}collisions.py::test_our_response_comes_after_the_peer_deleted_the_old_child",
        f"{V2}collisions.py::test_the_peers_request_comes_while_our_delete_is_under_way",
        f"{V2}collisions.py::test_the_peers_request_comes_when_our_own_rekeying_is_over",
        f"{V2}collisions.py::test_one_rekeys_the_ike_sa_the_other_the_child",
    ],
    "a rekeying offers the narrowed selectors and takes wider ones": [
        f"{V2}create_child_sa.py::test_selectors_that_were_narrowed_are_offered_as_they_are",
        f"{V2}create_child_sa.py::test_wider_selectors_in_a_rekeying_are_narrowed_to_what_is_allowed",
    ],
    "the answer to a Delete has the paired SPI, unless two cross": [
        f"{V2}informational.py::test_both_delete_the_child_at_once",
        f"{V2}informational.py::test_both_delete_the_ike_sa_at_once",
    ],
    "several Delete payloads in one message": [
        f"{V2}informational.py::test_several_spis_and_several_delete_payloads_in_one_message",
    ],
    "the old child is heard a little longer": [
        f"{V2}create_child_sa.py::test_the_old_child_receives_for_five_seconds_more",
    ],
    "who follows a NAT's new mapping, ESP too": [
        f"{V2}nat.py::test_the_side_that_is_not_behind_a_nat_follows_an_authenticated_request",
        f"{V2}nat.py::test_a_side_behind_a_nat_does_not_follow",
        f"{V2}nat.py::test_esp_from_a_new_mapping_moves_the_sa_as_well",
    ],
    "MOBIKE: COOKIE2 comes back, lists of addresses are capped": [
        f"{V2}mobike.py::test_another_cookie2_ends_the_initiators_sa",
        f"{V2}mobike.py::test_hundreds_of_addresses_are_a_few",
    ],
    "ANY is not OPAQUE; ICMP has its type in the ports": [
        f"{ESP}selector.py::test_opaque_takes_only_packets_without_visible_ports",
        f"{ESP}selector.py::test_icmp_type_belongs_to_the_side_that_sends",
    ],
    # ESP and AH
    "AEAD aligns to 4, not to blocks": [f"{ESP}esp.py::test_alignment_and_overhead"],
    "an IV never comes again": [f"{ESP}esp.py::test_ivs_of_aead_never_repeat_and_cbc_draws_each"],
    "ESN: inferred, and under the ICV": [
        f"{ESP}replay.py::test_esn_around_every_edge_of_the_window", f"{ESP}esp.py::test_esn_agrees_with_scapy",
    ],
    "sequence number zero is dropped": [f"{ESP}replay.py::test_size_zero_checks_nothing_but_the_number_zero"],
    "AH: ESN, mutable fields, padding by the version of IP": [
        f"{ESP}ah.py::test_esn_goes_into_the_icv_and_is_not_sent",
        f"{ESP}ah.py::test_every_bit_is_under_the_icv_but_those_of_mutable_fields",
        f"{ESP}ah.py::test_the_header_is_padded_as_its_ip_version_wants",
        f"{ESP}ah.py::test_linux_may_pad_to_eight_octets_in_ipv4",
    ],
    "transport mode behind a NAT: checksums": [
        f"{ESP}transport.py::test_checksums_fit_the_addresses_that_a_nat_made",
        f"{ESP}transport.py::test_udp_without_a_checksum_stays_without",
    ],
    "keepalives come only from behind the NAT, every 20 s": [
        f"{V2}nat.py::test_keepalives_come_from_the_side_behind_the_nat_every_20_seconds_of_silence",
    ],
    "TFC padding is cut off": [f"{ESP}esp.py::test_tfc_padding_is_cut_off"],
    # the text of the RFCs
    "CHILD_SA_NOT_FOUND carries the SPI": [f"{V2}create_child_sa.py::test_child_sa_not_found_names_the_spi"],
}  # fmt: skip


@cache
def functions(file: str) -> frozenset[str]:
    return frozenset(re.findall(r"^def (test_\w+)", (TESTS / file).read_text(), re.MULTILINE))


@pytest.mark.parametrize("trap", TRAPS)
def test_each_trap_has_a_test_that_names_it(trap: str) -> None:
    assert TRAPS[trap]
    for node in TRAPS[trap]:
        file, name = node.split("::")
        assert name in functions(file), f"{node} is gone, and with it the guard against: {trap}"
