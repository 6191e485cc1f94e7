"""Several carriers for one number: order, shares, fail-over within two seconds, carriers that are down."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.flow.centre import Centre

from sipcc.call import events
from sipcc.clock import LoopClock
from sipcc.ids import Ids
from sipcc.sip import Endpoint, InboundRequest, InviteSession, Response, SessionEvents, SipSettings, SipUri

ANSWER = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.2.1\r\ns=-\r\nc=IN IP4 127.0.2.1\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)

TRUNKS = """
[[trunks]]
name = "one"
addresses = ["127.0.2.1"]
{one}
[[trunks]]
name = "two"
addresses = ["127.0.2.2"]
{two}
[[trunks]]
name = "three"
addresses = ["127.0.2.3"]
[[routes]]
number = "010*"
trunks = ["one", "two", "three"]
[[routes]]
name = "shared"
number = "13*"
trunks = ["one:70 two:30", "three"]
[[numbers]]
number = "4008100007"
to = "dial:tel:01087654321"
[[numbers]]
number = "4008100008"
to = "dial:shared/13800138000"
[[numbers]]
number = "4008100009"
to = "dial:sip:4008100009@127.0.0.1"
[[numbers]]
number = "4008100010"
to = "dial:one/120"
"""

Act = Callable[[InviteSession], None]


class Relay(SessionEvents):
    """Passes a refusal on, as the far half of a carrier does."""

    def __init__(self, caller: InviteSession) -> None:
        self._caller = caller

    def on_rejected(self, session: InviteSession, response: Response | None) -> None:
        self._caller.reject(500 if response is None else response.status)


class Carriers:
    """A centre with three carriers that do as they are told."""

    def __init__(self, folder: Path, *, one: str = "", two: str = "") -> None:
        self.centre = Centre(folder, extra=TRUNKS.format(one=one, two=two))
        self.took: list[str] = []
        self.at: list[float] = []
        self.sessions: list[InviteSession] = []
        self.pings: Counter[str] = Counter()
        self.does: dict[str, Act] = {}
        self.answers_pings: dict[str, int] = {}
        self.endpoints: list[Endpoint] = []

    async def __aenter__(self) -> Carriers:
        await self.centre.__aenter__()
        for index, name in enumerate(("one", "two", "three"), 1):
            host = f"127.0.2.{index}"
            endpoint = Endpoint(
                SipSettings(listen=(f"udp:{host}:5060",)),
                network=self.centre.network.host(host),
                clock=LoopClock(),
                ids=Ids(random.Random(index)),
            )
            endpoint.on_invite = self.taker(name)
            endpoint.on_request["OPTIONS"] = self.ponger(name)
            await endpoint.start()
            self.endpoints.append(endpoint)
        return self

    async def __aexit__(self, *exc: object) -> None:
        for endpoint in self.endpoints:
            await endpoint.stop()
        await self.centre.__aexit__(*exc)

    def taker(self, name: str) -> Act:
        def take(session: InviteSession) -> None:
            session.listener = SessionEvents()
            self.took.append(name)
            self.at.append(asyncio.get_running_loop().time())
            self.sessions.append(session)
            self.does.get(name, lambda one: one.accept(ANSWER))(session)

        return take

    def ponger(self, name: str) -> Callable[[InboundRequest], None]:
        def pong(inbound: InboundRequest) -> None:
            self.pings[name] += 1
            inbound.reply(self.answers_pings.get(name, 200))

        return pong

    async def call(self, number: str = "4008100007", *, seconds: float = 4.0) -> str:
        """The carrier that answered, or the status that the caller got."""
        before = len(self.took)
        call = await self.centre.carrier.call(number)
        await asyncio.sleep(seconds)
        answered = call.state == "answered"
        await call.hangup()
        await asyncio.sleep(0.1 if answered else 1)
        if answered:
            return self.took[-1]
        ended = self.centre.told("CallEndedEvent")[-1]
        assert isinstance(ended, events.CallEndedEvent)
        return f"{ended.sip_status} after {','.join(self.took[before:])}"


@pytest.fixture
async def carriers(tmp_path: Path) -> AsyncIterator[Carriers]:
    async with Carriers(tmp_path) as found:
        yield found


async def test_trunks_are_taken_in_their_order(carriers: Carriers) -> None:
    assert [await carriers.call() for _ in range(3)] == ["one"] * 3
    assert carriers.sessions[0].request.uri.user == "01087654321"


@pytest.mark.parametrize("status", [408, 502, 503, 504])
async def test_a_refusal_about_the_way_leads_to_the_next_trunk(carriers: Carriers, status: int) -> None:
    carriers.does["one"] = carriers.does["two"] = lambda session: session.reject(status)
    assert await carriers.call() == "three"
    assert carriers.took == ["one", "two", "three"]
    legs = carriers.centre.told("LegStarted")
    assert [leg.target.partition("@")[2] for leg in legs] == ["127.0.2.1", "127.0.2.2", "127.0.2.3"]  # type: ignore[attr-defined]
    why = [event.what for event in carriers.centre.told("Decision") if event.what.startswith("trunk")]  # type: ignore[attr-defined]
    assert why == ["trunk: one", "trunk: one failed", "trunk: two", "trunk: two failed", "trunk: three"]


@pytest.mark.parametrize("status", [404, 480, 486, 488, 600, 603])
async def test_what_the_party_says_stands(carriers: Carriers, status: int) -> None:
    carriers.does["one"] = lambda session: session.reject(status)
    assert await carriers.call() == f"{status} after one"


async def test_a_trunk_that_rang_is_the_right_one(carriers: Carriers) -> None:
    def ring_and_refuse(session: InviteSession) -> None:
        session.ring()
        session.reject(503)

    carriers.does["one"] = ring_and_refuse
    assert await carriers.call() == "503 after one"


async def test_a_dead_trunk_costs_less_than_two_seconds(carriers: Carriers) -> None:
    carriers.centre.network.partition("127.0.0.1", "127.0.2.1")
    began = asyncio.get_running_loop().time()
    assert await carriers.call() == "two"
    assert carriers.at[0] - began < 2.0


async def test_all_trunks_fail(carriers: Carriers) -> None:
    for name in ("one", "two", "three"):
        carriers.does[name] = lambda session: session.reject(503)
    assert await carriers.call() == "503 after one,two,three"
    assert len(carriers.centre.switch.trunk_health._up) == 0


async def test_the_caller_leaves_while_the_next_trunk_is_tried(carriers: Carriers) -> None:
    carriers.centre.network.partition("127.0.0.1", "127.0.2.1")
    carriers.does["two"] = lambda session: None
    for seconds in (1.0, 1.89, 1.9, 1.91, 2.2):
        carriers.took.clear()
        assert (await carriers.call(seconds=seconds)).startswith("487")
    await asyncio.sleep(100)
    assert carriers.centre.switch.endpoint.sessions == 0
    assert len(carriers.centre.switch.calls) == 0
    assert carriers.centre.switch.trunk_health._up == {}


async def test_shares_by_weight(carriers: Carriers) -> None:
    carriers.centre.switch.ids = Ids(random.Random(7))
    answered = Counter([await carriers.call("4008100008", seconds=0.2) for _ in range(200)])
    assert answered["three"] == 0
    assert 120 <= answered["one"] <= 160
    carriers.does["one"] = carriers.does["two"] = lambda session: session.reject(503)
    assert await carriers.call("4008100008") == "three"


async def test_a_trunk_that_fails_again_and_again_is_left_out_until_a_trial(carriers: Carriers) -> None:
    carriers.does["one"] = lambda session: session.reject(503)
    for _ in range(5):
        assert await carriers.call(seconds=0.5) == "two"
    carriers.took.clear()
    assert await carriers.call(seconds=0.5) == "two"
    assert carriers.took == ["two"]
    assert [event.trunk for event in carriers.centre.told("TrunkDown")] == ["one"]  # type: ignore[attr-defined]
    assert "5 calls in a row failed" in carriers.centre.switch.trunk_health.down()["one"]
    carriers.does.clear()
    await asyncio.sleep(30)
    assert await carriers.call(seconds=0.5) == "one"
    assert [event.trunk for event in carriers.centre.told("TrunkUp")] == ["one"]  # type: ignore[attr-defined]


async def test_retry_after_is_kept(carriers: Carriers) -> None:
    carriers.does["one"] = lambda session: session.reject(503, headers=(("Retry-After", "20"),))
    await carriers.call(seconds=0.5)
    carriers.does.clear()
    carriers.took.clear()
    assert await carriers.call(seconds=0.5) == "two"
    assert carriers.took == ["two"]
    await asyncio.sleep(20)
    assert await carriers.call(seconds=0.5) == "one"


async def test_capacity_and_calls_per_second(tmp_path: Path) -> None:
    async with Carriers(tmp_path, one="max_calls = 1", two="calls_per_second = 1") as carriers:
        calls = [await carriers.centre.carrier.call("4008100007") for _ in range(4)]
        await asyncio.sleep(0.5)
        assert carriers.took == ["one", "two", "three", "three"]
        for call in calls:
            await call.hangup()
        await asyncio.sleep(1)
        assert await carriers.call() == "one"


HEALTH = "[trunks.health]\nping = 10\nup_after = 2\ndown_after = 2"


async def test_pings_take_a_trunk_down_and_up(tmp_path: Path) -> None:
    async with Carriers(tmp_path, one=HEALTH) as carriers:
        await asyncio.sleep(60)
        assert 5 <= carriers.pings["one"] <= 7
        assert carriers.pings["two"] == 0
        carriers.centre.network.partition("127.0.0.1", "127.0.2.1")
        await asyncio.sleep(40)
        began = asyncio.get_running_loop().time()
        assert await carriers.call() == "two"
        assert carriers.at[-1] - began < 0.2
        carriers.centre.network.heal()
        await asyncio.sleep(40)
        assert await carriers.call() == "one"
        kinds = [type(event).__name__ for event in carriers.centre.events if "Trunk" in type(event).__name__]
        assert kinds == ["TrunkDown", "TrunkUp"]


async def test_503_to_a_ping_is_no_life(tmp_path: Path) -> None:
    async with Carriers(tmp_path, one=HEALTH) as carriers:
        carriers.answers_pings["one"] = 503
        await asyncio.sleep(60)
        assert "one" in carriers.centre.switch.trunk_health.down()
        assert await carriers.call() == "two"


async def test_whoever_calls_for_help_is_not_refused_by_a_count_or_a_bad_hour(tmp_path: Path) -> None:
    async with Carriers(tmp_path, one="max_calls = 1\ncalls_per_second = 0.1") as carriers:
        carriers.does["one"] = lambda session: session.reject(503, headers=(("Retry-After", "300"),))
        await carriers.call()
        carriers.does.clear()
        assert "one" in carriers.centre.switch.trunk_health.down()
        for _ in range(3):
            assert await carriers.call("4008100010", seconds=0.5) == "one"


# -- caller and carriers at random ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(25))
async def test_whatever_carriers_and_caller_do_nothing_is_left(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    loop = asyncio.get_running_loop()
    async with Carriers(tmp_path) as carriers:
        for name in ("one", "two", "three"):
            carriers.does[name] = _behaviour(dice, loop)
            if dice.random() < 0.3:
                host = {"one": "127.0.2.1", "two": "127.0.2.2", "three": "127.0.2.3"}[name]
                carriers.centre.network.partition("127.0.0.1", host)
        calls = [await carriers.centre.carrier.call("4008100007") for _ in range(3)]
        for call in calls:
            await asyncio.sleep(dice.random() * 2.5)
            await call.hangup()
        await asyncio.sleep(150)
        switch = carriers.centre.switch
        assert switch.endpoint.sessions == 0
        assert len(switch.endpoint.layer) == 0
        assert len(switch.calls) == 0
        assert switch.trunk_health._up == {}
        assert switch.endpoint.counters["crashes"] == 0
        assert len(carriers.centre.told("CallEndedEvent")) == 3
        assert len(carriers.centre.told("LegStarted")) == len(carriers.centre.told("LegEnded"))
        assert {session.state for session in carriers.sessions} <= {"terminated"}


def _behaviour(dice: random.Random, loop: asyncio.AbstractEventLoop) -> Act:
    """What a carrier does with its calls, drawn by chance."""
    delay, rings, status = dice.random() * 2.5, dice.random() < 0.4, dice.choice([200, 486, 503, 408])

    def final(session: InviteSession) -> None:
        if session.state not in ("trying", "early"):
            return
        if status == 200:
            session.accept(ANSWER)
        else:
            session.reject(status)

    def begin(session: InviteSession) -> None:
        if rings:
            session.ring()
        loop.call_later(delay, final, session)

    return begin


# -- loops (reliability A10) -------------------------------------------------------------------------------


async def test_our_own_address_is_no_place_to_ring(carriers: Carriers) -> None:
    assert await carriers.call("4008100009") == "482 after "
    assert carriers.centre.switch.calls.total == 1


async def test_max_forwards_counts_down_through_us(carriers: Carriers) -> None:
    call = await carriers.centre.carrier.call("4008100007", headers=(("Max-Forwards", "12"),))
    await asyncio.sleep(0.5)
    assert carriers.sessions[0].request.max_forwards == 11
    await call.hangup()
    await asyncio.sleep(0.5)
    for hops in ("0", "1"):
        await carriers.centre.carrier.call("4008100007", headers=(("Max-Forwards", hops),))
        await asyncio.sleep(0.5)
        ended = carriers.centre.told("CallEndedEvent")[-1]
        assert ended.sip_status == 483  # type: ignore[attr-defined]
    assert carriers.took == ["one"]


async def test_a_carrier_that_routes_back_to_us_ends_by_max_forwards(carriers: Carriers) -> None:
    """Trunk one sends every call back to the number that leads to it."""
    one = carriers.endpoints[0]

    def back(session: InviteSession) -> None:
        one.invite(
            SipUri.parse("sip:4008100007@127.0.0.1:5060"),
            from_=session.request.from_.with_tag(""),
            body=session.request.body,
            listener=Relay(session),
            headers=(("Max-Forwards", str(session.request.max_forwards - 1)),),
        )

    carriers.does["one"] = back
    await carriers.centre.carrier.call("4008100007", headers=(("Max-Forwards", "20"),))
    await asyncio.sleep(60)
    assert carriers.took.count("one") <= 10
    assert len(carriers.centre.switch.calls) == 0


async def test_one_call_makes_ten_legs_at_most(carriers: Carriers, monkeypatch: pytest.MonkeyPatch) -> None:
    def fork(session: InviteSession) -> None:
        session.reject(503)

    carriers.does = {"one": fork, "two": fork, "three": fork}
    places = carriers.centre.switch.places
    targets = [place for _ in range(12) for place in places.locate("tel:01087654321")]
    monkeypatch.setattr(places, "locate", lambda _target: targets)
    await carriers.call()
    assert len(carriers.centre.told("LegStarted")) == 10
