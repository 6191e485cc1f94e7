"""One question to a made-up caller: the real collector of keys, and a recogniser that understands all.

Time jumps from one thing that happens to the next. What is due at the same moment happens in this order: a
timer of the collector, the end of the prompts, the recogniser's verdict, the caller. Keys and voice get along
as in `sipcc.call.asking`: a voice ends the waiting for a first key, and whoever types is not listened to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import NoReturn

import msgspec

from sipcc.call.asking import NoKeys
from sipcc.call.digits import Collected, Collector, DigitBuffer
from sipcc.ivr.simcaller import Deed, SimCaller, Sounding
from sipcc.ivr.steps import Gather, Gathered, Heard, Listen, Mark, Played, Prompt, Reached, turns_of


class HungUp(Exception):
    """The caller hung up."""


class TimeUp(BaseException):
    """An agent has answered: what the caller hears while it waits ends, whatever it is."""


class _Voice(msgspec.Struct, frozen=True):
    """What the caller says."""

    began: float
    ends: float
    text: str
    sure: float


def played_until(soundings: Sequence[Sounding], start: float, until: float) -> Played:
    """What was heard of `soundings`, which began at `start`, when they stopped at `until`."""
    if not soundings:
        return _NOTHING
    ends = soundings[-1].ends
    stopped = until if until < ends else ends
    reached: Reached | None = None
    for sounding in soundings:
        if isinstance(sounding.item, Mark) and sounding.began <= until:
            reached = Reached(sounding.item.name, stopped - sounding.began)
    return Played(complete=until >= ends, seconds=stopped - start, reached=reached)


class SimQuestion:
    """Carries out one `Gather`; `run` returns the answer, and `now` is when it came."""

    def __init__(
        self,
        step: Gather,
        caller: SimCaller,
        buffer: DigitBuffer,
        *,
        soundings: Sequence[Sounding],
        starts: Sequence[tuple[Prompt, float]],
        now: float,
        until: float = inf,
    ) -> None:
        self.now = now
        self._until = until
        self.played_to = now
        """Until when prompts were heard."""
        self.timer = ""
        """The timer that decided, or empty."""
        self._step = step
        self._caller = caller
        self._soundings = soundings
        self._start = now
        self._ends = soundings[-1].ends if soundings else now
        self._playing = self._ends > now
        self._starts = starts
        self._voice: _Voice | None = None
        self._hushes_at = inf
        """When the recogniser begins to hear the voice."""
        self._decides_at = inf
        self._cut = False
        keys_turns, settings = turns_of(starts, "keys") if starts else (now,), step.collect
        if settings.bargein is not bool(keys_turns):
            settings = msgspec.structs.replace(settings, bargein=bool(keys_turns))
        own = buffer if step.keys is not None else DigitBuffer()
        self._collector = Collector(settings, step.keys or NoKeys(), own)
        self._typed = buffer if step.keys is None else self._collector
        """Where the caller's keys go."""
        opens, *turns = keys_turns or (now,)
        self._opens_after = opens - now
        self._turns = [at - now for at in turns] if turns else ()

    def run(self) -> Gathered:
        """Let time pass until there is an answer.

        Raises:
            HungUp: the caller hung up instead.
            TimeUp: there was none up to `until`.
        """
        collector, caller = self._collector, self._caller
        collector.start(
            prompt_playing=self._playing, now=self.now, opens_after=self._opens_after, turns=self._turns
        )
        while True:
            if self._playing and collector.barged:
                self._stop()
            if collector.result is not None:
                return self._answer(collector.result)
            at = caller.next_at(self.now)
            what: Callable[[], Gathered | None] = self._act
            if self._voice is not None:
                if self._decides_at <= at:
                    at, what = self._decides_at, self._decide_speech
                if self._hushes_at <= at:
                    at, what = self._hushes_at, self._hush
            if self._playing and self._ends <= at:
                at, what = self._ends, self._stop
            due = collector.deadline
            if due is not None and due <= at:
                at, what = due, self._expire
            if self._until <= at:
                at, what = self._until, self._run_out
            self.now = at
            answer = what()
            if answer is not None:
                return answer

    def _run_out(self) -> NoReturn:
        """There is no more time."""
        self.played_to = self.now if self._playing else self.played_to
        raise TimeUp

    # -- keys and timers ---------------------------------------------------------------------------------

    def _expire(self) -> None:
        state = self._collector.state.value
        self._collector.expire(now=self.now)
        if self._collector.result is not None:
            cap = self._step.collect.max_time
            capped = cap is not None and self._start + cap <= self.now
            self.timer = "max_time" if capped else _TIMERS[state]

    def _answer(self, collected: Collected) -> Gathered:
        """What the collector has found."""
        if self._playing:
            self._stop()
        return Gathered(
            outcome="keys" if collected.outcome == "match" else collected.outcome,
            keys=collected.digits,
            ended_with=collected.ended_with,
            barged=self._cut or self._collector.barged,
            played=played_until(self._soundings, self._start, self.played_to),
            secret=self._step.collect.secret,
        )

    def _stop(self) -> None:
        """The prompts are over, or cut."""
        self._playing = False
        self.played_to = self.now
        self._collector.prompt_ended(now=self.now)

    # -- the caller --------------------------------------------------------------------------------------

    def _act(self) -> None:
        """The caller does what is due."""
        deed = self._caller.take()
        match deed.what:
            case "down":
                self._typed.key_began(deed.key, now=self.now)
                if self._voice is not None:
                    self._unhear()
            case "up":
                self._typed.key_ended(deed.key, now=self.now)
            case "voice":
                self._speak(deed)
            case "hangup":
                if self._playing:
                    self.played_to = self.now
                raise HungUp

    def _unhear(self) -> None:
        """Whoever types is not listened to."""
        if self._step.keys is not None:
            self._voice, self._hushes_at, self._decides_at = None, inf, inf

    def _speak(self, deed: Deed) -> None:
        listen = self._step.listen
        if listen is None or deed.say is None or self._collector.touched:
            return
        began, ends = self.now, self.now + deed.seconds
        if self._playing:
            # The recogniser is deaf while a prompt plays that no voice may cut.
            began = self._open_from(began)
            if ends <= began:
                return
        voice = _Voice(began, ends, deed.say.text, deed.say.confidence)
        if self._voice is not None:
            voice = _Voice(self._voice.began, ends, f"{self._voice.text} {voice.text}", voice.sure)
        right = _right(listen, voice)
        if any(prompt.hotword for prompt in self._step.prompts):
            if not right:
                return
        else:
            self._hushes_at = began
        self._voice = voice
        patience = listen.complete_timeout if right else listen.incomplete_timeout
        self._decides_at = min(ends + patience, voice.began + listen.max_time)

    def _open_from(self, at: float) -> float:
        """When the voice is heard first that begins at some moment of the prompts."""
        turns = turns_of(self._starts, "speech")
        for opens, closes in zip(turns[::2], (*turns[1::2], self._ends), strict=False):
            if at < closes:
                return max(at, opens)
        return self._ends

    def _hush(self) -> None:
        """A voice is heard: prompts that it may cut stop, and nobody waits for a first key any more."""
        self._hushes_at = inf
        self._collector.voice_began(now=self.now)
        if self._playing:
            self._cut = True
            self._stop()

    def _decide_speech(self) -> Gathered:
        voice, listen = self._voice, self._step.listen
        assert voice is not None
        assert listen is not None
        if self._playing:
            self._cut = True
            self._stop()
        if voice.ends - voice.began > listen.max_time:
            self.timer = "max_speech"
            return Gathered(
                outcome="toolong",
                barged=self._cut,
                played=played_until(self._soundings, self._start, self.played_to),
                secret=self._step.collect.secret,
            )
        return Gathered(
            outcome="speech" if _right(listen, voice) else "nomatch",
            heard=(Heard(voice.text, voice.sure),),
            barged=self._cut,
            played=played_until(self._soundings, self._start, self.played_to),
            secret=self._step.collect.secret,
        )


_NOTHING = Played(complete=True)

_TIMERS = {
    "prompt": "max_time",
    "waiting": "timeout",
    "partial": "interdigit",
    "matched": "interdigit",
    "closing": "termtimeout",
    "decided": "max_time",
}


def _right(listen: Listen, voice: _Voice) -> bool:
    return voice.sure >= listen.confidence and (listen.accepts is None or listen.accepts(voice.text))
