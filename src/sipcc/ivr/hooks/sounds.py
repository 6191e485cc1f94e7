"""Texts and URLs of applications, as what can be said; and what is done with prompts."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from sipcc.call.digits import KEYS, CollectSettings, LengthMatcher
from sipcc.ivr.hooks.model import BadAnswer, Interrupting
from sipcc.ivr.hooks.xmltree import Element, wrong
from sipcc.ivr.speech.ssml import SsmlBuilder, SsmlError, feed, read_ssml
from sipcc.ivr.steps import Audio, BargeIn, Gather, Listen, Named, Prompt, Spoken, Text
from sipcc.ivr.xmlread import XmlError

PROMPT = "prompt:"
"""How the URL begins that stands for a prompt of our catalogue."""
LONGEST = 10_000
"""Characters in one text."""


def speech(text: str, language: str, voice: str, at: str) -> tuple[Spoken, ...]:
    """A text, or SSML, as what can be said; nothing for an empty one.

    Raises:
        BadAnswer: it is too long, or no SSML, at `at`.
    """
    if len(text) > LONGEST:
        raise BadAnswer(at, f"the text is longer than {LONGEST} characters")
    if text.lstrip().startswith("<speak"):
        try:
            items = read_ssml(text.strip(), language=language, voice=voice, strict=True)
        except SsmlError as error:
            raise BadAnswer(at, f"SSML, {error}") from None
        return _checked(items, at)
    return (Text(text, language, voice),) if text.strip() else ()


def marked(element: Element, language: str, voice: str) -> tuple[Spoken, ...]:
    """What stands in an element, with SSML in it.

    Raises:
        BadAnswer: something in it is no SSML.
    """
    builder = SsmlBuilder(language=language, voice=voice)
    try:
        feed(builder, element.children, strict=True)
    except XmlError as error:
        raise BadAnswer(f"{error.line}:{error.column}", error.problem) from None
    items = builder.close()
    if sum(len(item.text) for item in items if isinstance(item, Text)) > LONGEST:
        raise wrong(element, f"the text is longer than {LONGEST} characters")
    return _checked(items, element.at)


def _checked(items: tuple[Spoken, ...], at: str) -> tuple[Spoken, ...]:
    """`items` when all sounds in them may be played."""
    for item in items:
        if isinstance(item, Audio):
            sound(item.source, at)
            _checked(item.fallback, at)
    return items


def sound(url: str, at: str, *, offset: float = 0.0) -> Spoken:
    """What a URL stands for; a relative one is completed by whoever knows where it stood.

    Raises:
        BadAnswer: files of ours cannot be played, at `at`.
    """
    if url.startswith(PROMPT) and len(url) > len(PROMPT):
        return Named(url.removeprefix(PROMPT))
    scheme, colon, _ = url.partition(":")
    if not url.strip() or (colon and "/" not in scheme and scheme.lower() not in {"http", "https"}):
        raise BadAnswer(at, f"{url[:80]!r} cannot be played; write http://, https:// or prompt:NAME")
    return Audio(url, offset=offset)


# -- what is done with prompts -----------------------------------------------------------------------------

_PAGES = {"ws": "http", "wss": "https"}


def placed(prompts: tuple[Prompt, ...], absolute: Callable[[str], str]) -> tuple[Prompt, ...]:
    """`prompts` with the URLs in them made absolute: none is ever a file of ours.

    Raises:
        BadAnswer: one leads to something that cannot be played.
    """
    return tuple(
        msgspec.structs.replace(prompt, items=tuple(_placed(item, absolute) for item in prompt.items))
        for prompt in prompts
    )


def _placed(item: Spoken, absolute: Callable[[str], str]) -> Spoken:
    if not isinstance(item, Audio):
        return item
    scheme, mark, rest = absolute(item.source).partition("://")
    url = _PAGES.get(scheme, scheme) + mark + rest
    if not url.startswith(("http://", "https://")):
        raise BadAnswer(item.source[:80], "only http: and https: can be played")
    fallback = tuple(_placed(other, absolute) for other in item.fallback)
    return msgspec.structs.replace(item, source=url, fallback=fallback)


def sources(prompts: tuple[Prompt, ...]) -> list[str]:
    """The URLs of sounds in `prompts` in whose place nothing else would be heard."""
    items = (item for prompt in prompts for item in prompt.items)
    return list(dict.fromkeys(item.source for item in items if isinstance(item, Audio) and not item.fallback))


def mute(prompts: tuple[Prompt, ...], limit: float) -> Gather:
    """Prompts that nothing cuts but time."""
    return Gather(
        prompts=tuple(msgspec.structs.replace(prompt, bargein="off") for prompt in prompts),
        collect=CollectSettings(timeout=0.0, max_time=limit),
    )


def bargein_of(keys: bool, speech: bool) -> BargeIn:
    """Which of the two may cut a prompt, in the words of the steps."""
    if keys:
        return "any" if speech else "keys"
    return "speech" if speech else "off"


def breakable(prompts: tuple[Prompt, ...], by: Interrupting, listen: Listen, limit: float | None) -> Gather:
    """Prompts that keys or speech break off."""
    bargein = bargein_of(by.keys, by.speech)
    return Gather(
        prompts=tuple(msgspec.structs.replace(prompt, bargein=bargein) for prompt in prompts),
        keys=LengthMatcher(1, 1, "".join(sorted(KEYS))) if by.keys else None,
        listen=listen if by.speech else None,
        collect=CollectSettings(timeout=0.0, terminators="", max_time=limit),
    )


def hidden(step: Gather) -> Gather:
    """A question whose keys are shown nowhere."""
    return msgspec.structs.replace(step, collect=msgspec.structs.replace(step.collect, secret=True))
