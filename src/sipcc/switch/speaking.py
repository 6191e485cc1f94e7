"""The voice of a switch and its prompts: who reads texts, what is read ahead, and how queues stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil
from typing import TYPE_CHECKING

import msgspec

from sipcc.acd.comfort import SHORTEST
from sipcc.errors import LocalProtocolError
from sipcc.ivr.flows.texts import Speech, texts_of
from sipcc.ivr.prompts import PromptCatalogue
from sipcc.ivr.speech.recognise import make_recogniser
from sipcc.ivr.speech.speaker import Speaker
from sipcc.log import get_logger
from sipcc.switch.ringback import Ringbacks

if TYPE_CHECKING:
    from sipcc.acd import QueueHandle
    from sipcc.config import Config
    from sipcc.ivr.services import Recogniser
    from sipcc.ivr.speech.voice import Voice
    from sipcc.switch.switch import Switch
    from sipcc.tasks import TaskScope

QUEUE_VALUES = ("length", "wait")
"""What can be told of a queue: ``queue:NAME:length`` and ``queue:NAME:wait``."""

_log = get_logger("sipcc.switch")


class Speaking:
    """Makes the catalogue of prompts of each configuration. The voice stays until the next start."""

    def __init__(
        self,
        config: Config,
        scope: TaskScope,
        queue: Callable[[str], QueueHandle],
        *,
        voice: Voice | None = None,
        recogniser: Recogniser | None = None,
    ) -> None:
        """Build it.

        Args:
            config: The first configuration.
            scope: For what is read ahead.
            queue: Finds a queue.
            voice: Reads in place of the one that the configuration names.
            recogniser: Understands in place of that one.

        Raises:
            ConfigError: there is no such voice, or no such recogniser.
        """
        self.speaker = Speaker(config.speech, voice=voice)
        """Who reads texts."""
        self.recogniser = recogniser or make_recogniser(config.speech.recogniser)
        """Who understands callers; None for nobody."""
        self._scope = scope
        self._live = QueueValues(queue)

    def catalogue(self, config: Config) -> PromptCatalogue:
        """The prompts of `config`.

        Raises:
            ConfigError: the operator's table of prompts is wrong.
        """
        return PromptCatalogue(config.ivr, speaker=self.speaker, live=self._live)

    def ringbacks(self, switch: Switch) -> Ringbacks:
        """The ringback of each number of `switch`."""
        return Ringbacks(
            lambda: switch.config.numbers,
            lambda: switch.prompts,
            switch.shelves,
            language=lambda: switch.config.ivr.language,
            bus=switch.bus,
            clock=switch.clock,
        )

    def read_ahead(self, switch: Switch) -> None:
        """Have what `switch` is known to say spoken in the background: prompts, ringbacks, flows, menus."""
        config = switch.config
        flows = (each.flow for each in switch.treatments.flows.playables.values() if each.flow is not None)
        texts = [
            *switch.prompts.texts(),
            *switch.ringbacks.texts(),
            *(text for flow in flows for text in texts_of(flow, config.ivr.language)),
            *_of_config(config),
        ]
        if texts:
            self._scope.spawn(self._read(texts), name="read_ahead")

    def figures(self, prompts: PromptCatalogue) -> dict[str, int]:
        """Texts that were read or not; prompts that were not there, or in another language alone."""
        return {
            "texts_spoken": self.speaker.spoken,
            "texts_failed": self.speaker.failed,
            "prompts_missing": prompts.misses.total(),
            "prompts_fell_back": prompts.fallbacks.total(),
        }

    async def _read(self, texts: list[Speech]) -> None:
        errors = await self.speaker.prepare(texts)
        if errors:
            _log.warning("prompts.not_spoken", texts=len(texts), error=str(errors[0]))
        else:
            _log.info("prompts.spoken", texts=len(texts))

    async def close(self) -> None:
        """Stop the voice."""
        await self.speaker.close()


def _of_config(config: Config) -> Iterator[Speech]:
    """The texts that stand in the configuration as ``text:...``, in each language that calls may have."""
    languages = {config.ivr.language}
    languages.update(number.language for number in config.numbers)
    languages.update(menu.language for menu in config.menus)
    for written in _strings(
        msgspec.to_builtins((config.menus, config.queues, config.numbers, config.screening))
    ):
        text = written.removeprefix("play:")
        if text.startswith("text:") and "{" not in text:
            yield from ((text.removeprefix("text:"), language, "") for language in sorted(languages - {""}))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _strings(one)


class QueueValues:
    """How queues stand at this moment, for prompts; a `sipcc.ivr.prompts.LiveValues`."""

    def __init__(self, queue: Callable[[str], QueueHandle]) -> None:
        self._queue = queue

    def value(self, name: str) -> tuple[str, object]:
        """The callers who wait, or how long one who came now could expect to, in whole minutes.

        Raises:
            ValueError: it is not about a queue of ours.
        """
        queue, what = split_queue_value(name)
        try:
            handle = self._queue(queue)
            if what == "length":
                return "number", handle.length
            return "duration", ceil(max(handle.expected_wait, SHORTEST) / 60) * 60
        except LocalProtocolError as error:
            raise ValueError(str(error)) from None


def split_queue_value(name: str) -> tuple[str, str]:
    """The queue and the value of ``queue:NAME:length``; ValueError says what is wrong."""
    queue, _, what = name.removeprefix("queue:").rpartition(":")
    if not queue or what not in QUEUE_VALUES:
        raise ValueError(f"{name[:200]!r} tells nothing of a queue: queue:NAME:length and queue:NAME:wait do")
    return queue, what
