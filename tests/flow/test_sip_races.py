"""The races that break back-to-back user agents, each over many interleavings on the memory network.

The names of the first ones are those of siprustserver. Each test plays its race 200 times: the same two
verbs at moments a few milliseconds apart, on links of up to 5 ms, half of the time with loss, duplication
and reordering. Whatever the order, the outcome must be one that is right, and nothing may stay behind.

``SIPCC_RACES=1000`` plays each race, and each case below them, so many times.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from benchmarks._pairs import SDP, SETTLED_S, Pair, Party, simulate
from tests.unit.sip.test_session import ANSWER, OFFER, Rig

from sipcc.sip import InviteSession, Request, SessionPolicy, SessionState
from sipcc.sip.session_timer import TimerPolicy
from sipcc.testing.link import Link

WANTED = int(os.environ.get("SIPCC_RACES", "0"))
SEEDS = WANTED or 200
CASES = WANTED or 40
JITTER = Link(jitter=0.005)
BAD = Link(loss=0.2, duplicate=0.1, reorder=0.2, jitter=0.005)
RELIABLE = SessionPolicy(reliable="supported")


async def until(reached: Callable[[], object]) -> None:
    """Wait for what a race begins with."""
    while not reached():  # noqa: ASYNC110  # time is virtual
        await asyncio.sleep(0.001)


class Race:
    """One call between two parties, and its outcome."""

    def __init__(self, seed: int, link: Link) -> None:
        self.dice = random.Random(seed)
        self.pair = Pair(seed, link)
        self.near = Party(self.dice, hasty=True)
        self.far = Party(self.dice, hasty=True)
        self.pair.answer = self._arrived

    def _arrived(self, session: InviteSession) -> None:
        self.far.session = session
        session.listener = self.far
        self.arrived(session)

    def arrived(self, session: InviteSession) -> None:
        """What the called side does at once; a race may put another one here."""

    @property
    def caller(self) -> InviteSession:
        assert self.near.session is not None
        return self.near.session

    @property
    def called(self) -> InviteSession:
        assert self.far.session is not None
        return self.far.session

    async def ring(self, *, policy: SessionPolicy = SessionPolicy(), body: bytes = SDP) -> None:  # noqa: B008
        self.pair.far_policy = policy
        self.pair.call(self.near, body=body, policy=policy)
        await until(lambda: self.far.session is not None)

    async def talk(self) -> None:
        await self.ring()
        self.called.accept(SDP)
        await until(lambda: self.far.told("acknowledged"))

    async def apart(self) -> None:
        """A gap as long as the network is quick."""
        await asyncio.sleep(self.dice.choice((0.0, self.dice.uniform(0, 0.006), self.dice.uniform(0, 0.02))))

    def methods(self, start: bytes) -> list[bytes]:
        """What was sent, as start lines."""
        lines = [packet.data.split(b"\r\n", 1)[0] for packet in self.pair.network.captured]
        return [line for line in lines if line.startswith(start)]

    async def settle(self) -> None:
        """Both sides hang up what is left; then nothing may be left."""
        await asyncio.sleep(40)
        for party in (self.near, self.far):
            session = party.session
            if session is not None and not party.over:
                party.do(session.bye) or party.do(session.cancel)
        await asyncio.sleep(SETTLED_S)
        assert self.pair.left() == {}
        assert self.near.over
        assert self.far.over
        for party in (self.near, self.far):
            ends = party.told("ended") + party.told("rejected") + party.told("cancelled")
            refused = party is self.far and self.methods(b"SIP/2.0 486")  # it knows its own refusal
            assert ends == (party.session is not None and not refused), party.said
            assert party.told("accepted") <= 1
        await self.pair.stop()


Play = Callable[[Race], Awaitable[None]]


async def race(play: Play, *, link: Link | None = None, seeds: int = SEEDS) -> None:
    """Play one race with each seed."""
    for seed in range(seeds):
        one = Race(seed, link or (BAD if seed % 2 else JITTER))
        await one.pair.start()
        try:
            await play(one)
            await one.settle()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}; {one.near.said} {one.far.said}") from error


async def test_cancel_200_crossing() -> None:
    async def play(one: Race) -> None:
        await one.ring()
        one.called.ring()
        await asyncio.sleep(1)
        first, second = one.called.accept, one.caller.cancel
        if one.dice.random() < 0.5:
            second()
            await one.apart()
            first(SDP)
        else:
            first(SDP)
            await one.apart()
            second()
        await asyncio.sleep(39)
        assert one.near.over
        assert one.near.told("rejected") == 1 or one.near.said[-1] == ("ended", "us")
        assert one.far.told("cancelled") + one.far.told("ended") == 1

    await race(play)


async def test_cancel_before_provisional() -> None:
    async def play(one: Race) -> None:
        one.pair.call(one.near)
        await one.apart()
        one.caller.cancel()
        await asyncio.sleep(70)
        assert one.near.over
        if one.far.session is not None:
            assert one.far.over
            assert one.far.told("cancelled") == 1

    await race(play)


async def test_cancel_during_slow_decision() -> None:
    async def play(one: Race) -> None:
        await one.ring()
        await asyncio.sleep(one.dice.uniform(0, 3))
        one.caller.cancel()
        await asyncio.sleep(40)
        assert one.near.said[-1][0] == "rejected"
        assert one.far.said == [("cancelled",)]
        one.called.ring()
        one.called.accept(SDP)
        one.called.reject(486)
        assert one.called.state is SessionState.TERMINATED

    await race(play)


async def test_decision_lands_on_cancelled_call() -> None:
    async def play(one: Race) -> None:
        await one.ring()
        one.called.ring()
        await asyncio.sleep(1)
        one.caller.cancel()
        await one.apart()
        decide = one.dice.choice(
            (lambda: one.called.reject(486), lambda: one.called.accept(SDP), lambda: one.called.ring(183))
        )
        one.far.do(decide)

    await race(play)


async def test_bye_reinvite_2xx_ack_cross() -> None:
    async def play(one: Race) -> None:
        await one.talk()
        sides = [one.near, one.far]
        one.dice.shuffle(sides)
        first, second = (party.session for party in sides)
        assert first is not None
        assert second is not None
        await asyncio.sleep(1)
        sides[0].do(lambda: first.reinvite(SDP))
        await one.apart()
        sides[1].do(second.bye)
        await one.apart()
        if one.dice.random() < 0.3:
            sides[0].do(first.bye)

    await race(play)


async def test_each_2xx_to_a_reinvite_is_acknowledged_also_after_the_bye() -> None:
    async def play(one: Race) -> None:
        await one.talk()
        await asyncio.sleep(1)
        one.caller.reinvite(SDP)
        await one.apart()
        one.caller.bye()
        await asyncio.sleep(5)
        got = one.methods(b"ACK")
        answered = [
            packet for packet in one.pair.network.captured
            if packet.data.startswith(b"SIP/2.0 200") and b"CSeq: 2 INVITE" in packet.data
        ]  # fmt: skip
        assert len(got) >= 1 + bool(answered)

    await race(play, link=JITTER)


async def test_duplicate_ack_absorbed() -> None:
    async def play(one: Race) -> None:
        await one.talk()
        await asyncio.sleep(2)
        assert one.far.told("acknowledged") == 1
        assert one.called.state is SessionState.CONFIRMED

    await race(play, link=Link(duplicate=1.0, jitter=0.005))


async def test_ack_before_the_waiter() -> None:
    async def play(one: Race) -> None:
        one.arrived = lambda session: session.accept(SDP)  # type: ignore[method-assign]
        one.pair.call(one.near)
        await asyncio.sleep(10)
        assert one.far.said == [("acknowledged", b"")]
        assert len(one.methods(b"SIP/2.0 200")) == 1

    await race(play, link=Link(), seeds=1)


async def test_early_dialog_bye() -> None:
    async def play(one: Race) -> None:
        await one.ring()
        one.called.ring()
        await asyncio.sleep(0.1)
        one.called.ring()
        await asyncio.sleep(61)  # it is repeated after a minute
        await one.apart()
        one.near.do(lambda: one.caller.send_request("BYE"))
        if one.dice.random() < 0.3:
            await one.apart()
            one.far.do(lambda: one.called.accept(SDP))

    await race(play)


async def test_fake_prack() -> None:
    async def play(one: Race) -> None:
        await one.ring(policy=RELIABLE)
        one.called.ring(183, body=SDP)
        await one.apart()
        one.called.accept(SDP)
        await until(lambda: one.near.told("provisional"))
        statuses: list[int] = []
        one.near.do(
            lambda: one.caller.send_request(
                "PRACK",
                headers=[("RAck", "1 1 INVITE")],
                on_response=lambda response: statuses.append(response.status if response else 0),
            )
        )
        await asyncio.sleep(39)
        assert statuses in ([481], [0], [500], [])

    await race(play)


async def test_late_prack() -> None:
    async def play(one: Race) -> None:
        await one.ring(policy=RELIABLE)
        one.called.ring(180)
        await one.apart()
        how = one.dice.choice(("accept", "reject", "cancel"))
        if how == "accept":
            one.called.accept(SDP)
        elif how == "reject":
            one.called.reject(486)
        else:
            one.caller.cancel()

    await race(play)


async def test_bye_no_200_reap() -> None:
    async def play(one: Race) -> None:
        await one.talk()
        await asyncio.sleep(2)
        one.pair.network.partition("10.0.0.1", "10.0.0.2")
        one.caller.bye()
        await one.apart()
        one.called.bye()
        await asyncio.sleep(33)
        assert one.pair.near.sessions == one.pair.far.sessions == 0

    await race(play)


async def test_reinvite_right_after_the_answer() -> None:
    async def play(one: Race) -> None:
        await one.ring()
        one.called.accept(SDP)
        await until(lambda: one.near.told("accepted"))
        one.caller.reinvite(SDP)
        await asyncio.sleep(39)
        assert one.near.said[-1] == ("reinvite", 200), one.near.said
        assert one.far.told("offer") == 1

    await race(play, link=Link(jitter=0.02))


@pytest.mark.parametrize("near", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("far", ["INVITE", "UPDATE"])
async def test_glare(near: str, far: str) -> None:
    async def play(one: Race) -> None:
        await one.talk()
        await asyncio.sleep(1)
        for party, method in ((one.near, near), (one.far, far)):
            session = party.session
            assert session is not None
            party.do(lambda s=session, m=method: s.reinvite(SDP) if m == "INVITE" else s.update(SDP))  # type: ignore[misc]
            await one.apart()
        await asyncio.sleep(39)
        for party in (one.near, one.far):
            assert {said[1] for said in party.said if said[0] == "reinvite"} <= {200}, party.said

    await race(play, link=JITTER, seeds=WANTED or 100)


async def test_a_gone_peer_is_found_by_the_session_timer() -> None:
    async def play(one: Race) -> None:
        policy = SessionPolicy(timer=TimerPolicy("supported", 90))
        await one.ring(policy=policy)
        one.called.accept(SDP)
        await asyncio.sleep(30)
        one.pair.network.partition("10.0.0.1", "10.0.0.2")
        await asyncio.sleep(120)
        assert one.near.said[-1] == one.far.said[-1] == ("ended", "network")

    await race(play, link=JITTER, seeds=WANTED or 20)


# -- against a peer that does only what the test says ------------------------------------------------


@pytest.fixture
async def rigs() -> AsyncIterator[Callable[[], Awaitable[Rig]]]:
    made: list[Rig] = []

    async def make() -> Rig:
        rig = Rig()
        await rig.start()
        made.append(rig)
        return rig

    yield make
    await asyncio.sleep(SETTLED_S)
    for rig in made:
        assert (len(rig.endpoint.layer), rig.endpoint.sessions, len(rig.endpoint.scope)) == (0, 0, 0)
        assert rig.endpoint.outbound.deadlines.first is None
        assert rig.endpoint.counters["crashes"] == 0
        await rig.endpoint.stop()


Rigs = Callable[[], Awaitable[Rig]]


async def answer_requests(rig: Rig) -> list[Request]:
    """200 to each request but ACK that came since the last look; all of them."""
    await asyncio.sleep(0.001)
    found = list({bytes(m): m for m in rig.take() if isinstance(m, Request)}.values())
    for request in found:
        if request.method in ("BYE", "PRACK"):
            await rig.answer(request, 200, request.to.tag)
    return found


@pytest.mark.parametrize("seed", range(CASES))
async def test_second_cancel(rigs: Rigs, seed: int) -> None:
    rig, dice = await rigs(), random.Random(seed)
    await rig.ring_in()
    if dice.random() < 0.5:
        rig.session.ring()
    for _ in range(dice.randrange(2, 5)):
        await rig.send(rig.make("CANCEL", 1, branch="z9hG4bKinvite"))
        await asyncio.sleep(dice.choice((0, dice.uniform(0, 1))))
    words = rig.words()
    assert "481 CANCEL" not in words
    assert rig.log.said == [("cancelled",)]
    await rig.send(rig.make("ACK", 1, branch="z9hG4bKinvite"))


@pytest.mark.parametrize("seed", range(CASES))
async def test_cancel_after_our_200_and_no_ack_is_no_ghost(rigs: Rigs, seed: int) -> None:
    rig, dice = await rigs(), random.Random(seed)
    await rig.ring_in()
    rig.session.accept(ANSWER)
    await asyncio.sleep(dice.uniform(0, 30))
    await rig.send(rig.make("CANCEL", 1, branch="z9hG4bKinvite"))
    assert "200 CANCEL" in rig.words()  # a 200 INVITE may be due in this very moment
    await asyncio.sleep(33)
    assert rig.log.said == [("ended", "network")]
    assert "BYE" in rig.words()


@pytest.mark.parametrize("seed", range(CASES))
async def test_fork_straggler_no_leak(rigs: Rigs, seed: int) -> None:
    rig, dice = await rigs(), random.Random(seed)
    invite = await rig.call_out()
    tags = ["a", "b", "c"]
    for tag in dice.sample(tags, dice.randrange(4)):
        await rig.answer(invite, dice.choice((180, 183)), tag)
    dice.shuffle(tags)
    rig.take()
    ended = dice.random() < 0.5
    sent: list[Request] = []
    for tag in tags:
        await rig.answer(invite, 200, tag, ANSWER)
        sent += await answer_requests(rig)
        if ended and tag == tags[0]:
            rig.session.bye()
            sent += await answer_requests(rig)
        await asyncio.sleep(dice.uniform(0, 5))
    assert {m.to.tag for m in sent if m.method == "ACK"} == set(tags)
    assert {m.to.tag for m in sent if m.method == "BYE"} == set(tags if ended else tags[1:])
    assert [said for said in rig.log.said if said[0] == "accepted"] == [("accepted", tags[0])]
    if not ended:
        assert rig.session.remote_tag == tags[0]
        rig.session.bye()
        await answer_requests(rig)


@pytest.mark.parametrize("seed", range(CASES))
async def test_forked_callee_per_fork_cseq(rigs: Rigs, seed: int) -> None:
    rig, dice = await rigs(), random.Random(seed)
    invite = await rig.call_out()
    waiting = {tag: dice.randrange(1, 5) for tag in "abc"}
    rseq = {tag: dice.randrange(1, 2**31) for tag in waiting}
    pracks: dict[str, list[int]] = {tag: [] for tag in waiting}
    while any(waiting.values()):
        tag = dice.choice([tag for tag, count in waiting.items() if count])
        waiting[tag] -= 1
        headers = (("Require", "100rel"), ("RSeq", str(rseq[tag])))
        for _ in range(dice.randrange(1, 3)):
            await rig.answer(invite, 183, tag, headers=headers)
        rseq[tag] += 1
        for request in await answer_requests(rig):
            pracks[request.to.tag].append(request.cseq.number)
    for numbers in pracks.values():
        assert numbers == list(range(2, 2 + len(numbers)))
    assert set(rig.session.dialogs) == set(waiting)
    winner = dice.choice("abc")
    await rig.answer(invite, 200, winner, ANSWER)
    rig.session.bye()
    bye = next(m for m in await answer_requests(rig) if m.method == "BYE")
    assert (bye.to.tag, bye.cseq.number) == (winner, 2 + len(pracks[winner]))


@pytest.mark.parametrize("tag", ["a", "b", "other"])
async def test_forked_callee_rejection_tag(rigs: Rigs, tag: str) -> None:
    rig = await rigs()
    invite = await rig.call_out()
    await rig.answer(invite, 180, "a")
    await rig.answer(invite, 180, "b")
    await rig.answer(invite, 486, tag)
    assert rig.log.said[-1] == ("rejected", 486)
    ack = rig.take()[-1]
    assert isinstance(ack, Request)
    assert (ack.method, ack.to.tag) == ("ACK", tag)


async def test_the_to_tag_of_the_200_wins(rigs: Rigs) -> None:
    rig = await rigs()
    invite = await rig.call_out()
    await rig.answer(invite, 180, "a")
    await rig.answer(invite, 200, "b", ANSWER)
    rig.take()
    rig.session.bye()
    (bye,) = await answer_requests(rig)
    assert bye.to.tag == "b"
    assert str(bye.uri) == "sip:alice-b@10.0.0.1:5060"


@pytest.mark.parametrize("seed", range(CASES))
async def test_cancel_reinvite_offering_100rel(rigs: Rigs, seed: int) -> None:
    rig, dice = await rigs(), random.Random(seed)
    await rig.talk_in()
    rig.log.answer = None
    supports = (("Supported", "100rel"),)
    await rig.send(rig.make("INVITE", 2, body=OFFER, branch="z9hG4bKre", headers=supports))
    await asyncio.sleep(dice.uniform(0, 2))
    late = dice.random() < 0.5
    if late:
        rig.session.answer_offer(ANSWER)
    await rig.send(rig.make("CANCEL", 2, branch="z9hG4bKre"))
    words = [word for word in rig.words() if word != "100 INVITE"]
    assert words[-1] == ("200 CANCEL" if late else "487 INVITE")
    await rig.send(rig.make("ACK", 2, branch="" if late else "z9hG4bKre"))
    rig.log.answer = ANSWER
    await rig.send(rig.make("INVITE", 3, body=OFFER))
    assert rig.words()[-1] == "200 INVITE"
    await rig.send(rig.make("ACK", 3))
    await rig.send(rig.make("BYE", 4))
    assert rig.log.said[-1] == ("ended", "peer")


# -- many calls ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 12])
async def test_random_calls_on_a_bad_network_leave_nothing(seed: int) -> None:
    result = await simulate(150, seed=seed)
    assert (result["stuck"], result["what"]) == (0, "nothing")
    assert result["answered"] > 50
    assert result["refused"] > 20
