"""Every algorithm of the registry in the IKE SA and in ESP: that packets open with the negotiated keys proves each."""

import pytest

from lab.matrix import IKEV2, ON_XFRM
from lab.plugin.algorithms import suites
from lab.plugin.tunnel import Tunnel
from lab.wire.ids import ProtocolId, TransformType

IKE, ESP = ProtocolId.IKE, ProtocolId.ESP
ENCR, INTEG, PRF, KE = TransformType.ENCR, TransformType.INTEG, TransformType.PRF, TransformType.KE
PARAMETERS = [pytest.param(suite, id=str(suite), marks=pytest.mark.needs(*suite.words)) for suite in suites()]
# The half of the number that is not sent is in the AAD of an AEAD, and behind the packet for a MAC of its own.
EXTENDED = {"aes-gcm": "aes256gcm16-esn", "aes-cbc-sha2-256": "aes128-sha256-esn"}


@pytest.mark.rfc("7296#3.3.2", "8247#2")
@pytest.mark.pairings(*map(str, IKEV2))
@pytest.mark.parametrize("suite", PARAMETERS)
def test_algorithm(lab, left, right, suite):
    """Both sides negotiate the suite, derive the same keys and exchange packets protected by it."""
    lab.up("direct", Tunnel(ike=suite.ike, esp=suite.esp))
    lab.establish()
    lab.ping()
    lab.prove_protected()

    lab.step("negotiated", f"IKE {suite.ike}, ESP {suite.esp}")

    def name(protocol, kind):
        transform = suite.transform(protocol, kind)
        return transform and transform.id.name

    for gateway in (left, right):
        (sa,) = gateway.established()
        (child,) = sa["children"]
        listed = (sa["encr"], sa["integ"], sa["prf"], sa["ke"])
        wanted = (name(IKE, ENCR), name(IKE, INTEG), name(IKE, PRF), name(IKE, KE))
        assert listed == wanted, f"{gateway} lists the IKE SA as {listed}, not {wanted}"
        listed, wanted = (child["encr"], child["integ"]), (name(ESP, ENCR), name(ESP, INTEG))
        assert listed == wanted, f"{gateway} lists the CHILD SA as {listed}, not {wanted}"
        # Where the key length is no attribute, peers differ in what they list.
        for protocol, view in ((IKE, sa), (ESP, child)):
            bits = suite.transform(protocol, ENCR).key_length
            assert bits in (None, view["encr_key_length"]), f"{gateway} lists {view['encr_key_length']}, not {bits}"


@pytest.mark.rfc("4303#2.2.1", "7296#3.3.2")
@pytest.mark.needs("esn")
@pytest.mark.pairings(*map(str, (*IKEV2, *ON_XFRM)))
@pytest.mark.parametrize("esp", [pytest.param(words, id=name) for name, words in EXTENDED.items()])
def test_extended_sequence_numbers(lab, left, right, esp):
    """Both sides negotiate 64-bit sequence numbers, and packets whose ICV covers the unsent half are taken."""
    lab.up("direct", Tunnel(esp=esp))
    lab.establish()
    lab.ping()
    lab.prove_protected()

    lab.step("extended", "both sides list ESN")
    for gateway in (left, right):
        (child,) = gateway.children()
        assert child["esn"], f"{gateway} lists the CHILD SA without ESN"
