"""The digit collector against an oracle that shares no algorithm with it: it counts ticks."""

import random
import re
from dataclasses import dataclass, field

from sipcc.call.digits import (
    Collector,
    CollectSettings,
    DigitBuffer,
    LengthMatcher,
    Matcher,
    OptionsMatcher,
)

TICK = 1 / 16
"""All times of the generated scripts are multiples of it, and exact in binary."""

# (phase, symbol) -> (next phase, outcome). Phases: plays, waits, some, good, full.
ORACLE = {
    ("plays", "over"): ("waits", None),
    ("waits", "zero"): ("end", "noinput"),
    ("some", "zero"): ("end", "nomatch"),
    ("good", "zero"): ("end", "match"),
    ("full", "zero"): ("end", "match"),
    ("full", "hash"): ("end", "match"),
    ("full", "other"): ("end", "match"),
    ("good", "hash"): ("end", "match"),
    ("some", "hash"): ("end", "nomatch"),
    ("plays", "cap"): ("end", "noinput"),
    ("waits", "cap"): ("end", "noinput"),
    ("some", "cap"): ("end", "nomatch"),
    ("good", "cap"): ("end", "match"),
    ("full", "cap"): ("end", "match"),
}


@dataclass
class Script:
    """One caller: keys as (digit, down, up) in ticks, relative to the start of collecting."""

    keys: list[tuple[str, int, int]]
    prompt: int
    """Length of the prompt in ticks, 0 for none."""
    matcher: Matcher
    words: re.Pattern
    """The right inputs."""
    beginnings: re.Pattern
    """What is a proper beginning of a right input."""
    timeout: int
    interdigit: int
    termtimeout: int
    max_time: int | None
    terminators: str
    bargein: bool
    opens: int = 0
    """How many ticks of the prompt no key may cut, where `bargein` is on."""
    turns: tuple[int, ...] = ()
    """Ticks after that in which it closes, opens, and so on."""
    deaf: bool = False
    resync: bool = False
    voice: int | None = None
    """When the caller begins to speak."""


@dataclass
class Heard:
    outcome: str = ""
    digits: str = ""
    ended_with: str = ""
    at: int = 0
    barged_at: int | None = None
    left: list[str] = field(default_factory=list)


