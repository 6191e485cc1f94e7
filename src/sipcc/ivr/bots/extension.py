"""Our own messages on wires that have none of the kind: hand over, hang up, say, note, and what was heard.

A bot that speaks JSON may send ``{"event": "sipcc", "sipcc": {"type": ...}}``. From then on, and from the
start where the settings say so, it is also told how much the caller has heard when it clears. Others are sent
nothing that their platform's documentation does not have.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, Protocol

import msgspec

from sipcc.ivr.bots.words import (
    MAX_CONTEXT,
    MAX_TEXT,
    Cleared,
    Counts,
    FromBot,
    HandOver,
    HangUp,
    Note,
    Say,
    SendKeys,
)


class Extension(msgspec.Struct, frozen=True):
    """What stands under ``sipcc``."""

    type: Literal["hello", "note", "transfer", "queue", "hangup", "say", "keys"]
    to: str = ""
    """transfer: a destination, such as ``queue:sales`` or ``dial:1001``; empty for the next step."""
    queue: str = ""
    transcript: str = ""
    context: dict[str, str] = {}
    text: str = ""
    language: str = ""
    digits: str = ""
    now: bool = False


class Extended(Protocol):
    """The platform's side of a wire that takes our messages."""

    counts: Counts
    extended: bool


def other(wire: Extended, event: str, sent: Extension | None, known: Collection[str]) -> list[FromBot]:
    """What a bot wants by a message that is none of its wire's: one of ours, or nothing.

    Raises:
        ValueError: it is of a kind that is `known`, or ours, and lacks its content.
    """
    if event == "sipcc" and sent is not None:
        wire.extended = True
        return read(sent)
    if event == "sipcc" or event in known:
        raise ValueError("nothing is in it")
    wire.counts.unknown += 1
    return []


def read(extension: Extension) -> list[FromBot]:
    """What the bot wants by it."""
    words: list[FromBot] = []
    if extension.transcript or extension.context:
        context = dict(list(extension.context.items())[:MAX_CONTEXT])
        words.append(Note(extension.transcript[:MAX_TEXT], context))
    match extension.type:
        case "transfer":
            words.append(HandOver(extension.to, extension.now))
        case "queue":
            words.append(HandOver(f"queue:{extension.queue}", extension.now))
        case "hangup":
            words.append(HangUp())
        case "say" if extension.text:
            words.append(Say(extension.text[:MAX_TEXT], extension.language))
        case "keys" if extension.digits:
            words.append(SendKeys(extension.digits))
        case _:
            pass
    return words


def write_cleared(word: Cleared) -> dict[str, object]:
    """What stands under ``sipcc`` when what waited was dropped."""
    return {"type": "cleared", "heardMs": word.ms, "totalMs": word.total_ms}
