"""Our IKE with the kernel's ESP: the algorithms under the kernel's names, with the lengths of the RFCs."""

import pytest

from lab.matrix import ON_XFRM
from lab.plugin.tunnel import Tunnel

PROPOSALS = {
    "aes-gcm": "aes128gcm16",
    "aes-cbc-sha2-256": "aes256-sha256",
    "aes-cbc-sha2-512": "aes256-sha512",
    "chacha20-poly1305": "chacha20poly1305",
    "aes-gcm-12": "aes256gcm12",
    "aes-ccm": "aes192ccm8",
    "aes-ctr-xcbc": "aes128ctr-aesxcbc",
    "camellia-sha2-384": "camellia256-sha384",
    "3des-sha1": "3des-sha1",
    "null-cmac": "null-aescmac",
    "gmac": "aes256gmac",
}


@pytest.mark.rfc("4303#2", "4868#2.1.1")
@pytest.mark.needs("aes-gcm", "aes-cbc", "sha2-256", "sha2-512", "chacha20-poly1305")
@pytest.mark.pairings(*map(str, ON_XFRM))
@pytest.mark.parametrize("esp", [pytest.param(words, id=name) for name, words in PROPOSALS.items()])
def test_kernel_esp(lab, left, right, esp):
    """Packets that the kernel protects with keys from our IKE open with those keys, and the peer takes them."""
    lab.up("direct", Tunnel(esp=esp))
    lab.establish()
    lab.ping()
    lab.prove_protected()

    lab.step("counted", "both sides count the same packets")
    (ours,), (theirs,) = left.children(), right.children()
    sent, taken = ours["packets_out"], theirs["packets_in"]
    assert sent == taken > 0, f"{left} counts {sent} packets out, {right} {taken} in"
