"""What a made-up caller does, as data and as text; `sipcc.ivr.sim.SimSession` plays it in virtual time.

A script is text, one line for each thing that the caller answers to::

    crm={level=3}                 # what a lookup finds; also dial=busy, queue=answered, stream=lost
    keys 1 wait 2s keys 3#        # at the first question: key 1, and two seconds after it 3 and #
    silence                       # lets the next question run out
    say 查订单                     # says something to the one after it
    listen keys 3                 # hears the question to its end, and presses 3 then
    heard welcome keys 2          # presses 2 once that prompt was heard
    at 90s hangup                 # 90 seconds after the call began

A line that begins with ``keys``, ``say`` or ``silence`` begins when the next question is asked: as soon as
its prompt starts, so a key cuts it where that is allowed; ``listen`` before them hears the question first.
``hangup`` begins as well when the caller is put into a queue or connected. What follows on the same line
follows in time, without waiting for a question: a burst of keys in one line is typed ahead through as many
menus as it goes. A line that begins with ``wait``, ``at`` or ``heard`` waits for just that. When the script
is over the caller is silent.

Settings (``name=value``) hold from the start, wherever they stand. A value is a word or a TOML value; where
one name has several, they are used one after the other and the last one again and again.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

import msgspec

from sipcc.call.digits import KEYS
from sipcc.ivr.flows.scriptvalues import MAX_SECONDS, check_setting


class ScriptError(ValueError):
    """A script that cannot be read; the message has the line and the cure."""


class Keys(msgspec.Struct, frozen=True):
    """Presses keys, one after the other."""

    digits: str
    held: float = 0.1
    """How long each is down."""
    gap: float = 0.1
    """From the end of one to the beginning of the next."""


class Say(msgspec.Struct, frozen=True):
    """Says something."""

    text: str
    confidence: float = 1.0
    """How sure the recogniser will be, from 0 to 1."""
    seconds: float | None = None
    """How long it takes; None for a usual speed."""


class Wait(msgspec.Struct, frozen=True):
    """Lets time pass."""

    seconds: float


class At(msgspec.Struct, frozen=True):
    """Waits for a moment, in seconds from the start of the call; a moment that is past is now."""

    seconds: float


class Asked(msgspec.Struct, frozen=True):
    """Waits for a question (or a recording) that nothing was answered to yet."""

    anything: bool = False
    """True takes as well being put into a queue, connected, or given to a program."""
    to_the_end: bool = False
    """True waits until all that is said with the question was heard."""


class HeardPrompt(msgspec.Struct, frozen=True):
    """Waits until a prompt was heard to its end."""

    name: str
    """Its name, or a part of its text."""


class Silence(msgspec.Struct, frozen=True):
    """Is silent until the present question is over."""


class HangUp(msgspec.Struct, frozen=True):
    """Hangs up."""


Act: TypeAlias = Keys | Say | Wait | At | Asked | HeardPrompt | Silence | HangUp

Answer: TypeAlias = "str | int | float | bool | Mapping[str, object] | list[object]"
"""What a setting says: a word, or a value of TOML."""


class Script(msgspec.Struct, frozen=True):
    """A caller: what it does in this order, and what becomes of calls, queues and lookups."""

    acts: tuple[Act, ...] = ()
    outcomes: Mapping[str, tuple[Answer, ...]] = {}
    """By ``dial``, ``queue``, ``stream``, ``conference``, or the name of a lookup."""


_SETTING: Final = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9_-]*)\s*=\s*(?P<value>.+)")
_TIME: Final = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>ms|s|m|min|h)?")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_WORDS: Final = ("keys", "say", "wait", "at", "heard", "listen", "silence", "hangup")


def parse_script(text: str) -> Script:
    """Read a script as the head of this module has it.

    Raises:
        ScriptError: a line is not understood.
    """
    acts: list[Act] = []
    outcomes: dict[str, tuple[Answer, ...]] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = _without_comment(raw).strip()
        if not line:
            continue
        try:
            setting = _SETTING.fullmatch(line)
            if setting is not None and line.split(None, 1)[0] not in _WORDS:
                name, value = setting["name"], _value(setting["value"].strip())
                if name in _WORDS:
                    example = _EXAMPLES.get(name, name)
                    raise ValueError(
                        f"{name!r} is what a caller does, as in {example!r}; no setting is called so"
                    )
                check_setting(name, value)
                outcomes[name] = (*outcomes.get(name, ()), value)
            else:
                acts += _acts(line.split())
        except ValueError as error:
            raise ScriptError(f"line {number}: {error}") from None
    return Script(tuple(acts), outcomes)


def keys(*answers: str) -> Script:
    """A caller who answers each question with the next of `answers`; an empty one lets it run out."""
    acts: list[Act] = []
    for answer in answers:
        acts += (Asked(), Keys(answer) if answer else Silence())
    return Script(tuple(acts))


def _without_comment(line: str) -> str:
    """A ``#`` alone begins a comment, but not after ``keys``: it is a key too."""
    return re.split(r"^\s*#|(?<!keys)\s#(?=\s|$)", line, maxsplit=1)[0]


