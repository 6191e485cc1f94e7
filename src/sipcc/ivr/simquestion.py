"""One question to a made-up caller: the real collector of keys, and a recogniser that understands all.

Time jumps from one thing that happens to the next. What is due at the same moment happens in this order: a
timer of the collector, the end of the prompts, the recogniser's verdict, the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Literal

import msgspec

from sipcc.call.digits import Collected, Collector, DigitBuffer, State
from sipcc.ivr.simcaller import Deed, SimCaller, Sounding
from sipcc.ivr.steps import Gather, Gathered, Heard, Listen, Mark, Played, Prompt, Reached


class HungUp(Exception):
    """The caller hung up."""


def played_until(soundings: Sequence[Sounding], start: float, until: float) -> Played:
    """What was heard of `soundings`, which began at `start`, when they stopped at `until`."""
    ends = soundings[-1].ends if soundings else start
    reached: Reached | None = None
    for sounding in soundings:
        if isinstance(sounding.item, Mark) and sounding.began <= until:
            reached = Reached(sounding.item.name, min(until, ends) - sounding.began)
    return Played(complete=until >= ends, seconds=min(until, ends) - start, reached=reached)


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
    ) -> None:
        self.now = now
        self.played_to = now
        """Until when prompts were heard."""
        self.timer = ""
        """The timer that decided, or empty."""
        self._step = step
        self._caller = caller
        self._buffer = buffer
        self._soundings = soundings
        self._start = now
        self._ends = soundings[-1].ends if soundings else now
        self._playing = self._ends > now
        self._keys_from = _cut_from(starts, "keys", self._ends)
        self._voice_from = _cut_from(starts, "speech", self._ends)
        self._hotword = any(prompt.hotword for prompt, _ in starts)
        self._collector: Collector | None = None
        self._noinput_at = inf
        self._cap = inf if step.collect.max_time is None else now + step.collect.max_time
        self._voice: tuple[float, float, str, float] | None = None
        """Speech: its beginning, its end, what was said, how sure."""
        self._decides_at = inf
        self._barged = False

    def run(self) -> Gathered:
        """Let time pass until there is an answer.

        Raises:
            HungUp: the caller hung up instead.
        """
        try:
            return self._run()
        finally:
            if self._playing:
                self.played_to = min(self.now, self._ends)

    def _run(self) -> Gathered:
        if (answer := self._begin()) is not None:
            return answer
        while True:
            timer = self._timer_at()
            prompt = self._ends if self._playing else inf
            opens = self._keys_from if self._waits_for_keys() else inf
            deed = self._caller.next_at(self.now)
            self.now = at = min(timer, prompt, opens, self._decides_at, deed)
            if at == timer:
                answer = self._expire()
            elif at == opens:
                answer = self._open_keys()
            elif at == prompt:
                answer = self._prompt_over()
            elif at == self._decides_at:
                answer = self._decide_speech()
            else:
                answer = self._do(self._caller.take())
            if answer is not None:
                return answer

    # -- keys --------------------------------------------------------------------------------------------

    def _waits_for_keys(self) -> bool:
        return self._collector is None and self._step.keys is not None and self._keys_from >= self.now

    def _begin(self) -> Gathered | None:
        if self._step.keys is None:
            self._noinput_at = inf if self._playing else self.now + self._step.collect.timeout
            return None
        if self._start < self._keys_from < self._ends:
            self._buffer.flush()  # the first prompts are to be heard: what was typed before them is void
            return None
        return self._open_keys()

    def _open_keys(self) -> Gathered | None:
        """Let the collector begin: at the start, or with the first prompt that a key may cut."""
        assert self._step.keys is not None
        settings = self._step.collect
        whole = self._keys_from >= self._ends and self._playing
        if settings.bargein is whole or settings.max_time is not None:
            max_time = None if self._cap == inf else max(1e-9, self._cap - self.now)
            settings = msgspec.structs.replace(settings, bargein=not whole, max_time=max_time)
        self._keys_from = -inf
        self._collector = Collector(settings, self._step.keys, self._buffer)
        self._collector.start(prompt_playing=self._playing, now=self.now)
        return self._look()

    def _timer_at(self) -> float:
        if self._collector is None:
            return min(self._noinput_at, self._cap)
        due = self._collector.deadline
        return inf if due is None else due

    def _expire(self) -> Gathered | None:
        if self._collector is None:
            self.timer = "timeout" if self.now == self._noinput_at else "max_time"
            self._stop_prompts()
            return Gathered(outcome="noinput", played=self._played())
        state = self._collector.state.value
        self._collector.expire(now=self.now)
        if self._collector.result is not None:
            capped = self._cap <= self.now
            self.timer = "max_time" if capped else _TIMERS.get(state, "")
        return self._look()

    def _look(self) -> Gathered | None:
        """What the collector says now."""
        collector = self._collector
        assert collector is not None
        if collector.barged and self._playing:
            self._cut()
        if collector.result is None:
            return None
        return self._answer(collector.result)

    def _answer(self, collected: Collected) -> Gathered:
        return Gathered(
            outcome="keys" if collected.outcome == "match" else collected.outcome,
            keys=collected.digits,
            ended_with=collected.ended_with,
            barged=self._barged and collected.outcome != "noinput",
            played=self._played(),
        )

    # -- prompts -----------------------------------------------------------------------------------------

    def _prompt_over(self) -> Gathered | None:
        self._playing = False
        self.played_to = self._ends
        if self._collector is not None:
            self._collector.prompt_ended(now=self.now)
            return self._look()
        if self._voice is None:
            self._noinput_at = self.now + self._step.collect.timeout
        return None

    def _cut(self) -> None:
        self._barged = True
        self._stop_prompts()

    def _stop_prompts(self) -> None:
        if self._playing:
            self._playing = False
            self.played_to = self.now
            if self._collector is not None:
                self._collector.prompt_ended(now=self.now)

    def _played(self) -> Played:
        until = self.now if self._playing else self.played_to
        return played_until(self._soundings, self._start, until)

    # -- the caller --------------------------------------------------------------------------------------

    def _do(self, deed: Deed) -> Gathered | None:
        if deed.what == "hangup":
            raise HungUp
        if deed.what == "voice":
            self._speak(deed)
            return None
        if self._collector is None and self._step.keys is not None and self._keys_from == -inf:
            answer = self._open_keys()  # keys after a voice: they have their own timers again
            if answer is not None:
                return answer
        target = self._buffer if self._collector is None else self._collector
        (target.key_began if deed.what == "down" else target.key_ended)(deed.key, now=self.now)
        return None if self._collector is None else self._look()

    def _speak(self, deed: Deed) -> None:
        listen = self._step.listen
        if listen is None or deed.say is None:
            return
        began, ends = self.now, self.now + deed.seconds
        if self._playing and self._voice_from > began and not self._hotword:
            began = self._voice_from  # the recogniser is deaf while a prompt plays that no voice may cut
            if ends <= began:
                return
        text, sure = deed.say.text, deed.say.confidence
        if self._voice is not None:
            began, text = self._voice[0], f"{self._voice[2]} {text}"
        self._voice = (began, ends, text, sure)
        right = self._right(listen)
        if self._hotword and self._playing and not right:
            self._voice = None
            return
        if not (self._hotword and self._playing):
            self._hush()
        patience = listen.complete_timeout if right else listen.incomplete_timeout
        self._decides_at = min(ends + patience, began + listen.max_time)

    def _hush(self) -> None:
        """A voice began: prompts that it may cut stop, and nobody waits for a first key any more."""
        if self._playing and self._voice_from <= self.now:
            self._cut()
        self._noinput_at = inf
        if (
            self._collector is not None
            and self._collector.state in _BEFORE_KEYS
            and self._buffer.held is None
        ):
            self._collector = None

    def _right(self, listen: Listen) -> bool:
        assert self._voice is not None
        _, _, text, sure = self._voice
        return sure >= listen.confidence and (listen.accepts is None or listen.accepts(text))

    def _decide_speech(self) -> Gathered | None:
        assert self._voice is not None
        listen = self._step.listen
        assert listen is not None
        began, ends, text, sure = self._voice
        if self._playing:
            self._cut()
        outcome: Literal["speech", "nomatch"] = "speech" if self._right(listen) else "nomatch"
        if ends - began > listen.max_time:
            self.timer = "max_speech"
            return Gathered(outcome="toolong", barged=self._barged, played=self._played())
        return Gathered(
            outcome=outcome, heard=(Heard(text, sure),), barged=self._barged, played=self._played()
        )


_BEFORE_KEYS = (State.PROMPT, State.WAITING)

_TIMERS = {
    "prompt": "max_time",
    "waiting": "timeout",
    "partial": "interdigit",
    "matched": "interdigit",
    "closing": "termtimeout",
}


def _cut_from(starts: Sequence[tuple[Prompt, float]], by: str, ends: float) -> float:
    """From when on prompts may be cut by keys or by speech; their end for never."""
    return next((at for prompt, at in starts if prompt.bargein in (by, "any")), ends)
