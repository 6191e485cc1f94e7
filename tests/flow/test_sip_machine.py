"""All verbs of both sides at random on a lossy network; Hypothesis shrinks what leaves something behind."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from benchmarks._pairs import SDP, SETTLED_S, Pair, Party
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from sipcc.sip import InviteSession, SessionPolicy, SessionState
from sipcc.sip.session_timer import TimerPolicy
from sipcc.testing.link import Link
from sipcc.testing.loop import VirtualClockLoop

OPTIONS = st.sampled_from(("off", "supported", "required"))
TIMERS = st.sampled_from((TimerPolicy(), TimerPolicy("supported", 90), TimerPolicy("required", 90)))
SIDES = st.sampled_from(("near", "far"))
BODIES = st.sampled_from((SDP, b""))


class TwoParties(RuleBasedStateMachine):
    """One call; at the end both sides hang up and nothing may be left."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=VirtualClockLoop)
        self.pair: Pair
        self.parties: dict[str, Party] = {}

    @initialize(
        seed=st.integers(0, 2**16),
        loss=st.sampled_from((0.0, 0.2, 0.4)),
        body=BODIES,
        policies=st.tuples(OPTIONS, TIMERS, OPTIONS, TIMERS),
    )
    def begin(self, seed: int, loss: float, body: bytes, policies: tuple[Any, ...]) -> None:
        async def start() -> None:
            link = Link(loss=loss, duplicate=loss / 2, reorder=loss, delay=0.01, jitter=0.02)
            self.pair = Pair(seed, link)
            dice = random.Random(seed)
            self.parties = {"near": Party(dice), "far": Party(dice)}
            self.pair.answer = self._arrived
            self.pair.far_policy = SessionPolicy(policies[2], policies[3])
            await self.pair.start()
            self.pair.call(self.parties["near"], body=body, policy=SessionPolicy(policies[0], policies[1]))
            await asyncio.sleep(0.01)

        self.runner.run(start())

    def _arrived(self, session: InviteSession) -> None:
        self.parties["far"].session = session
        session.listener = self.parties["far"]

    def _do(self, side: str, verb: str, *args: Any, **kwargs: Any) -> None:
        async def act() -> None:
            party = self.parties[side]
            if party.session is not None:
                party.do(lambda: getattr(party.session, verb)(*args, **kwargs))

        self.runner.run(act())

    @rule(seconds=st.sampled_from((0.0, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 50.0)))
    def wait(self, seconds: float) -> None:
        self.runner.run(asyncio.sleep(seconds))

    @precondition(lambda self: self.parties["far"].session is not None)
    @rule(status=st.sampled_from((180, 183)), body=BODIES, reliable=st.sampled_from((None, True, False)))
    def ring(self, status: int, body: bytes, reliable: bool | None) -> None:
        self._do("far", "ring", status, body=body, reliable=reliable)

    @precondition(lambda self: self.parties["far"].session is not None)
    @rule()
    def accept(self) -> None:
        self._do("far", "accept", SDP)

    @precondition(lambda self: self.parties["far"].session is not None)
    @rule()
    def reject(self) -> None:
        self._do("far", "reject", 486)

    @rule()
    def cancel(self) -> None:
        self._do("near", "cancel")

    @rule(side=SIDES)
    def bye(self, side: str) -> None:
        self._do(side, "bye")

    @rule(side=SIDES, body=BODIES)
    def reinvite(self, side: str, body: bytes) -> None:
        self._do(side, "reinvite", body)

    @rule(side=SIDES, body=BODIES)
    def update(self, side: str, body: bytes) -> None:
        self._do(side, "update", body)

    @rule(side=SIDES, method=st.sampled_from(("INFO", "MESSAGE", "OPTIONS", "BYE")))
    def request(self, side: str, method: str) -> None:
        self._do(side, "send_request", method)

    @rule(side=SIDES, method=st.sampled_from(("answer_offer", "refuse_offer")))
    def answer(self, side: str, method: str) -> None:
        self._do(side, method, *([SDP] if method == "answer_offer" else []))

    def teardown(self) -> None:
        if self.parties:
            self.runner.run(self._end())
        self.runner.close()

    async def _end(self) -> None:
        for _ in range(3):  # a re-INVITE or a 200 that waits may keep one from its end at first
            for party in self.parties.values():
                session = party.session
                if session is None or party.over or party.do(session.bye):
                    continue
                party.do(session.cancel if session.role == "uac" else lambda s=session: s.reject(480))  # type: ignore[misc]
            await asyncio.sleep(40)
        await asyncio.sleep(SETTLED_S)
        assert self.pair.left() == {}
        for party in self.parties.values():
            assert party.over, party.said
            assert party.session is None or party.session.state is SessionState.TERMINATED
            assert party.told("ended") + party.told("rejected") + party.told("cancelled") <= 1, party.said
            assert party.told("accepted") <= 1
        await self.pair.stop()


TestTwoParties = TwoParties.TestCase
TestTwoParties.settings = settings(
    max_examples=100, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
