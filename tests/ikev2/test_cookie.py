"""Cookies: who may use them, and for how long."""

from lab.ikev2.cookie import CookieJar
from tests.pair import seeded

NONCE, SPI = bytes(32), b"abcdefgh"


def jar() -> CookieJar:
    return CookieJar(seeded("jar"), 60.0)


def test_a_cookie_names_its_secret_and_is_the_same_each_time() -> None:
    one = jar()
    cookie = one.make(NONCE, "192.0.2.1", SPI, now=0.0)
    assert len(cookie) == 33
    assert cookie[0] == 1
    assert cookie == one.make(NONCE, "192.0.2.1", SPI, now=59.0)


def test_a_cookie_belongs_to_nonce_address_and_spi() -> None:
    one = jar()
    cookie = one.make(NONCE, "192.0.2.1", SPI, now=0.0)
    assert one.valid(cookie, NONCE, "192.0.2.1", SPI, now=0.0)
    assert not one.valid(cookie, NONCE[:-1] + b"x", "192.0.2.1", SPI, now=0.0)
    assert not one.valid(cookie, NONCE, "192.0.2.2", SPI, now=0.0)
    assert not one.valid(cookie, NONCE, "2001:db8::1", SPI, now=0.0)
    assert not one.valid(cookie, NONCE, "192.0.2.1", b"abcdefgi", now=0.0)
    assert not one.valid(cookie[:-1], NONCE, "192.0.2.1", SPI, now=0.0)
    assert not one.valid(b"", NONCE, "192.0.2.1", SPI, now=0.0)
    assert not jar_of_another().valid(cookie, NONCE, "192.0.2.1", SPI, now=0.0)


def jar_of_another() -> CookieJar:
    return CookieJar(seeded("another"), 60.0)


def test_a_cookie_outlives_one_change_of_secrets_but_not_two() -> None:
    one = jar()
    cookie = one.make(NONCE, "192.0.2.1", SPI, now=0.0)
    assert one.valid(cookie, NONCE, "192.0.2.1", SPI, now=61.0)
    assert one.make(NONCE, "192.0.2.1", SPI, now=61.0)[0] == 2
    assert one.valid(cookie, NONCE, "192.0.2.1", SPI, now=119.0)
    assert not one.valid(cookie, NONCE, "192.0.2.1", SPI, now=122.0)


def test_after_a_long_silence_no_old_secret_counts() -> None:
    one = jar()
    cookie = one.make(NONCE, "192.0.2.1", SPI, now=0.0)
    assert not one.valid(cookie, NONCE, "192.0.2.1", SPI, now=121.0)


def test_versions_wrap_around_and_only_two_secrets_are_kept() -> None:
    one = jar()
    for n in range(600):
        assert one.make(NONCE, "192.0.2.1", SPI, now=61.0 * n)[0] == (n + 1) % 256
        assert len(one._secrets) <= 2
