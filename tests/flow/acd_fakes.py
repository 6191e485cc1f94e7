"""Callers, phones and a dialer for the flow tests of the ACD: no SIP, no sound, but the real clock rules."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sipcc.acd import Acd, AgentSettings, QueueSettings, RingOutcome
from sipcc.acd.events import OfferOutcome
from sipcc.bus import Bus
from sipcc.clock import LoopClock
from sipcc.errors import CallEnded
from sipcc.ids import Ids
from sipcc.recordpolicy import RecordPolicy
from sipcc.rtp.events import DigitBegan, DigitEnded

CANCEL_TAKES = 0.05
"""Seconds from our CANCEL to the phone's 487."""


KeySink = Callable[[DigitBegan | DigitEnded], None]


def now() -> float:
    return asyncio.get_running_loop().time()


class FakeLeg:
    """An agent's answered leg."""

    def __init__(self, agent: str) -> None:
        self.agent = agent
        self.over: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def hangup(self, cause: str = "normal") -> None:
        self.end("us")

    def end(self, by: str) -> None:
        """It is over: by ``callee``, ``network``..., or ``lost``, when the phone died."""
        if not self.over.done():
            self.over.set_result(by)


@dataclass
class FakeTalk:
    ended_by: str
    seconds: float
    lost: bool = False


class FakeCaller:
    """A caller who keeps a diary of what is heard: (second since the call began, what)."""

    def __init__(self, name: str = "c1", *, prompt_takes: float = 2.0, stubborn: float = 0.0) -> None:
        self.id = name
        self.caller = "13800138000"
        self.over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.prompt_takes = prompt_takes
        self.stubborn = stubborn
        """Seconds for which a prompt plays on although it was cancelled."""
        self.heard: list[tuple[float, str]] = []
        self.types: tuple[str | None, float] = (None, 10.0)
        """What this caller types when it is asked, and how long it takes."""
        self.playing = ""
        self.leg: FakeLeg | None = None
        self.policy: RecordPolicy | None = None
        self.bridge_error: Exception | None = None
        self.key_sinks: list[KeySink] = []
        self._began = now()

    @property
    def ended(self) -> bool:
        return self.over.done()

    def hang_up(self) -> None:
        if not self.over.done():
            self.over.set_result("normal")

    def note(self, what: str) -> None:
        self.playing = what
        self.heard.append((round(now() - self._began, 3), what))

    def _check(self) -> None:
        if self.ended:
            raise CallEnded("normal")

    def start_playing(self, *prompts: str, loop: bool = False, shared: bool = False) -> None:
        self._check()
        self.note("~" + "+".join(prompts))

    def stop_playing(self) -> None:
        if self.playing:
            self.note("")

    async def play(self, *prompts: str) -> None:
        self._check()
        self.note("+".join(prompts))
        try:
            await self._until_over(self.prompt_takes)
        except asyncio.CancelledError:
            if self.stubborn:
                await asyncio.sleep(self.stubborn)
            raise

    async def say(self, kind: str, value: object) -> None:
        self._check()
        self.note(f"{kind} {value}")
        await self._until_over(1.0)

    async def ask(self, *prompts: str, digits: tuple[int, int] = (1, 1), timeout: float = 5.0) -> str | None:
        self._check()
        self.note("?" + "+".join(prompts))
        answer, typed = self.types
        await self._until_over(typed)
        return answer

    async def _until_over(self, seconds: float) -> None:
        await asyncio.wait({self.over}, timeout=seconds)
        self._check()

    def listen_keys(self, sink: KeySink) -> None:
        self.key_sinks.append(sink)

    def unlisten_keys(self, sink: KeySink) -> None:
        self.key_sinks.remove(sink)

    def press(self, key: str) -> None:
        for sink in self.key_sinks[-1:]:
            sink(DigitBegan("port", key))
            sink(DigitEnded("port", key, 100))

    async def prepare_recording(self, policy: RecordPolicy) -> None:
        self.policy = policy
        if policy.rules.prompt:
            await self.play(policy.rules.prompt)

    async def bridge(self, leg: Any) -> FakeTalk:
        self._check()
        if self.bridge_error is not None:
            raise self.bridge_error
        started = now()
        self.leg = leg
        self.note(f"<{leg.agent}>")
        await asyncio.wait({self.over, leg.over}, return_when=asyncio.FIRST_COMPLETED)
        self.note("")
        by = "caller" if self.over.done() else leg.over.result()
        return FakeTalk("network" if by == "lost" else by, now() - started, lost=by == "lost")

    async def wait_ended(self) -> str:
        return await asyncio.shield(self.over)


