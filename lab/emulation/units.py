"""Quantities as people write them in YAML: `20ms`, `1.5%`, `10mbit`. Each pattern stands beside its reader.

All results are integers (nanoseconds, parts per million, bits per second): no rounding differs between two runs.
"""

from decimal import Decimal

DURATION = r"^[0-9]+(\.[0-9]+)?(us|ms|s)$"
PERCENT = r"^[0-9]+(\.[0-9]+)?%$"
RATE = r"^[0-9]+(\.[0-9]+)?(k|m|g)?bit$"

_DURATIONS = {"us": 10**3, "ms": 10**6, "s": 10**9}
_RATES = {"k": 10**3, "m": 10**6, "g": 10**9}


def nanoseconds(text: str) -> int:
    """`20ms` -> 20_000_000."""
    unit = text.lstrip("0123456789.")
    return int(Decimal(text.removesuffix(unit)) * _DURATIONS[unit])


def parts_per_million(text: str) -> int:
    """`1.5%` -> 15_000."""
    return int(Decimal(text.removesuffix("%")) * 10_000)


def bits_per_second(text: str) -> int:
    """`10mbit` -> 10_000_000."""
    number = text.removesuffix("bit")
    return int(Decimal(number.rstrip("kmg")) * _RATES.get(number[-1], 1))
