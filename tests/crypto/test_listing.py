"""The registry as the command line shows it."""

from lab.crypto import registry
from lab.crypto.listing import algorithms


def test_every_keyword_but_the_additional_exchanges() -> None:
    listed = {str(row["keyword"]) for row in algorithms()}
    assert listed == {word for word in registry.KEYWORDS if not word.startswith("ke")}


def test_rows() -> None:
    rows = {row["keyword"]: row for row in algorithms()}
    assert rows["aes256gcm16"] == {
        "type": "ENCR", "keyword": "aes256gcm16", "name": "ENCR_AES_GCM_16", "key_length": 256,
        "protocols": ["IKE", "ESP"], "default": ["IKE", "ESP"], "tshark": ["IKE", "ESP"],
    }  # fmt: skip
    assert rows["null"]["protocols"] == ["ESP"] and rows["null"]["tshark"] == ["ESP"]
    assert rows["chacha20poly1305"]["tshark"] == [] and rows["chacha20poly1305"]["default"] == ["IKE", "ESP"]
    assert rows["aes128ccm8"]["tshark"] == ["IKE"] and rows["aes128ccm8"]["default"] == []
    assert rows["sha256"]["protocols"] == ["IKE", "ESP", "AH"]
    assert rows["prfsha256"]["protocols"] == ["IKE"]
    assert rows["esn"]["protocols"] == ["ESP", "AH"]
    assert rows["modp1024"]["default"] == []