Behaviour = tuple[OfferOutcome, float]
"""What a phone does, and after how many seconds."""


class FakeDialer:
    """Rings phones that behave as told, and watches that no phone is rung twice at a time."""

    def __init__(self, default: Behaviour = ("answered", 3.0)) -> None:
        self.default = default
        self.behaviour: dict[str, list[Behaviour]] = {}
        """Behaviours of an agent's next rings; the last one stays."""
        self.rings: list[tuple[float, str, str]] = []
        """(time, agent, call) of each ring."""
        self.live: Counter[str] = Counter()
        self.cancelled: list[str] = []
        self.legs: list[FakeLeg] = []
        self.error: Exception | None = None
        self.choose: Callable[[str], Behaviour] | None = None
        self.answers_cancel = False
        """True for phones whose 200 crosses our CANCEL, and a dialer that hands the leg up."""

    def _next(self, agent: str) -> Behaviour:
        if self.choose is not None:
            return self.choose(agent)
        script = self.behaviour.get(agent)
        if not script:
            return self.default
        return script.pop(0) if len(script) > 1 else script[0]

    async def ring(self, call: Any, agent: AgentSettings, *, timeout: float) -> RingOutcome:
        self.rings.append((now(), agent.name, call.id))
        self.live[agent.name] += 1
        assert self.live[agent.name] == 1, f"{agent.name} is rung twice at a time"
        try:
            if self.error is not None:
                raise self.error
            outcome, after = self._next(agent.name)
            if after >= timeout:
                outcome = "no_answer"
            await asyncio.sleep(min(after, timeout))
            if outcome != "answered":
                return RingOutcome(outcome, 480)
            return RingOutcome("answered", 200, self._leg(agent.name))
        except asyncio.CancelledError:
            self.cancelled.append(agent.name)
            if self.answers_cancel:
                return RingOutcome("answered", 200, self._leg(agent.name))
            await asyncio.sleep(CANCEL_TAKES)
            raise
        finally:
            self.live[agent.name] -= 1

    def _leg(self, agent: str) -> FakeLeg:
        self.legs.append(FakeLeg(agent))
        return self.legs[-1]


class Centre:
    """A started ACD with fakes around it."""

    def __init__(
        self, agents: Sequence[AgentSettings], queues: Sequence[QueueSettings], *, seed: int = 1, **more: Any
    ) -> None:
        self.dialer = FakeDialer()
        self.bus = Bus()
        self.events: list[Any] = []
        self.bus.on_all(self.events.append)
        self.acd = Acd(
            agents,
            queues,
            dialer=self.dialer,
            bus=self.bus,
            clock=LoopClock(),
            ids=Ids(random.Random(seed)),
            **more,
        )

    def state(self, agent: str) -> str:
        return self.acd.floor.staff.get(agent).state.value

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if type(event) is kind]

    def idle(self) -> bool:
        """True when nothing of any visit is left."""
        floor = self.acd.floor
        return not (
            floor.entries or floor.offers or self.acd._visits or self.acd._ringing or len(self.acd.tasks)
        )


async def centre(*names: str, settings: Sequence[AgentSettings] = (), **queue: Any) -> Centre:
    """A centre with one queue ``q`` whose agents have fixed contacts, and so are ready at once."""
    agents = settings or [
        AgentSettings(name=name, uri="carrier/13800138000", queues=("q",)) for name in names
    ]
    it = Centre(agents, [QueueSettings(name="q", **({"strategy": "linear"} | queue))])
    await it.acd.start()
    return it