class Oracle:
    """Steps through a script tick by tick with countdowns."""

    def __init__(self, script: Script) -> None:
        self.s = script
        self.heard = Heard()
        self.phase = "plays" if script.prompt else "waits"
        self.playing = script.prompt > 0
        self.left = script.timeout
        self.typed: list[str] = []
        self.down: str | None = None
        self.down_left = 0
        self.ignore_up: set[int] = set()
        self.down_index = -1
        self.digits = ""
        self.verdict: tuple[str, str] | None = None
        self.done = False
        self.open = script.bargein and not (self.playing and script.opens)
        self.spoken = False

    def run(self) -> Heard:
        tick = min([0, *(down for _, down, _ in self.s.keys)])
        last = max([0, *(up for _, _, up in self.s.keys)]) + self.s.prompt + 2000
        while not self.done:
            assert tick < last, "the oracle did not come to an end"
            if tick > 0:
                self.count_down(tick)
            if tick == 0:
                self.begin()
            if tick == self.s.prompt and self.playing and tick >= 0:
                self.over(tick)
            if tick == self.s.voice and not self.done:
                self.spoken = True
            for index, (digit, down, up) in enumerate(self.s.keys):
                if down == tick and not self.done:
                    self.key_down(index, digit, tick)
                if up == tick and index not in self.ignore_up and not self.done:
                    self.key_up(digit, tick)
            tick += 1
        self.heard.left = list(self.typed)
        return self.heard

    def begin(self) -> None:
        if self.playing and not self.open:
            self.typed.clear()
            if self.down is not None:
                self.ignore_up.add(self.down_index)
                self.down = None
        if self.down is not None:
            self.down_left = self.s.interdigit
            self.cut(0)
        self.feed(0)

    def count_down(self, tick: int) -> None:
        if self.playing and self.s.bargein and tick in (self.s.opens, *self.s.turns):
            self.open = not self.open
            if self.open and (self.digits or self.down is not None or self.verdict is not None):
                self.cut(tick)
                self.hand_out(tick)
        # Everything that is due in this tick happens before its keys; zero-length timers cascade.
        while not self.done and self.verdict is None:
            if self.down is not None:
                if self.down_left > 0:
                    self.down_left -= 1
                    if self.down_left > 0:
                        break
                self.ignore_up.add(self.down_index)
                digit, self.down = self.down, None
                self.typed.append(digit)
                self.feed(tick)
                fresh = self.left
                if fresh:
                    break
                continue
            if self.phase == "plays" or (self.phase == "waits" and self.spoken):
                break
            if self.left > 0:
                self.left -= 1
            if self.left > 0:
                break
            self.step("zero", tick)
        if not self.done and tick == self.s.max_time:
            if self.verdict is None and self.down is not None:
                self.ignore_up.add(self.down_index)
                digit, self.down = self.down, None
                self.typed.append(digit)
                self.feed(tick)
            if self.verdict is None:
                self.step("cap", tick)
            if self.playing and self.heard.barged_at is None:
                self.heard.barged_at = tick
            self.playing = False
            self.hand_out(tick)

    def over(self, tick: int) -> None:
        self.playing = False
        if self.phase == "plays":
            self.phase, _ = ORACLE[self.phase, "over"]
            self.left = self.s.timeout
        self.hand_out(tick)

    def cut(self, tick: int) -> None:
        if self.playing and self.open:
            self.playing = False
            self.heard.barged_at = tick

    def key_down(self, index: int, digit: str, tick: int) -> None:
        if self.s.deaf and self.playing and not self.open and tick >= 0:
            self.ignore_up.add(index)
            return
        self.down, self.down_index, self.down_left = digit, index, self.s.interdigit
        if tick >= 0 and self.verdict is None:
            self.cut(tick)

    def key_up(self, digit: str, tick: int) -> None:
        self.down = None
        self.typed.append(digit)
        if tick >= 0:
            self.feed(tick)

    def feed(self, tick: int) -> None:
        while self.typed and self.verdict is None:
            self.cut(tick)
            key = self.typed[0]
            is_hash = key in self.s.terminators
            if self.phase == "full" and not is_hash:
                self.step("other", tick)
                return
            self.typed.pop(0)
            word = self.digits + key
            if self.phase != "full" and self.s.words.fullmatch(word):
                self.digits = word
                if self.s.beginnings.fullmatch(word):
                    self.phase, self.left = "good", self.s.interdigit
                else:
                    self.phase, self.left = "full", self.s.termtimeout
                    if not self.left:
                        self.step("zero", tick)
            elif self.phase != "full" and self.s.beginnings.fullmatch(word):
                self.digits, self.phase, self.left = word, "some", self.s.interdigit
            elif is_hash and self.digits:
                self.step("hash", tick, key)
            elif is_hash:
                self.finish("match" if self.s.words.fullmatch("") else "nomatch", key, tick)
            else:
                self.digits = word
                self.finish("nomatch", "", tick)

    def step(self, symbol: str, tick: int, ended_with: str = "") -> None:
        _, verdict = ORACLE[self.phase, symbol]
        self.finish(verdict, ended_with, tick)

    def finish(self, verdict: str, ended_with: str, tick: int) -> None:
        self.verdict = (verdict, ended_with)
        self.hand_out(tick)

    def hand_out(self, tick: int) -> None:
        if self.verdict is None or self.playing or self.done:
            return
        self.done = True
        if self.verdict[0] == "nomatch" and not self.s.resync:
            self.typed.clear()
        self.heard.outcome, self.heard.ended_with = self.verdict
        self.heard.digits, self.heard.at = self.digits, tick


