import pytest

from lab.report import words


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, ""), (0.0, "0 s"), (0.0421, "42.1 ms"), (0.0995, "0.10 s"), (1.0, "1.00 s"), (9.994, "9.99 s"),
        (9.996, "10.0 s"), (99.94, "99.9 s"), (99.96, "1 min 40 s"), (165.0, "2 min 45 s"), (3599.9, "1 h 00 min"),
        (3725, "1 h 02 min"),
    ],
)  # fmt: skip
def test_durations_read_well_at_every_size(value: float | None, said: str) -> None:
    assert words.seconds(value) == said


def test_sizes() -> None:
    assert [words.octets(size) for size in (0, 999, 1000, 1_450_000)] == ["0 B", "999 B", "1.0 kB", "1.4 MB"]


@pytest.mark.parametrize(
    ("key", "said", "address"),
    [
        ("rfc7296:2.8", "RFC 7296, 2.8", "https://www.rfc-editor.org/rfc/rfc7296#section-2.8"),
        ("RFC 3948", "RFC 3948", "https://www.rfc-editor.org/rfc/rfc3948"),
        ("rfc7296:section-1.2.1", "RFC 7296, 1.2.1", "https://www.rfc-editor.org/rfc/rfc7296#section-1.2.1"),
        ("rfc7296#C.1", "RFC 7296, C.1", "https://www.rfc-editor.org/rfc/rfc7296#appendix-C.1"),
        ("7296#2.23", "RFC 7296, 2.23", "https://www.rfc-editor.org/rfc/rfc7296#section-2.23"),
        ("house rule 7", "house rule 7", ""),
        ("rfc7296:2.8\" onclick=", "rfc7296:2.8\" onclick=", ""),
    ],
)  # fmt: skip
def test_clauses_are_named_and_found(key: str, said: str, address: str) -> None:
    assert (words.clause(key), words.clause_address(key)) == (said, address)


def test_clauses_are_in_the_order_of_their_numbers() -> None:
    keys = ["rfc7296:2.10", "rfc9370:1", "rfc7296:2.9", "rfc3948:2.2", "house rule", "rfc7296:2.9.1", "rfc10000:1"]
    assert sorted(keys, key=words.clause_order) == [
        "rfc3948:2.2", "rfc7296:2.9", "rfc7296:2.9.1", "rfc7296:2.10", "rfc9370:1", "rfc10000:1", "house rule",
    ]  # fmt: skip


def test_any_json_value_is_one_line() -> None:
    value = {"encr_key_length": 256, "esn": False, "ke": None, "ts": ["10.1.0.0/24", "10.2.0.0/24"]}
    assert words.plain(value) == "encr key length 256; esn no; ke none; ts 10.1.0.0/24, 10.2.0.0/24"


def test_a_pairing_has_an_arrow() -> None:
    assert words.pairing("ours>strongswan") == "ours \u2192 strongswan"
    assert words.pairing("alone") == "alone"
