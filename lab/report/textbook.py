"""The claims of the textbook page about IPsec and IKE, what is true of each, and the scenarios that prove it.

Rules of this file: data only; whether a claim stands is the judgement of its refinement, whether that is proven is for
the run to say. `missing` names what no scenario shows yet.
"""

from dataclasses import dataclass

from lab.report.proof import Proof

STANDS, LOOSE, WRONG = "stands", "is loose", "is partly wrong"


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim: a topic, what the page says, its judgement and refinement with clauses, and its proofs."""

    number: int
    topic: str
    said: str
    judgement: str
    truth: str
    clauses: tuple[str, ...]
    proofs: tuple[Proof, ...]
    missing: str = ""


CLAIMS = (
    Claim(
        1,
        "Roles and layers",
        "IKE sets up security associations from the application layer, over UDP; IPsec protects packets at layer 3.",
        WRONG,
        "The sentence is right, but the row “primary role” of the page has its two columns exchanged: "
        "setting up SAs is the role of IKE, protecting packets that of IPsec.",
        ("7296#1", "4301#4.1"),
        (
            Proof("IKEv2 over UDP, then ESP in IP", "ikev2/plain-tunnel"),
            Proof("IKEv1 over UDP, then ESP in IP", "ikev1/main-mode"),
            Proof("IKEv2 over UDP, then AH in IP", "esp/ah-tunnel/"),
        ),
    ),
    Claim(
        2,
        "Versions and protocols",
        "IKE comes as IKEv1 or IKEv2, IPsec as AH or ESP.",
        STANDS,
        "Any of the four combinations can be negotiated; IKEv1 is deprecated.",
        ("9395", "4301#3.1"),
        (
            Proof("IKEv1", "ikev1/main-mode"),
            Proof("IKEv2", "ikev2/plain-tunnel"),
            Proof("ESP on the kernel's data plane", "esp/kernel-esp/"),
            Proof("AH", "esp/ah-tunnel/"),
            Proof("AH, negotiated by IKEv1", "esp/ah-by-ikev1"),
        ),
    ),
    Claim(
        3,
        "The documents",
        "IKEv1 is RFC 2409, IKEv2 is RFC 7296, and ISAKMP, once ISAKMP/Oakley, is RFC 2408.",
        LOOSE,
        "IKEv1 needs all of RFC 2407, 2408 and 2409; IKEv2 replaced the three of them by one document and only keeps "
        "the shape of the header. tshark reads the messages of these runs beside our own decoder.",
        ("7296#1", "2408#3.1"),
        (
            Proof("Messages of IKEv1", "ikev1/messages-until-the-first-packet/main-mode"),
            Proof("Messages of IKEv2", "ikev1/messages-until-the-first-packet/ikev2"),
        ),
    ),
    Claim(
        4,
        "Messages to establish",
        "IKEv2 needs 4 messages, IKEv1 needs 6.",
        LOOSE,
        "The 4 of IKEv2 include the first CHILD SA. The 6 of Main Mode do not: 3 of Quick Mode follow before a packet "
        "can go. Aggressive Mode needs 3 in place of the 6.",
        ("7296#1.2", "2409#5"),
        (Proof("Counted until the first ESP packet", "ikev1/messages-until-the-first-packet/"),),
    ),
    Claim(
        5,
        "EAP",
        "IKEv2 has EAP, for 2 messages more; IKEv1 has none.",
        WRONG,
        "How many more depends on the method, and every round of it is two messages; after the last one both sides "
        "send AUTH. The shortest method that proves anything costs 4 more, an identity round another 2.",
        ("7296#2.16",),
        (
            Proof("Methods with one round and with two", "ikev2/eap/"),
            Proof("EAP-TLS", "ikev2/eap-tls/"),
            Proof("EAP-TTLS", "ikev2/eap-ttls/"),
            Proof("EAP-PEAP", "ikev2/eap-peap/"),
            Proof("XAUTH, in its place in IKEv1", "ikev1/xauth/"),
        ),
    ),
    Claim(
        6,
        "Further SAs",
        "A further SA costs 2 messages in IKEv2 and 3 in IKEv1.",
        STANDS,
        "CREATE_CHILD_SA is one request and one response, Quick Mode has 3 messages. Where the new SA replaces "
        "another, deleting that one is an exchange of its own.",
        ("7296#1.3", "2409#5.5"),
        (
            Proof("A CHILD SA of its own exchange", "ikev2/childless"),
            Proof("A CHILD SA rekeyed", "ikev2/rekey-child-sa/"),
            Proof("Another Quick Mode", "ikev1/rekey-child/"),
        ),
    ),
    Claim(
        7,
        "Ports and NAT traversal",
        "Both run over UDP 500 and 4500 and get through a NAT.",
        STANDS,
        "Both move to 4500 only when they find a NAT, IKEv2 after IKE_SA_INIT and IKEv1 with message 5 of Main Mode; "
        "ESP then travels in UDP too. For IKEv1 this is an extension that came later.",
        ("7296#2.23", "3947#4", "3948#2"),
        (
            Proof("IKEv2 behind one NAT", "nat/before-initiator"),
            Proof("IKEv2 behind two", "nat/both-sides"),
            Proof("IKEv2 keepalives", "nat/keepalive"),
            Proof("IKEv1 behind NATs", "ikev1/nat/"),
            Proof("IKEv1 keepalives", "ikev1/keepalive"),
        ),
    ),
    Claim(
        8,
        "Retransmission and acknowledgement",
        "Both send again what is lost and acknowledge what arrives.",
        WRONG,
        "IKEv2 answers every request, and only the requester repeats. IKEv1 has no acknowledgement in general: "
        "whoever waits repeats its last message, and an Informational message may be lost for good.",
        ("7296#2.1", "2408#5.1", "2409#5.7"),
        (
            Proof("IKEv2: a request is lost", "faults/first-ike-sa-init-request-lost"),
            Proof("IKEv2: a response is lost", "faults/ike-auth-response-lost"),
            Proof("IKEv2: a Delete is answered", "ikev2/delete-ike-sa/"),
            Proof("IKEv1: each message is lost once", "ikev1/message-lost-once/"),
            Proof("IKEv1: a Delete is not answered", "ikev1/delete/"),
        ),
    ),
    Claim(
        9,
        "Identities, DoS and PFS",
        "Both protect identities, resist denial of service and have perfect forward secrecy.",
        WRONG,
        "Main Mode and IKEv2 hide identities from whoever only listens, Aggressive Mode shows both. Who answers in the "
        "responder's place with keys of its own learns the initiator's identity in IKEv2, and none in Main Mode with a "
        "pre-shared key. IKEv2's COOKIE lets a responder wait without state; the cookies of IKEv1 are its SPIs and do "
        "not: under a flood it answers each stranger in full and keeps an SA for it, up to a limit at which honest "
        "peers are turned away too. PFS needs a key exchange for the new SA, in either version.",
        ("2409#5", "7296#5", "7296#2.6", "7296#1.3.1"),
        (
            Proof("Identities in the capture", "ikev1/identity-protection/"),
            Proof("Identities in the hands of an active attacker", "ikev1/active-attacker/"),
            Proof("IKEv2: COOKIE", "ikev2/cookie"),
            Proof("A flood from spoofed addresses, against either version", "ikev1/flood/"),
            Proof("IKEv1: secrets of phase 1 tried on ESP", "ikev1/perfect-forward-secrecy/"),
            Proof("IKEv2: a rekeying with KE", "ikev2/rekey-child-sa/"),
        ),
    ),
    Claim(
        10,
        "Next-generation ciphers",
        "IKEv2 has next-generation ciphers, IKEv1 has not.",
        LOOSE,
        "For the messages of IKE themselves it is so. ESP that IKEv1 sets up can use AES-GCM, which has numbers there.",
        ("5282", "4106#8.1", "9370"),
        (
            Proof("AEAD, ChaCha20-Poly1305, X25519, X448 in IKEv2", "ikev2/algorithm/"),
            Proof("ML-KEM in IKEv2", "ikev2/additional-key-exchange/"),
            Proof("AES-GCM asked for in IKEv1", "ikev1/aes-gcm-in-phase-1"),
        ),
    ),
    Claim(
        11,
        "ESP against AH",
        "ESP is best practice and gives encryption, integrity and authentication; AH may be left out and gives no "
        "encryption.",
        LOOSE,
        "ESP must be implemented and AH may be. ESP without encryption (NULL, AES-GMAC) is ESP too, and encryption "
        "without integrity is to be avoided.",
        ("4301#3.2", "4303#3.2", "2410"),
        (
            Proof("ESP: nothing of the ping is readable", "ikev2/plain-tunnel"),
            Proof("ESP without encryption", "esp/kernel-esp/gmac"),
            Proof("AH: the ping is readable, its ICV right", "esp/ah-tunnel/"),
        ),
    ),
    Claim(
        12,
        "What the ICV covers",
        "The hash of ESP leaves out the new IP header, that of AH covers the whole packet.",
        LOOSE,
        "“Whole” has exceptions: fields that routers change count as zero in AH (in IPv4 TOS, flags, fragment "
        "offset, TTL and header checksum). The addresses are covered, so AH dies in a NAT.",
        ("4303#3.3.2", "4302#3.3.3.1", "3715#2.1"),
        (
            Proof("Every octet changed in flight", "esp/coverage/"),
            Proof("AH in a NAT", "esp/ah-in-a-nat"),
            Proof("AH refused behind a NAT", "esp/ah-behind-nat"),
        ),
    ),
    Claim(
        13,
        "Layouts",
        "Transport: IP header, ESP header, payload, trailer, authentication. Tunnel: new IP header, ESP header, IP "
        "header, payload, trailer, authentication.",
        STANDS,
        "The pages of these scenarios draw the parts from a captured packet. Trailer and payload are encrypted, the "
        "ESP header is not.",
        ("4303#3.1.1", "4303#3.1.2"),
        (
            Proof("ESP in transport mode", "esp/coverage/ESP-transport"),
            Proof("ESP in tunnel mode", "esp/coverage/ESP-tunnel"),
            Proof("AH in both", "esp/coverage/"),
        ),
    ),
    Claim(
        14,
        "When transport mode fits",
        "Transport mode works only where the new IP header and the inner one would be the same.",
        LOOSE,
        "It is for traffic between the two ends of the SA themselves, be they hosts or gateways; for networks behind "
        "them it is refused. Through a NAT the addresses differ and it works all the same.",
        ("4301#4.1", "7296#1.3.1", "7296#2.23.1"),
        (
            Proof("Host to host", "esp/transport"),
            Proof("For networks: refused", "esp/transport-for-networks"),
            Proof("Through a NAT", "esp/transport-behind-nat"),
        ),
    ),
    Claim(
        15,
        "What ESP authentication is",
        "ESP authentication is an HMAC from the ESP header to the ESP trailer.",
        LOOSE,
        "The extent is right. An HMAC it is only with HMAC algorithms: AES-GCM, AES-CCM and ChaCha20-Poly1305 bring "
        "a tag of their own, AES-XCBC, AES-CMAC and AES-GMAC are no HMACs either.",
        ("4303#2.8", "4106#6", "7634#2"),
        (
            Proof("HMAC-SHA2-256", "esp/kernel-esp/aes-cbc-sha2-256"),
            Proof("AES-GCM", "esp/kernel-esp/aes-gcm"),
            Proof("ChaCha20-Poly1305", "esp/kernel-esp/chacha20-poly1305"),
            Proof("AES-XCBC", "esp/kernel-esp/aes-ctr-xcbc"),
            Proof("The extent, octet by octet", "esp/coverage/ESP-tunnel"),
        ),
    ),
    Claim(
        16,
        "Multicast",
        "IPsec carries neither multicast nor broadcast, so OSPF cannot build a tunnel on it.",
        LOOSE,
        "With selectors for two networks a hello to 224.0.0.5 matches none and does not cross. With selectors for all "
        "packets it does cross, as the inner packet of a tunnel, and OSPF becomes FULL where both ends also have a "
        "common network; but such a gateway drops what its own hosts send in the clear. Over XFRM interfaces "
        "(route-based), where routing decides and not the selectors, OSPF becomes FULL and hosts reach each other, "
        "without GRE. SAs may even have a group as their destination, which IKE does not negotiate.",
        ("4301#4.1", "4301#4.4.1", "5374", "2328#A.1"),
        (
            Proof("Hellos do not cross a tunnel between two networks", "routing/no-adjacency-without-gre"),
            Proof("They do where the selectors take every packet", "routing/selectors-that-take-a-group"),
            Proof("OSPF over XFRM interfaces, without GRE", "routing/xfrm-interfaces"),
        ),
    ),
    Claim(
        17,
        "GRE over IPsec",
        "GRE carries multicast but does not encrypt; GRE over IPsec does both: new IP header, IPsec header, IP header, "
        "GRE header, IP packet, all behind the IPsec header encrypted.",
        LOOSE,
        "That is the layout of tunnel mode. In transport mode, which is enough between the two gateways, the IP header "
        "before GRE is not there a second time.",
        ("2784#2", "4303#3.1"),
        (
            Proof("OSPF over GRE in ESP, both layouts", "routing/gre-over-esp/"),
            Proof("Options of the GRE header", "routing/gre-options/"),
        ),
        "GRE without IPsec.",
    ),
)