def run_collector(script: Script, *, punctual: bool) -> Heard:
    """Run the real one; unpunctual means that timers are only noticed with the next event."""
    settings = CollectSettings(
        timeout=script.timeout * TICK,
        interdigit=script.interdigit * TICK,
        termtimeout=script.termtimeout * TICK,
        terminators=script.terminators,
        max_time=None if script.max_time is None else script.max_time * TICK,
        bargein=script.bargein,
        resync=script.resync,
        deaf=script.deaf,
    )
    buffer = DigitBuffer()
    core = Collector(settings, script.matcher, buffer)
    steps = [(0, 0, "start", "")]
    if script.voice is not None:
        steps.append((script.voice, 1, "voice", ""))
    for digit, down, up in script.keys:
        steps += [(down, 2, "down", digit), (up, 2, "up", digit)]
    steps.sort(key=lambda step: step[:2])  # stable: the keys of one tick keep their order
    heard = Heard()

    def note(at: float) -> bool:
        if core.barged and heard.barged_at is None:
            heard.barged_at = round(at / TICK)
        if core.result is not None:
            heard.outcome, heard.digits = core.result.outcome, core.result.digits
            heard.ended_with, heard.at = core.result.ended_with, round(at / TICK)
            heard.left = [p.digit for p in buffer.presses]
            return True
        return False

    def due_before(limit: float) -> bool:
        while punctual and (due := core.deadline) is not None and due <= limit:
            core.expire(now=due)
            if note(due):
                return True
        return False

    ended = script.prompt == 0
    for tick, _, kind, digit in [*steps, (10**6, 3, "stop", "")]:
        now = tick * TICK
        while not ended and tick >= script.prompt and (kind != "start"):
            if due_before(script.prompt * TICK):
                return heard
            ended = True
            if not core.barged:
                core.prompt_ended(now=script.prompt * TICK)
                if note(script.prompt * TICK):
                    return heard
        if tick >= 0 and due_before(now):
            return heard
        if kind == "start":
            turns = [turn * TICK for turn in script.turns]
            core.start(
                prompt_playing=script.prompt > 0, now=now, opens_after=script.opens * TICK, turns=turns
            )
        elif kind == "voice":
            core.voice_began(now=now)
        elif kind == "stop":
            core.expire(now=now)
        else:
            target = core if tick >= 0 else buffer
            (target.key_began if kind == "down" else target.key_ended)(digit, now=now)
        if note(now):
            return heard
    raise AssertionError("the collector did not come to an end")


MATCHERS = [
    (LengthMatcher(1), r"[0-9*]", r""),
    (LengthMatcher(4), r"[0-9*]{4}", r"[0-9*]{0,3}"),
    (LengthMatcher(2, 4, "0123456789"), r"[0-9]{2,4}", r"[0-9]{0,3}"),
    (LengthMatcher(0, 2), r"[0-9*]{0,2}", r"[0-9*]{0,1}"),
    (OptionsMatcher({"1", "12", "2", "*", "0"}), r"1|12|2|\*|0", r"|1"),
    (OptionsMatcher({"1#", "1", "23"}), r"1#|1|23", r"|1|2"),
]


def random_script(rng: random.Random) -> Script:
    matcher, words, beginnings = rng.choice(MATCHERS)
    keys = []
    at = rng.choice([-20, -3, 0, 1, 5, 20, 60]) + rng.randrange(8)
    for _ in range(rng.choice([0, 1, 1, 2, 3, 4, 5, 6])):
        held = rng.choice([1, 1, 2, 2, 3, 8, 60])
        keys.append((rng.choice("0112222334*##"), at, at + held))
        at += held + rng.choice([1, 1, 2, 4, 10, 30, 47, 48, 49, 80])
    max_time = rng.choice([None, None, None, 30, 90])
    opens = rng.choice([0, 0, 0, 3, 20, 39, 40, 60, 200])
    turns = sorted(
        {opens + rng.choice([1, 2, 17, 20, 36, 40, 60]) for _ in range(rng.choice([0, 0, 1, 2, 3]))}
    )
    return Script(
        keys=keys,
        prompt=rng.choice([0, 0, 5, 40, 120]),
        matcher=matcher,
        words=re.compile(words),
        beginnings=re.compile(beginnings),
        timeout=rng.choice([16, 40, 80]),
        interdigit=rng.choice([8, 32, 48]),
        termtimeout=rng.choice([0, 0, 6, 30]),
        max_time=max_time,
        terminators=rng.choice(["#", "#", "", "*#"]),
        bargein=rng.random() < 0.7,
        opens=opens,
        turns=tuple(turns),
        deaf=rng.random() < 0.3,
        resync=rng.random() < 0.3,
        voice=None if max_time is None else rng.choice([None, None, 0, 4, 25, 41, 70]),
    )


def test_five_thousand_callers_against_the_oracle():
    rng = random.Random(20261121)
    outcomes = {"match": 0, "noinput": 0, "nomatch": 0}
    for number in range(5000):
        script = random_script(rng)
        expected = Oracle(script).run()
        assert run_collector(script, punctual=True) == expected, (number, script)
        late = run_collector(script, punctual=False)
        assert (late.outcome, late.digits, late.ended_with) == (
            expected.outcome,
            expected.digits,
            expected.ended_with,
        ), (number, script)
        outcomes[expected.outcome] += 1
    assert min(outcomes.values()) > 500, outcomes
