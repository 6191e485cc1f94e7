"""What the settings of a script may say of queues, telephones, programs and conferences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

MAX_SECONDS: Final = 7 * 86_400.0
"""The longest call."""

_Check: TypeAlias = Callable[[str, object], None]
"""Raises ValueError with what is valid; takes what the value is called, and the value."""


def check_setting(name: str, value: object) -> None:
    """Refuse what a made-up call cannot go by; lookups and calendars may have any name and value.

    Raises:
        ValueError: with what is wrong, and what is valid.
    """
    if name == "conference":
        _seconds("conference", value)
        return
    known = _TABLES.get(name)
    if known is None:
        return
    word, fields = known
    if isinstance(value, str):
        fields[word](f"{word} of {name}", value)
    elif not isinstance(value, Mapping):
        raise ValueError(f"{name} is an {word}, or a table with {', '.join(fields)}; not {value!r}")
    else:
        for field, one in value.items():
            if field not in fields:
                raise ValueError(f"{field!r} is nothing of {name}; it has {', '.join(fields)}")
            fields[field](f"{field} of {name}", one)


def _word(*words: str) -> _Check:
    def check(what: str, value: object) -> None:
        if value not in words:
            raise ValueError(f"{value!r} is no {what}; there are {', '.join(sorted(filter(None, words)))}")

    return check


def _number(low: int, high: int) -> _Check:
    def check(what: str, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"{_quoted(what)} is a number from {low} to {high}, not {value!r}")

    return check


def _seconds(what: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_SECONDS:
        raise ValueError(f"{_quoted(what)} is a number of seconds from 0 to {MAX_SECONDS:g}, not {value!r}")


def _text(what: str, value: object) -> None:
    if not isinstance(value, str):
        raise ValueError(f"{_quoted(what)} is a text, not {value!r}")


def _texts(what: str, value: object) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(one, str) for one in value.values()):
        raise ValueError(f"{_quoted(what)} is a table of texts, not {value!r}")


def _quoted(what: str) -> str:
    field, of, table = what.partition(" of ")
    return f"{field!r}{of}{table}" if of else what


_EXITS: Final = (
    "answered",
    "abandoned",
    "short_abandoned",
    "timed_out",
    "overflowed",
    "key_exit",
    "callback_booked",
    "no_agent",
    "full",
    "closed",
    "withdrawn",
    "failed",
)
_OUTCOMES: Final = (
    "answered",
    "busy",
    "noanswer",
    "network_busy",
    "failed",
    "far_end",
    "near_end",
    "max_time",
    "sent",
)

_TABLES: Final[Mapping[str, tuple[str, Mapping[str, _Check]]]] = {
    "queue": (
        "exit",
        {
            "exit": _word(*_EXITS),
            "wait": _seconds,
            "talk": _seconds,
            "agent": _text,
            "ended_by": _word("agent", "caller", ""),
            "to": _text,
            "position": _number(0, 1_000_000),
            "size": _number(0, 1_000_000),
        },
    ),
    "dial": (
        "outcome",
        {"outcome": _word(*_OUTCOMES), "ring": _seconds, "seconds": _seconds, "status": _number(100, 699)},
    ),
    "stream": (
        "ended_by",
        {
            "ended_by": _word("program", "lost", "unreachable"),
            "seconds": _seconds,
            "transcript": _text,
            "context": _texts,
            "to": _text,
        },
    ),
}
"""By the name: the field for which a word alone stands, and all fields."""
