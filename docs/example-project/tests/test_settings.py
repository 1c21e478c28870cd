"""An ordinary test of the product: no scenario, so ikelab leaves it alone."""

from pathlib import Path

GATEWAY = Path(__file__).parents[1] / "product/gateway.conf"


def test_no_weak_word_is_shipped():
    shipped = GATEWAY.read_text().split("proposals = ", 1)[1]
    assert not {"md5", "sha1", "3des", "modp1024"} & set(shipped.replace(",", "-").replace("\n", "-").split("-"))
