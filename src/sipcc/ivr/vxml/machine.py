"""What one caller's interpreter keeps while it runs: engine, prompts that wait, and what was counted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urljoin

import msgspec

from sipcc.errors import CallEnded
from sipcc.ivr.fetch import Fetched, Fetcher, FetchRequest
from sipcc.ivr.js import Engine, Json, Scope, Undefined
from sipcc.ivr.session import Session
from sipcc.ivr.steps import Audio, Prompt, Text, Value
from sipcc.ivr.vxml.documents import Library, fetch
from sipcc.ivr.vxml.errors import Stopped, Thrown
from sipcc.ivr.vxml.languages import LANGUAGES, check_language
from sipcc.ivr.vxml.limits import Limits
from sipcc.ivr.vxml.parse import Element
from sipcc.ivr.vxml.properties import DEFAULTS, seconds
from sipcc.ivr.vxml.scope import Context, Place
from sipcc.ivr.vxml.secrets import Secrets
from sipcc.ivr.vxml.signals import Arrival, Exit, Finish, Note

_T = TypeVar("_T")


class Queued(msgspec.Struct, frozen=True):
    """A prompt that waits to be played."""

    prompt: Prompt
    timeout: float | None
    """How long to wait for an answer when it is the last one; None for the property."""


Waiter = Callable[[Awaitable[Fetched], Sequence[Prompt], float, float], Awaitable[Fetched]]
"""Waits for a fetch, and plays prompts meanwhile: after so many seconds, and for so many at least."""

RunContext = Callable[[Context, Arrival, Mapping[str, object]], Awaitable[None]]


async def _silently(
    fetching: Awaitable[Fetched], prompts: Sequence[Prompt], delay: float, least: float
) -> Fetched:
    return await fetching


class Machine:
    """The interpreter's state. `run_context` is set by `sipcc.ivr.vxml.interpreter`."""

    run_context: RunContext

    def __init__(
        self,
        session: Session,
        fetcher: Fetcher,
        *,
        library: Library,
        limits: Limits,
        properties: Mapping[str, str],
        note: Callable[[Note], None],
        waiter: Waiter = _silently,
        secrets: Secrets | None = None,
        languages: Collection[str] = LANGUAGES,
    ) -> None:
        self.session = session
        self.fetcher = fetcher
        self.library = library
        self.limits = limits
        self.engine = Engine(limits.script)
        self.session_scope: Scope = self.engine.scope("session")
        self.properties = {**DEFAULTS, **properties}
        self.languages = languages or LANGUAGES
        """Those that can be spoken and understood."""
        self._note = note
        self.secrets = Secrets() if secrets is None else secrets
        self.waiter = waiter
        self.queue: list[Queued] = []
        self.final = False
        """Whether the caller is gone, so that nothing may be asked any more."""
        self.final_reason = "hangup"
        self.farewell: dict[str, Json | Undefined] = {}
        """What <disconnect> gives to whoever started the session."""
        self.recordings: dict[str, str] = {}
        """Files by the handles that stand for them in variables."""
        self.grammars: dict[object, Any] = {}
        """Grammars that were loaded, by their elements and URLs."""
        self._steps = 0
        self._final_at = 0.0

    def note(self, what: Note) -> None:
        """Tell whoever watches; what was answered in secret is masked."""
        self._note(self.secrets.masked_note(what))

    # -- limits --------------------------------------------------------------------------------------------

    def step(self, element: Element) -> None:
        """Count one element.

        Raises:
            Stopped: there were too many.
        """
        self._steps += 1
        if self._steps > self.limits.steps:
            raise Stopped(f"more than {self.limits.steps} steps without the caller, last {element!r}")
        if self.final and self.session.now() - self._final_at > self.limits.final_seconds:
            raise Stopped(f"more than {self.limits.final_seconds:g} s after the end of the call")

    def heard_of(self) -> None:
        """The caller did something: what is counted between two such begins anew."""
        self._steps = 0

    def ended(self, reason: str = "hangup") -> None:
        """The caller is gone."""
        if not self.final:
            self.final = True
            self.final_reason = reason
            self._final_at = self.session.now()
            self._steps = 0
        self.queue.clear()

    def no_waiting(self) -> None:
        """See that the caller is there.

        Raises:
            Finish: it is not, so that nothing can be waited for (VoiceXML 2.0 §1.5.4).
        """
        if self.final:
            raise Finish(Exit(reason=self.final_reason))

    # -- properties ----------------------------------------------------------------------------------------

    def property(self, place: Place, name: str) -> str:
        """A property as it holds in a place, or empty."""
        found = place.properties.get(name)
        return self.properties.get(name, "") if found is None else found

    def seconds(self, place: Place, name: str) -> float:
        """A property that is a time."""
        return seconds(self.property(place, name), name)

    # -- prompts -------------------------------------------------------------------------------------------

    def say(self, prompt: Prompt, timeout: float | None = None) -> None:
        """Let a prompt wait to be played; an empty one may still say how long to wait for an answer.

        Raises:
            Thrown: ``error.unsupported.language``.
        """
        if self.final or not (prompt.items or timeout is not None):
            return
        for item in prompt.items:
            if isinstance(item, Text | Value):
                check_language(item.language, self.languages)
        if len(self.queue) >= self.limits.prompts:
            raise Stopped(f"more than {self.limits.prompts} prompts wait to be played")
        self.queue.append(Queued(prompt, timeout))

    def take_prompts(self) -> tuple[tuple[Prompt, ...], float | None]:
        """What waits to be played, and the timeout of the last one."""
        prompts = tuple(queued.prompt for queued in self.queue if queued.prompt.items)
        timeout = self.queue[-1].timeout if self.queue else None
        self.queue.clear()
        return prompts, timeout

    async def flush(self) -> None:
        """Play what waits, to its end."""
        prompts, _ = self.take_prompts()
        if prompts and not self.final:
            await self.verb(self.session.play(prompts))
            if prompts[-1].bargein == "off":  # §4.1.5: what is typed ahead of it is deleted
                self.session.forget_keys()

    async def verb(self, step: Awaitable[_T]) -> _T:
        """Carry out a step; a caller who hangs up in it is an event."""
        try:
            return await step
        except CallEnded:
            if self.final:
                raise Finish(Exit(reason=self.final_reason)) from None
            self.ended()
            raise Thrown("connection.disconnect.hangup") from None

    def keep_recording(self, path: str) -> str:
        """A handle that stands for a file in variables."""
        handle = f"{RECORDING}{len(self.recordings) + 1}"
        self.recordings[handle] = path
        return handle

    def read_file(self, path: str) -> bytes:
        """What is in a recording."""
        try:
            return Path(path).read_bytes()
        except OSError as error:
            raise Thrown("error.badfetch", f"the recording cannot be read: {error.strerror}") from None

    # -- fetching ------------------------------------------------------------------------------------------

    def request(self, place: Place, element: Element | None, kind: str, **fields: object) -> FetchRequest:
        """A request with the times that an element or the properties say; `kind` is ``document``, … ."""
        given = {} if element is None else element.attributes
        timeout = seconds(given.get("fetchtimeout") or self.property(place, "fetchtimeout"), "fetchtimeout")
        ages = {}
        for name, field in (("maxage", "max_age"), ("maxstale", "max_stale")):
            text = given.get(name) or self.property(place, f"{kind}{name}")
            if text.strip().isdigit():
                ages[field] = float(text)
        return FetchRequest(timeout=timeout or None, **ages, **fields)  # type: ignore[arg-type]  # callers' own

    async def fetch(self, place: Place, element: Element | None, request: FetchRequest) -> Fetched:
        """Fetch a document; with ``fetchaudio`` what waits is played first, and the sound while it lasts."""
        sound = (element.get("fetchaudio") if element is not None else None) or self.property(
            place, "fetchaudio"
        )
        if not sound or self.final:
            return await fetch(self.fetcher, request)
        await self.flush()
        source = urljoin(place.context.base, sound)
        prompts = (Prompt(items=(Audio(source),), bargein="off"),)
        delay, least = self.seconds(place, "fetchaudiodelay"), self.seconds(place, "fetchaudiominimum")
        return await self.waiter(fetch(self.fetcher, request), prompts, delay, least)


RECORDING: Final = "recording:"
"""How the handle of a recording begins."""
