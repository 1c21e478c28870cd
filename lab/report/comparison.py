"""The table "IKEv1 and IKEv2 compared": which scenarios prove each cell, and how their messages are read.

Rules of this file: data only, no figures. Every cell has a scenario that proves it; a note says what the RFCs say where
the captures alone would mislead.
"""

from dataclasses import dataclass

from lab.report import seen
from lab.report.proof import Proof
from lab.report.seen import Reader

FIRST = "ikev1/messages-until-the-first-packet/"


@dataclass(frozen=True, slots=True)
class Look:
    """A proof, and what to read in the messages of its runs."""

    proof: Proof
    read: Reader


@dataclass(frozen=True, slots=True)
class Side:
    """One cell: what to look at, and a note with the clauses that it stands on."""

    looks: tuple[Look, ...]
    note: str = ""
    clauses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One row with its two cells."""

    name: str
    ikev1: Side
    ikev2: Side


def _look(what: str, select: str, read: Reader) -> Look:
    return Look(Proof(what, select), read)


ROWS = (
    Row(
        "Messages to establish",
        Side(
            (
                _look("Main Mode", f"{FIRST}main-mode", seen.until_traffic),
                _look("Aggressive Mode", f"{FIRST}aggressive-mode", seen.until_traffic),
            ),
            note="The messages of phase 1 set up nothing that could carry traffic; Quick Mode does.",
            clauses=("2409#5",),
        ),
        Side(
            (_look("Pre-shared key", f"{FIRST}ikev2", seen.until_traffic),),
            note="The first CHILD SA is among them.",
            clauses=("7296#1.2",),
        ),
    ),
    Row(
        "Messages for a further SA",
        Side((_look("A second pair of SAs", "ikev1/rekey-child/without-pfs-left", seen.exchanges("Quick Mode")),)),
        Side(
            (
                _look("A CHILD SA of its own", "ikev2/childless", seen.exchanges("CREATE_CHILD_SA")),
                _look("One rekeyed", "ikev2/rekey-child-sa/without-pfs-left", seen.exchanges("CREATE_CHILD_SA")),
            ),
            note="Deleting the one that was rekeyed is an exchange more.",
            clauses=("7296#1.4.1",),
        ),
    ),
    Row(
        "EAP",
        Side(
            (_look("XAUTH, in its place", "ikev1/xauth/main", seen.exchanges("Transaction")),),
            note="ISAKMP has no payload that could carry EAP.",
            clauses=("2408#3.1",),
        ),
        Side(
            (
                _look("EAP-MD5", "ikev2/eap/md5", seen.with_eap),
                _look("EAP-MD5 and an identity round", "ikev2/eap/md5-with-identity", seen.with_eap),
                _look("EAP-TLS 1.3", "ikev2/eap-tls/alone-1.3", seen.with_eap),
            ),
            clauses=("7296#2.16",),
        ),
    ),
    Row(
        "Ports 500 and 4500",
        Side(
            (
                _look("Without a NAT", "ikev1/main-mode", seen.ports),
                _look("Behind a NAT", "ikev1/nat/nat-initiator", seen.ports),
            ),
            clauses=("3947#4",),
        ),
        Side(
            (
                _look("Without a NAT", "ikev2/plain-tunnel", seen.ports),
                _look("Behind a NAT", "nat/before-initiator", seen.ports),
            ),
            clauses=("7296#2.23",),
        ),
    ),
    Row(
        "NAT traversal",
        Side(
            (
                _look("NAT before the initiator", "ikev1/nat/nat-initiator", seen.traversal),
                _look("NATs before both", "ikev1/nat/nat-both", seen.traversal),
                _look("Keepalives", "ikev1/keepalive", seen.traversal),
            ),
            clauses=("3947#3", "3948#2"),
        ),
        Side(
            (
                _look("NAT before the initiator", "nat/before-initiator", seen.traversal),
                _look("NATs before both", "nat/both-sides", seen.traversal),
                _look("Keepalives", "nat/keepalive", seen.traversal),
            ),
            clauses=("7296#2.23", "3948#2"),
        ),
    ),
    Row(
        "Retransmission",
        Side(
            (
                _look("Message 1 of Main Mode is lost", "ikev1/message-lost-once/main-1", seen.recovery),
                _look("Message 3 of Quick Mode is lost", "ikev1/message-lost-once/quick-3", seen.recovery),
            ),
            note="Whoever waits for an answer repeats, be it the initiator or the responder.",
            clauses=("2408#5.1",),
        ),
        Side(
            (
                _look("The first request is lost", "faults/first-ike-sa-init-request-lost", seen.recovery),
                _look("A response is lost", "faults/ike-auth-response-lost", seen.recovery),
            ),
            note="The initiator of an exchange repeats its request; a response is only ever sent for a request.",
            clauses=("7296#2.1",),
        ),
    ),
    Row(
        "Acknowledgement",
        Side(
            (_look("An ISAKMP SA is deleted", "ikev1/delete/ike-left", seen.one_way),),
            note="Informational messages are not acknowledged.",
            clauses=("2409#5.7",),
        ),
        Side(
            (_look("An IKE SA is deleted", "ikev2/delete-ike-sa/left", seen.acknowledged),),
            note="Every request has a response.",
            clauses=("7296#1.4",),
        ),
    ),
    Row(
        "Identity protection",
        Side(
            (
                _look("Main Mode", "ikev1/identity-protection/main-mode", seen.identities),
                _look("Aggressive Mode", "ikev1/identity-protection/aggressive-mode", seen.identities),
            ),
            clauses=("2409#5",),
        ),
        Side(
            (
                _look("A passive observer", "ikev1/identity-protection/ikev2", seen.identities),
                _look("An active attacker", "ikev1/active-attacker/ikev2", seen.attacked),
            ),
            note="The initiator names itself before the responder has proven anything.",
            clauses=("7296#5",),
        ),
    ),
    Row(
        "DoS protection",
        Side(
            (_look("A flood from spoofed addresses", "ikev1/flood/main-mode", seen.flooded),),
            note="The cookies of ISAKMP are its SPIs: a responder holds state from the first message on. All it can do "
            "is to take so many and no more, and then no honest peer either; strongSwan by default takes any number.",
            clauses=("2408#2.5.3",),
        ),
        Side(
            (
                _look("Half-open SAs", "ikev2/cookie", seen.cookies),
                _look("The same flood", "ikev1/flood/ikev2", seen.flooded),
            ),
            note="Until the cookie comes back the responder keeps nothing, and an honest peer brings it back.",
            clauses=("7296#2.6",),
        ),
    ),
    Row(
        "Perfect forward secrecy",
        Side(
            (
                _look("Without", "ikev1/perfect-forward-secrecy/none", seen.key_exchange("Quick Mode")),
                _look("With ECP-256", "ikev1/perfect-forward-secrecy/ecp256", seen.key_exchange("Quick Mode")),
            ),
            note="The scenarios try the secrets of phase 1 on every ESP packet.",
            clauses=("2409#5.5",),
        ),
        Side(
            (
                _look("Without", "ikev2/rekey-child-sa/without-pfs-left", seen.key_exchange("CREATE_CHILD_SA")),
                _look("With", "ikev2/rekey-child-sa/with-pfs-left", seen.key_exchange("CREATE_CHILD_SA")),
            ),
            note="The first CHILD SA shares the key exchange of its IKE SA.",
            clauses=("7296#1.3.1", "7296#2.12"),
        ),
    ),
    Row(
        "Next-generation ciphers",
        Side(
            (_look("AES-GCM asked for in phase 1", "ikev1/aes-gcm-in-phase-1", seen.refusal),),
            note="ESP that IKEv1 sets up can use AES-GCM; its own messages cannot.",
            clauses=("4106#8.1",),
        ),
        Side(
            (
                _look("AES-GCM and X25519", "ikev2/plain-tunnel", seen.suite),
                _look(
                    "ChaCha20-Poly1305", "ikev2/algorithm/chacha20poly1305-prfsha1-ecp384bp+aes128-sha256", seen.suite
                ),
                _look(
                    "ML-KEM besides X25519", "ikev2/additional-key-exchange/both", seen.key_exchange("IKE_INTERMEDIATE")
                ),
            ),
            clauses=("5282", "7634", "8031", "9370"),
        ),
    ),
)
