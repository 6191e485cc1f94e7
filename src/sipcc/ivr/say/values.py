"""Reading the values that are to be said, the same for each language."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

PAUSE: Final = "silence:200"
"""Between groups of digits, in ms; the catalogue plays it as silence, not from a file."""

LIMIT: Final = 10**12
"""Numbers below this can be said; above, they are read digit by digit by whoever asks for it."""

_DECIMAL = re.compile(r"[-+]?[0-9]{1,12}(?:\.[0-9]{1,12})?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_TIME = re.compile(r"[0-9]{2}:[0-9]{2}(?::[0-9]{2})?", re.ASCII)
_SEPARATORS = str.maketrans("", "", " -()./")


class Money(NamedTuple):
    """An amount in whole units and hundredths; `negative` applies to both."""

    negative: bool
    units: int
    hundredths: int
    currency: str


def read_decimal(value: object) -> Decimal:
    """`value` as a Decimal without trailing zeros after the point.

    Raises:
        ValueError: it is no number, not finite, or too large to be said.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise ValueError(f"{value!r} is not a number")
    text = value.strip() if isinstance(value, str) else format(Decimal(str(value)), "f")
    if not _DECIMAL.fullmatch(text):
        raise ValueError(f"{value!r} is not a number that can be said")
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    return Decimal(f"{whole}.{fraction}" if fraction else whole)


def read_integer(value: object, *, least: int = -LIMIT + 1) -> int:
    """`value` as an int of at least `least`.

    Raises:
        ValueError: it is no whole number, or out of range.
    """
    number = read_decimal(value)
    if number != number.to_integral_value():
        raise ValueError(f"{value!r} is not a whole number")
    if number < least:
        raise ValueError(f"{value!r} is less than {least}")
    return int(number)


def read_digits(value: object) -> str:
    """`value` as a text of ``0-9 * # +`` without separators.

    Raises:
        ValueError: something else is in it, or nothing at all.
    """
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str):
        raise ValueError(f"{value!r} is not a text of digits")
    text = text.translate(_SEPARATORS)
    if not re.fullmatch(r"[0-9*#+]+", text, re.ASCII):
        raise ValueError(f"{value!r} is not a text of digits")
    return text


def read_date(value: object) -> date:
    """`value` as a date; ValueError when it is none."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, str) and _DATE.fullmatch(value):
        return date.fromisoformat(value)
    raise ValueError(f"{value!r} is not a date like 2025-03-02")


def read_time(value: object) -> time:
    """`value` as a time of day; ValueError when it is none."""
    if isinstance(value, datetime):
        return value.time()
    if isinstance(value, time):
        return value
    if isinstance(value, str) and _TIME.fullmatch(value):
        return time.fromisoformat(value)
    raise ValueError(f"{value!r} is not a time like 15:05")


def read_money(value: object, *, default: str) -> Money:
    """`value` as an amount; without a currency it is in `default`.

    Raises:
        ValueError: no amount, more than two decimals, or a currency other than CNY and USD.
    """
    currency = default
    if isinstance(value, str) and " " in value.strip():
        value, currency = value.strip().rsplit(" ", 1)
        currency = currency.upper()
    if currency not in {"CNY", "USD"}:
        raise ValueError(f"unknown currency {currency!r}; known: CNY, USD")
    amount = read_decimal(value) * 100
    if amount != amount.to_integral_value():
        raise ValueError(f"{value!r} has more than two decimals")
    units, hundredths = divmod(abs(int(amount)), 100)
    return Money(amount < 0, units, hundredths, currency)


def read_duration(value: object) -> tuple[int, int, int]:
    """`value` as (hours, minutes, seconds); ValueError when it is negative or no duration."""
    if isinstance(value, timedelta):
        value = value.days * 86400 + value.seconds
    seconds = read_integer(int(value) if isinstance(value, float) else value, least=0)
    return seconds // 3600, seconds // 60 % 60, seconds % 60


def split_phone(text: str, *, first: tuple[int, ...]) -> list[str]:
    """Cut `text` into groups as long as `first` says; what is over makes a last group."""
    groups = []
    for size in first:
        if text[:size]:
            groups.append(text[:size])
        text = text[size:]
    return [*groups, text] if text else groups
