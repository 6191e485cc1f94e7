"""The texts of a flow that are known before a call comes, so that a voice can read them ahead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from sipcc.ivr.flows.model import Flow, Phrase
from sipcc.ivr.flows.phrases import spoken
from sipcc.ivr.steps import Audio, Named, Spoken, Text

Speech: TypeAlias = tuple[str, str, str]
"""(text, language, voice)."""

_UNKNOWN: Final = "\0"
"""In the place of what only a call knows."""


def texts_of(flow: Flow, language: str) -> Iterator[Speech]:
    """Every text of `flow` without a variable in it, in each language in which callers may hear it.

    Args:
        flow: The flow.
        language: Of calls that have none of their own; for flows that name no languages.
    """
    for wanted in flow.head.languages or (language,):
        for phrase in _phrases(flow):
            yield from _texts(spoken(phrase, wanted, lambda name: _UNKNOWN, flow.head.voice), wanted)


def _phrases(flow: Flow) -> Iterator[Phrase]:
    for node in flow.nodes.values():
        for _, phrase in node.says():
            yield phrase
    yield from flow.head.retry.noinput_prompt
    yield from flow.head.retry.nomatch_prompt


def _texts(items: Iterable[Spoken], language: str) -> Iterator[Speech]:
    for item in items:
        match item:
            case Text() if item.text.strip() and _UNKNOWN not in item.text:
                yield item.text, item.language or language, item.voice
            case Named() if item.name.startswith("text:") and "{" not in item.name:
                yield item.name.removeprefix("text:"), item.language or language, ""
            case Audio():
                yield from _texts(item.fallback, language)
            case _:
                pass