def _acts(words: list[str]) -> Iterable[Act]:
    first = words[0]
    if first in ("keys", "say", "silence"):
        yield Asked()
    elif first == "hangup":
        yield Asked(anything=True)
    elif first == "listen":
        yield Asked(to_the_end=True)
        words.pop(0)
    while words:
        word = words.pop(0)
        if word == "silence":
            yield Silence()
        elif word == "hangup":
            yield HangUp()
        elif word == "listen" or word not in _WORDS:
            raise ValueError(f"{word!r} is not known; a line has {', '.join(_WORDS)}, or is name=value")
        elif not words:
            raise ValueError(f"{word!r} needs something after it, as in {_EXAMPLES[word]!r}")
        elif word == "say":
            yield _say(words)
        else:
            yield _act(word, words.pop(0))


_EXAMPLES: Final = {
    "keys": "keys 12#",
    "say": "say yes",
    "wait": "wait 2s",
    "at": "at 90s",
    "heard": "heard welcome",
}


def _act(word: str, argument: str) -> Act:
    if word == "keys":
        if not KEYS.issuperset(argument):
            raise ValueError(f"{argument!r} cannot be typed; keys are {''.join(sorted(KEYS))}")
        return Keys(argument)
    if word == "heard":
        return HeardPrompt(argument)
    return (Wait if word == "wait" else At)(_seconds(argument))


def _say(words: list[str]) -> Say:
    """The words up to the next word of a script; ``~0.4`` at the end is how sure the recogniser is."""
    end = next((index for index, word in enumerate(words) if word in ("wait", "at", "hangup")), len(words))
    spoken, words[:] = words[:end], words[end:]
    sure = 1.0
    if len(spoken) > 1 and re.fullmatch(r"~(?:0(?:\.[0-9]+)?|1(?:\.0+)?)", spoken[-1]):
        sure = float(spoken.pop()[1:])
    if not spoken:
        raise ValueError("'say' needs something after it, as in 'say yes'")
    return Say(" ".join(spoken), sure)


def _seconds(text: str) -> float:
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no time; write it as 2s, 500ms or 3m")
    seconds = float(match["number"]) * _UNITS[match["unit"] or "s"]
    if seconds > MAX_SECONDS:
        raise ValueError(f"{text!r} is longer than a call may be, {MAX_SECONDS:g} s")
    return seconds


def _value(text: str) -> Answer:
    try:
        value: Answer = tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        if re.fullmatch(r"[\w.:@/+ -]+", text):
            return text
        raise ValueError(f"{text!r} is neither a word nor a value of TOML, as {{level=3}} is one") from None
    return value
