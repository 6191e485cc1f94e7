"""Values in English: American usage; and British, with "and" inside numbers and "double" for digits.

What is said the British way: numbers, ordinals, amounts, percentages and telephone numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sipcc.ivr.say.values import (
    PAUSE,
    read_date,
    read_decimal,
    read_digits,
    read_duration,
    read_integer,
    read_money,
    read_time,
    split_phone,
)

MONTHS: Final = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)

_SCALES: Final = ((10**9, "billion"), (10**6, "million"), (10**3, "thousand"), (100, "hundred"))
_LARGE: Final = frozenset({"thousand", "million", "billion"})
_KEYS: Final = {"*": "star", "#": "hash", "+": "plus"}
_CURRENCIES: Final = {"USD": ("dollar", "dollars", "cent", "cents"), "CNY": ("yuan", "yuan", "fen", "fen")}
BELOW_100: Final = [*range(20), *range(20, 100, 10)]
"""The numbers that have one word: those of `CARDINALS`, and but for 0 of `ORDINALS`."""


def _ordinal_name(n: int) -> str:
    """``1st``, ``12th``, ``20th`` for a number that has one word."""
    return f"{n}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(n, 'th') }"


CARDINALS: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
    "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"
)  # fmt: skip
ORDINALS: Final = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
    "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth",
    "eighteenth", "nineteenth", "twentieth", "thirtieth", "fortieth", "fiftieth", "sixtieth", "seventieth",
    "eightieth", "ninetieth"
)  # fmt: skip

TEXTS: Final[Mapping[str, str]] = {
    **{str(n): word for n, word in zip(BELOW_100, CARDINALS, strict=True)},
    **{_ordinal_name(n): word for n, word in zip(BELOW_100[1:], ORDINALS, strict=True)},
    **{month: month.capitalize() for month in MONTHS},
    "am": "a.m.",
    "pm": "p.m.",
}
"""The words of fragments whose names are not their words already."""

FRAGMENTS: Final = frozenset(
    f"say/{name}"
    for name in [
        *(str(n) for n in BELOW_100),
        *(_ordinal_name(n) for n in BELOW_100 if n),
        *(name + suffix for _, name in _SCALES for suffix in ("", "th")),
        *MONTHS,
        *_KEYS.values(),
        *(name for names in _CURRENCIES.values() for name in names),
        *("minus", "point", "percent", "and", "oh", "am", "pm", "double", "triple"),
        *("hour", "hours", "minute", "minutes", "second", "seconds"),
    ]
)
"""Every fragment that can come out."""


def _cardinal(n: int) -> list[str]:
    """The words of a number from 0."""
    if n < 20:
        return [str(n)]
    if n < 100:
        return [str(n - n % 10), *([str(n % 10)] if n % 10 else [])]
    size, name = next(scale for scale in _SCALES if n >= scale[0])
    return [*_cardinal(n // size), name, *(_cardinal(n % size) if n % size else [])]


def _with_and(words: list[str]) -> list[str]:
    """The British way: an "and" before what is less than a hundred, if anything larger stands before it."""
    said: list[str] = []
    for at, word in enumerate(words):
        small = word.rstrip("stndrh").isdigit()
        after = words[at - 1] if at else ""
        if small and (after == "hundred" or (after in _LARGE and not _hundreds_follow(words, at))):
            said.append("and")
        said.append(word)
    return said


def _hundreds_follow(words: list[str], at: int) -> bool:
    """Whether the group that begins at `at` has hundreds: one thousand two hundred and five."""
    for word in words[at:]:
        if word.startswith("hundred"):
            return True
        if word in _LARGE or not word.rstrip("stndrh").isdigit():
            return False
    return False


def _names(words: list[str]) -> list[str]:
    return [word if word == PAUSE else f"say/{word}" for word in words]


def _decimal(value: object) -> list[str]:
    number = read_decimal(value)
    whole, _, fraction = format(abs(number), "f").partition(".")
    words = ["minus"] if number < 0 else []
    words += _cardinal(int(whole))
    return [*words, "point", *fraction] if fraction else words


def joined(words: list[str]) -> str:
    """The words of fragments as a text."""
    text = " ".join("," if word == PAUSE else TEXTS.get(word, word) for word in words)
    return text.replace(" ,", ",")


def number(value: object) -> list[str]:
    """``-21.5`` is "minus twenty one point five"."""
    return _names(_decimal(value))


def ordinal(value: object) -> list[str]:
    """``21`` is "twenty first"."""
    words = _cardinal(read_integer(value, least=1))
    last = words.pop()
    return _names([*words, _ordinal_name(int(last)) if last.isdigit() else f"{last}th"])


def digits(value: object) -> list[str]:
    """Key by key."""
    return _names([_KEYS.get(key, key) for key in read_digits(value)])


def phone(value: object) -> list[str]:
    """In groups of 3-3-4 with a pause between; after a ``+`` the country code stands alone."""
    text = read_digits(value)
    country = ""
    if text.startswith("+"):
        size = 2 if text.startswith("+1") else 3
        country, text = text[:size], text[size:]
    groups = ([country] if country else []) + (
        split_phone(text, first=(3, 3, 4)) if len(text) > 6 else [text]
    )
    words: list[str] = []
    for group in groups:
        words += [PAUSE] if words else []
        words += [_KEYS.get(key, key) for key in group]
    return _names(words)


def _year(year: int) -> list[str]:
    """``2005`` two thousand five, ``2025`` twenty twenty five, ``1905`` nineteen oh five."""
    high, low = divmod(year, 100)
    if year < 1000 or year % 1000 < 10:
        return _cardinal(year)
    if low == 0:
        return [*_cardinal(high), "hundred"]
    return [*_cardinal(high), *(["oh"] if low < 10 else []), *_cardinal(low)]


def date(value: object) -> list[str]:
    """``2025-03-02`` is "March second, twenty twenty five"."""
    day = read_date(value)
    return [*_names([MONTHS[day.month - 1]]), *ordinal(day.day), *_names(_year(day.year))]


def time(value: object) -> list[str]:
    """``15:05`` is "three oh five pm"."""
    at = read_time(value)
    words = _cardinal(at.hour % 12 or 12)
    if at.minute:
        words += [*(["oh"] if at.minute < 10 else []), *_cardinal(at.minute)]
    return _names([*words, "am" if at.hour < 12 else "pm"])


def money(value: object) -> list[str]:
    """``12.05`` is "twelve dollars and five cents"."""
    amount = read_money(value, default="USD")
    one, many, one_part, many_parts = _CURRENCIES[amount.currency]
    words = []
    if amount.units or not amount.hundredths:
        words += [*_cardinal(amount.units), one if amount.units == 1 else many]
    if amount.hundredths:
        words += ["and"] if words else []
        words += [*_cardinal(amount.hundredths), one_part if amount.hundredths == 1 else many_parts]
    return _names((["minus"] if amount.negative else []) + words)


def duration(value: object) -> list[str]:
    """``3900`` is "one hour five minutes"."""
    words: list[str] = []
    for count, unit in zip(read_duration(value), ("hour", "minute", "second"), strict=True):
        if count:
            words += [*_cardinal(count), unit if count == 1 else f"{unit}s"]
    return _names(words or ["0", "seconds"])


def percent(value: object) -> list[str]:
    """``3.5`` is "three point five percent"."""
    return _names([*_decimal(value), "percent"])


KINDS: Final[Mapping[str, Callable[[object], list[str]]]] = {
    "number": number,
    "ordinal": ordinal,
    "digits": digits,
    "phone": phone,
    "date": date,
    "time": time,
    "money": money,
    "duration": duration,
    "percent": percent,
}
"""What can be said, by kind."""


def _british(speaker: Callable[[object], list[str]]) -> Callable[[object], list[str]]:
    def said(value: object) -> list[str]:
        return _names(_with_and([name.removeprefix("say/") for name in speaker(value)]))

    return said


def british_phone(value: object) -> list[str]:
    """The same groups; two or three of a digit in a group are "double" and "triple"."""
    words: list[str] = []
    for group in "\0".join(phone(value)).split(f"\0{PAUSE}\0"):
        words += [PAUSE] if words else []
        keys = [name.removeprefix("say/") for name in group.split("\0")]
        at = 0
        while at < len(keys):
            run = next((n for n in (3, 2) if keys[at].isdigit() and keys[at : at + n] == [keys[at]] * n), 1)
            words += [*({2: ["double"], 3: ["triple"]}.get(run, [])), keys[at]]
            at += run
    return _names(words)


BRITISH: Final[Mapping[str, Callable[[object], list[str]]]] = {
    **KINDS,
    **{kind: _british(KINDS[kind]) for kind in ("number", "ordinal", "money", "percent")},
    "phone": british_phone,
}
"""The same for callers whose English is British."""

BRITISH_REGIONS: Final = frozenset({"gb", "uk", "au", "nz", "ie", "in", "za"})
"""The regions in which it is."""
