"""Saying values: numbers, dates, money and the like as names of recorded fragments.

The same call works for each language; what differs (两 and 零, ordinals, the order of a date) is in the
module of the language. Nothing here plays anything: `sipcc.ivr.prompts` turns names into files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sipcc.ivr.say import en, zh
from sipcc.ivr.say.values import PAUSE

__all__ = ["LANGUAGES", "PAUSE", "base_language", "fragments", "kinds", "say", "say_text"]

_KINDS: Mapping[str, Mapping[str, Callable[[object], list[str]]]] = {"en": en.KINDS, "zh": zh.KINDS}

LANGUAGES = tuple(_KINDS)
"""The languages in which values can be said."""


def base_language(language: str) -> str:
    """The language without its region: ``zh`` for ``zh-CN`` and ``zh_CN``."""
    return language.replace("_", "-").partition("-")[0].lower()


def kinds(language: str = "en") -> tuple[str, ...]:
    """The kinds of values that `language` can say."""
    return tuple(_KINDS[base_language(language)])


def fragments(language: str) -> frozenset[str]:
    """Every fragment name that `say` can return for `language`; `PAUSE` is not one of them."""
    return {"en": en.FRAGMENTS, "zh": zh.FRAGMENTS}[base_language(language)]


def say(kind: str, value: object, language: str) -> list[str]:
    """The names of the fragments that say `value`.

    | kind | value |
    |---|---|
    | ``number`` | whole number or decimal, less than 10^12 either way |
    | ``ordinal`` | whole number from 1 |
    | ``digits`` | text of ``0-9 * # +``, one by one; spaces and dashes are skipped |
    | ``phone`` | the same, in the groups in which people say telephone numbers |
    | ``date`` | `datetime.date` or ``YYYY-MM-DD`` |
    | ``time`` | `datetime.time` or ``HH:MM``; seconds are not said |
    | ``money`` | amount with up to two decimals, or ``"12.50 USD"``; CNY and USD are known |
    | ``duration`` | seconds, or a `datetime.timedelta` |
    | ``percent`` | as a number: 50 is fifty percent |

    English has two ways: ``en-GB`` and the like say "one hundred and five", and "double eight" in telephone
    numbers; all other English is American.

    Numbers and amounts may come as int, float, Decimal or text.

    Raises:
        ValueError: the kind or the language is not known, or the value is none of that kind.
    """
    table = _KINDS.get(base_language(language))
    if table is en.KINDS and language.replace("_", "-").rpartition("-")[2].lower() in en.BRITISH_REGIONS:
        table = en.BRITISH
    if table is None:
        raise ValueError(f"values cannot be said in {language!r}; known languages: {', '.join(_KINDS)}")
    speaker = table.get(kind)
    if speaker is None:
        raise ValueError(f"unknown kind {kind!r}; known kinds: {', '.join(table)}")
    return speaker(value)


def say_text(kind: str, value: object, language: str) -> str:
    """The same as a text for a voice: ``一万两千零五``, ``twelve thousand five``.

    The words are those of the fragments, one for one; between groups of digits there is a comma.

    Raises:
        ValueError: as `say` does.
    """
    names = say(kind, value, language)
    joined = {"en": en.joined, "zh": zh.joined}[base_language(language)]
    return joined([name if name == PAUSE else name.removeprefix("say/") for name in names])
