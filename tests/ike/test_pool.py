"""The pool of virtual addresses: stable, bounded, exhausted, handed on and freed."""

from ipaddress import ip_address

import pytest

from lab.ike.credentials import Identity
from lab.ike.pool import Pool, Span

A, B, C = (Identity.parse(f"{name}.example.org") for name in "abc")
assert A is not None and B is not None and C is not None


def pool(text: str, limit: int = 4096) -> Pool:
    return Pool(Span.parse(text), limit)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("10.3.0.0/24", "10.3.0.1", "10.3.0.254"),
        ("10.3.0.7/32", "10.3.0.7", "10.3.0.7"),
        ("10.3.0.4-10.3.0.9", "10.3.0.4", "10.3.0.9"),
        ("2001:db8::/64", "2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff"),
        ("255.255.255.255/32", "255.255.255.255", "255.255.255.255"),
    ],
)
def test_span(text: str, first: str, last: str) -> None:
    assert Span.parse(text) == Span(ip_address(first), ip_address(last))


@pytest.mark.parametrize("text", ["10.3.0.9-10.3.0.4", "10.3.0.1-::1", "10.3.0.0/33", "", "x"])
def test_no_span(text: str) -> None:
    with pytest.raises(ValueError):
        Span.parse(text)


def test_a_pool_of_one_is_exhausted_until_its_holder_ends() -> None:
    p = pool("255.255.255.255/32")
    assert p.lease(A, 1) == ip_address("255.255.255.255")
    assert p.lease(B, 2) is None
    p.release(1)
    assert p.lease(B, 2) == ip_address("255.255.255.255")
    assert p.lease(A, 3) is None


def test_an_identity_gets_its_address_back_and_a_second_sa_another() -> None:
    p = pool("10.3.0.0/29")
    first, other = p.lease(A, 1), p.lease(B, 2)
    second = p.lease(A, 3)
    assert len({first, other, second}) == 3
    assert p.lease(A, 1) == first, "asking twice is one lease"
    p.release(2)
    assert p.lease(C, 4) != other, "a fresh address goes before one that is remembered"
    assert p.lease(B, 5) == other


def test_a_rekeyed_sa_keeps_its_lease() -> None:
    p = pool("10.3.0.7/32")
    address = p.lease(A, "old")
    p.hand_on("old", "new")
    p.release("old")
    assert p.lease(B, "else") is None
    assert p.lease(A, "new") == address
    p.release("new")
    assert p.lease(B, "else") == address


def test_what_is_asked_for_is_given_where_it_is_free() -> None:
    p = pool("10.3.0.0/24")
    asked = ip_address("10.3.0.77")
    assert p.lease(A, 1, asked) == asked
    assert p.lease(B, 2, asked) == ip_address("10.3.0.1")
    assert p.lease(C, 3, ip_address("10.9.9.9")) == ip_address("10.3.0.2")


def test_a_large_span_remembers_no_more_than_its_limit() -> None:
    p = pool("2001:db8::/64", limit=2)
    assert A is not None
    for number in range(9):
        identity = Identity(A.id_type, b"%d.example.org" % number)
        assert p.lease(identity, number, ip_address(f"2001:db8::{number + 100}")) is not None
        p.release(number)
    assert len(p.owners) == 2
    assert p.lease(A, "x") and p.lease(B, "y") and p.lease(C, "z") is None
