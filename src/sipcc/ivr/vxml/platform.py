"""The platform of a simulation: a session that asks what its caller does."""

from __future__ import annotations

import re
import shutil
import tempfile
import wave
import weakref
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec

from sipcc.ivr.fetch import Fetched, Fetcher, FetchError
from sipcc.ivr.flows.script import Act, Asked, At, HangUp, Keys, Say, Silence, Wait
from sipcc.ivr.keywatch import KeyWatch
from sipcc.ivr.live_sounds import request_of
from sipcc.ivr.sim import SimSession
from sipcc.ivr.simcaller import SimCaller
from sipcc.ivr.steps import (
    Audio,
    Coding,
    Gather,
    Gathered,
    Heard,
    Played,
    Prompt,
    Record,
    Recorded,
    Spoken,
    Text,
    Transfer,
    Transferred,
    Value,
    failure_of,
)
from sipcc.ivr.vxml.signals import Note

Waiting: TypeAlias = Literal["", "input", "record", "transfer"]
"""What a document waits for: an answer, a recording, the outcome of a transfer; empty once it is over."""


class Spoke(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt that was played, or at least begun."""

    text: str
    """The texts and values in it as they are spoken, with one blank between them."""
    audio: tuple[str, ...] = ()
    """The URLs of the sounds in it that could be had."""
    items: tuple[str, ...] = ()
    """Both in the order in which they are heard: texts, and URLs of sounds."""
    bargein: bool = True
    """Whether keys or the caller's voice may cut it."""
    hotword: bool = False
    """Whether the voice cuts it only when what was said is an answer."""
    seconds: float = 0.0
    """When it began."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """The caller says something."""

    text: str
    confidence: float = 1.0
    alternatives: tuple[tuple[str, float], ...] = ()
    """Other things that it may have been, with their confidence."""
    seconds: float | None = None
    """How long it takes to say; None for a usual speed."""
    after: float | None = None
    """Seconds after the prompts began; None waits for their end."""


class Pressed(msgspec.Struct, frozen=True, kw_only=True):
    """The caller presses keys."""

    keys: str
    after: float | None = None
    gap: float = 0.1
    """Seconds from the end of one key to the beginning of the next; each is down for 0.1 s."""


class Silent(msgspec.Struct, frozen=True):
    """The caller lets the question run out."""


class HungUp(msgspec.Struct, frozen=True):
    """The caller hangs up."""

    after: float | None = None


class Several(msgspec.Struct, frozen=True):
    """The caller does several things; each `after` counts from the beginning of the prompts."""

    deeds: tuple[Said | Pressed | HungUp, ...]


class TransferEnds(msgspec.Struct, frozen=True, kw_only=True):
    """A transfer comes out somehow; see `Simulation.transfer`."""

    outcome: str
    seconds: float = 30.0


def told(deed: Deed) -> str:
    """A deed in the words of a script."""
    match deed:
        case Several():
            return "; ".join(_moment(one) + told(one) for one in deed.deeds)
        case Said():
            return f"say {deed.text}"
        case Pressed():
            return f"keys {deed.keys}"
        case Silent():
            return "silence"
        case HungUp():
            return "hangup"
        case TransferEnds():
            return f"transfer {deed.outcome}"


def _moment(deed: Said | Pressed | HungUp) -> str:
    return "" if deed.after is None else f"after {deed.after:g}s "


Deed: TypeAlias = Said | Pressed | Silent | HungUp | Several | TransferEnds
"""What the caller, or whoever it is transferred to, does next."""

# -- the session ---------------------------------------------------------------------------------------------


class _Ask:
    """Hands control to whoever drives the simulation, until it says what happens."""

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting

    def __await__(self) -> Any:
        deed = yield self._waiting
        return deed


class Caller(SimSession):
    """A simulated session that asks what its caller does when it comes to that."""

    def __init__(
        self, fetcher: Fetcher, note: Callable[[Note], None], *, language: str, caller: str, dialled: str
    ) -> None:
        super().__init__(language=language, caller=caller, dialled=dialled, answered=True)
        self._tell = note
        self.spoken: list[Spoke] = []
        self.step: Gather | Record | Transfer | None = None
        self._fetcher = fetcher
        self._plan: dict[str, object] | None = None
        self._asked: list[tuple[int, Spoke]] = []
        """What the last question said, with the place of its prompt."""
        self._others: dict[str, tuple[tuple[str, float], ...]] = {}
        """What else the caller's words may have been."""
        self._folder = ""
        self._files = 0

    async def play(self, prompts: Sequence[Prompt]) -> Played:
        """Say something to its end."""
        prompts = await self._ready(prompts)
        return await super().play(prompts)

    async def gather(self, step: Gather) -> Gathered:
        """Ask a question, and be told the answer."""
        self.step = step = msgspec.structs.replace(step, prompts=await self._ready(step.prompts))
        if not len(self._keys) and not self._sim.acts_on:
            deed = await _Ask("input")
            soundings, _ = self._schedule(step.prompts)
            length = soundings[-1].ends - self.now() if soundings else 0.0
            given = _after(deed)
            self._do(deed, length if given is None else given, self.now())
        _, starts = self._schedule(step.prompts)
        began = [at - self.now() for _, at in starts]
        gathered = await super().gather(step)
        self._tidy(gathered, step)
        if gathered.barged:
            cut = {at for at, start in enumerate(began) if start >= gathered.played.seconds}
            unheard = [spoke for at, spoke in self._asked if at in cut]
            self.spoken = [spoke for spoke in self.spoken if not any(spoke is one for one in unheard)]
        if gathered.heard and step.listen is not None and step.listen.record:
            path, _ = self._silence(1.0, step.listen.coding)
            gathered = msgspec.structs.replace(gathered, recording=path)
        alternatives = self._others.get(gathered.heard[0].text, ()) if gathered.heard else ()
        if alternatives:
            others = tuple(Heard(text, sure) for text, sure in alternatives)
            gathered = _judged(gathered, others, step)
        return gathered

    def _tidy(self, gathered: Gathered, step: Gather) -> None:
        """Forget what whoever judges did not mean for the next question.

        That is all after a wrong answer, and a terminator just after keys that were complete without it.
        """
        soon = self.now() + _BREATH
        left = "".join(deed.key for deed in self._sim.due if deed.what == "down" and deed.at <= soon)
        if gathered.outcome == "nomatch":
            self._sim = SimCaller(())
        elif left and left in step.collect.terminators:
            self._sim.due.clear()

    async def record(self, step: Record) -> Recorded:
        """Be recorded."""
        self.step = step = msgspec.structs.replace(step, prompts=await self._ready(step.prompts))
        deed = await _Ask("record")
        soundings, starts = self._schedule(step.prompts)
        length = soundings[-1].ends - self.now() if soundings else 0.0
        given, first = _after(deed), deed.deeds[0] if isinstance(deed, Several) else deed
        after = length + 0.4 if given is None else given
        if after < length and isinstance(first, HungUp):
            self._pass(self.now() + after)
            self._end("caller")
            return Recorded(ended_by="hangup")
        if after < length and isinstance(first, Pressed):
            at = self.now() + after
            if not any(prompt.bargein in ("keys", "any") and began <= at for prompt, began in starts):
                deed = Silent()  # nobody listens to keys then
            elif step.early and first.keys[:1] in step.terminators:
                self._pass(at)
                return Recorded(ended_by="key", key=first.keys[0])
        self._do(deed, max(after - length, 0.0), self.now())
        # Who says no word and ends the recording somehow has spoken all the while.
        recorded = await super().record(msgspec.structs.replace(step, speech=False))
        if recorded.key and self._sim.due and self._sim.due[0].what == "up":
            self._sim.due.popleft()  # of the key that ended it, which answers nothing
        if not recorded.path:
            return recorded
        path, size = self._silence(recorded.seconds, step.coding)
        return msgspec.structs.replace(recorded, path=path, size_bytes=size)

    def _silence(self, seconds: float, coding: Coding = "wav") -> tuple[str, int]:
        """A file as long as the recording, for documents that send it somewhere."""
        if not self._folder:
            self._folder = tempfile.mkdtemp(prefix="sipcc-vxml-")
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._files += 1
        path = Path(self._folder) / f"{self._files}.{coding}"
        if coding != "wav":
            path.write_bytes(_QUIET[coding] * int(8000 * min(seconds, 60.0)))
            return str(path), path.stat().st_size
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(bytes(2 * int(8000 * min(seconds, 60.0))))
        return str(path), path.stat().st_size

    async def transfer(self, step: Transfer) -> Transferred:
        """Be connected with somebody."""
        self.step = step = msgspec.structs.replace(step, prompts=await self._ready(step.prompts))
        deed = await _Ask("transfer")
        if not isinstance(deed, TransferEnds):
            return await self._acts(deed, step)
        await super().play(step.prompts)
        await self._ready(step.waiting)
        step = msgspec.structs.replace(step, prompts=())
        outcome = deed.outcome
        if outcome in _CUT:
            return Transferred(outcome="failed", seconds=deed.seconds if outcome != "unknown" else 0.0)
        status = _REFUSED.get(outcome, outcome)
        if status.isdigit():
            return Transferred(outcome=failure_of(int(status)), status=int(status))
        known = _TRANSFERS.get(outcome)
        if known is None:
            raise ValueError(f"{outcome!r} is no outcome of a transfer")
        if known == "near_end":
            return Transferred(outcome="near_end", seconds=deed.seconds)
        self._plan = {"outcome": known, "seconds": deed.seconds}
        return await super().transfer(step)

    async def _acts(self, deed: Deed | None, step: Transfer) -> Transferred:
        """The caller does something; it rings for five seconds, and then somebody is there for an hour."""
        soundings, starts = self._schedule(step.prompts)
        said = soundings[-1].ends - self.now() if soundings else 0.0
        ring = min(5.0, step.timeout)
        self._plan = {"outcome": "answered", "seconds": 3600.0, "ring": ring}
        # Who says no moment acts at once when it goes, and else when the other one is there.
        given = _after(deed)
        after = given if given is not None else said if isinstance(deed, HungUp) else said + ring + 1
        at, talked = self.now() + after, max(after - said - ring, 0.0)
        heeded = after >= said or any(prompt.bargein != "off" and began <= at for prompt, began in starts)
        if heeded and not (talked and step.mode != "bridge") and (ended := _wished(deed, step)) is not None:
            if after > said:
                await self._ready(step.waiting)
            self._pass(at)
            return msgspec.structs.replace(ended, seconds=talked)
        if isinstance(deed, HungUp) and after < said:
            self._pass(at)
            self._gone()
        self._pass(self.now() + said)
        await self._ready(step.waiting)
        step = msgspec.structs.replace(step, prompts=())
        if talked and step.mode != "bridge":
            return await super().transfer(step)
        self._do(deed if after >= said else Silent(), max(after - said, 0.0), self.now() - said)
        return await super().transfer(step)

    def found(self, name: str) -> Any:
        """How the transfer goes."""
        return self._plan if name == "dial" else None

    def _do(self, deed: Deed | None, after: float, began: float) -> None:
        """Let the simulation's caller do it.

        Args:
            deed: What; of several, the first.
            after: When, in seconds from the moment when the caller may.
            began: When the prompts began, for the moments of what comes after the first.
        """
        acts: list[Act] = [Asked(anything=True), Wait(after)]
        self._others.clear()
        for number, one in enumerate(deed.deeds if isinstance(deed, Several) else (deed,)):
            moment = getattr(one, "after", None)
            if number and moment is not None:
                acts.append(At(began + moment))
            match one:
                case Said():
                    acts.append(Say(one.text, one.confidence, one.seconds))
                    self._others[one.text] = one.alternatives
                case Pressed():
                    acts.append(Keys(one.keys, gap=one.gap))
                case HungUp():
                    acts.append(HangUp())
                case _:
                    acts = [Asked(anything=True), Silence()]
        # A caller of its own for each deed: one that still speaks would do the next one too late.
        self._sim = SimCaller(acts)

    async def meanwhile(
        self, fetching: Awaitable[Fetched], prompts: Sequence[Prompt], delay: float, least: float
    ) -> Fetched:
        """Wait for a fetch; the caller heard the prompts if it took as long as that."""
        began = self.now()
        try:
            return await fetching
        finally:
            if self.now() - began >= delay:
                await self._ready(prompts)

    async def _ready(self, prompts: Sequence[Prompt]) -> tuple[Prompt, ...]:
        """The prompts with sounds that cannot be had replaced; and note what will be heard."""
        ready = []
        self._asked.clear()
        for at, prompt in enumerate(prompts):
            items = tuple([item for one in prompt.items for item in await self._sound(one)])
            text = " ".join(part for part in map(_text_of, items) if part)
            audio = tuple(item.source for item in items if isinstance(item, Audio))
            if text or audio:
                cut = prompt.bargein != "off"
                heard = tuple(part for part in map(_heard, items) if part)
                spoke = Spoke(
                    text=text,
                    audio=audio,
                    items=heard,
                    bargein=cut,
                    hotword=cut and prompt.hotword,
                    seconds=self.now(),
                )
                self.spoken.append(spoke)
                self._asked.append((at, spoke))
                self._tell(Note(what="say", text=text, details={"audio": list(audio)} if audio else {}))
            ready.append(msgspec.structs.replace(prompt, items=items))
        return tuple(ready)

    async def _sound(self, item: Spoken) -> list[Spoken]:
        if not isinstance(item, Audio) or not item.source or "://" not in item.source:
            return [item]
        try:
            fetched = await self._fetcher.fetch(request_of(item))
            if not _NO_SOUND.search(fetched.media_type):
                return [item]
        except (FetchError, ValueError):
            pass
        return [one for inner in item.fallback for one in await self._sound(inner)]


_BREATH: Final = 0.25
"""Seconds within which a key belongs to those before it."""

_NO_SOUND: Final = re.compile(r"html$|xml$|json$|script$")
"""Types of what is there, and can be played by nobody."""

_QUIET: Final = {"ulaw": b"\xff", "alaw": b"\xd5"}
"""Silence in G.711."""

_CUT: Final = frozenset({"network_disconnect", "unknown"})
_TRANSFERS: Final = {
    "busy": "busy",
    "noanswer": "noanswer",
    "network_busy": "network_busy",
    "near_end_disconnect": "near_end",
    "far_end_disconnect": "far_end",
    "maxtime_disconnect": "max_time",
    "connected": "answered",
}
_REFUSED: Final = {
    "noauthorization": "403",
    "baddestination": "404",
    "noroute": "502",
    "noresource": "500",
    "unsupported": "501",
}
OUTCOMES: Final = _CUT | _TRANSFERS.keys() | _REFUSED.keys()
"""How a transfer may come out; a SIP status is one too."""


def _wished(deed: Deed | None, step: Transfer) -> Transferred | None:
    """That the caller wants a transfer to end, by words or keys that mean it."""
    if isinstance(deed, Said) and step.listen is not None:
        heard = Heard(deed.text, deed.confidence)
        return Transferred(outcome="near_end", heard=(heard,)) if step.listen.takes(heard) else None
    if isinstance(deed, Pressed) and step.keys is not None:
        watch = KeyWatch(step.keys)
        for key in deed.keys:
            if keys := watch.push(key, now=0.0):
                return Transferred(outcome="near_end", keys=keys)
    return None


def _after(deed: Deed | None) -> float | None:
    """The moment of a deed, or of the first of several; None if it has none."""
    after: float | None = getattr(deed.deeds[0] if isinstance(deed, Several) else deed, "after", None)
    return after


def _judged(gathered: Gathered, others: tuple[Heard, ...], step: Gather) -> Gathered:
    """The answer with its alternatives; one of them may be right where the first is not."""
    heard = (*gathered.heard, *others)
    listen = step.listen
    right = listen is not None and any(map(listen.takes, heard))
    return msgspec.structs.replace(gathered, heard=heard, outcome="speech" if right else gathered.outcome)


def _text_of(item: Spoken) -> str:
    if isinstance(item, Text):
        return item.text
    return item.value if isinstance(item, Value) else ""


def _heard(item: Spoken) -> str:
    return item.source if isinstance(item, Audio) else _text_of(item)
