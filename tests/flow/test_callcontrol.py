"""Live calls over HTTP: who may do what, who hears whom then, and who is counted for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, MUSIC_HZ, WELCOME_HZ, Centre
from tests.flow.test_api import TOKENS, Client
from tests.flow.test_transfer import hear_each_other, nothing_left, talk_to_alice
from tests.flow.test_transfer_accounts import CELLS, EXTRA, QUIET, SALES, chain, records_of, states

from sipcc.api.app import make_api
from sipcc.call.events import SupervisionChanged
from sipcc.errors import LocalProtocolError
from sipcc.rtp.tones import measure_tone
from sipcc.testing.fakecall import FakeCall
from sipcc.testing.phone import Answer, Decline, FakePhone, Ignore

ROUTES = """
[[routes]]
name = "out"
number = "*"
trunks = ["cells"]
"""


@asynccontextmanager
async def client(folder: Path, more: str = "") -> AsyncIterator[Client]:
    async with Centre(folder, config=QUIET, extra=EXTRA + more) as centre:
        app = make_api(centre.switch, list(TOKENS.values()))
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://api.example.com") as http:
            yield Client(centre, http)
        await asyncio.sleep(3)
        assert nothing_left(centre) == {}


class Talk:
    """A caller who talks to alice, out of the queue."""

    def __init__(self, api: Client, caller: FakeCall, agent: FakeCall) -> None:
        self.api, self.caller, self.agent = api, caller, agent
        self.id = str(api.centre.told("CallStarted")[0].call)  # type: ignore[attr-defined]
        self._count = 0

    async def do(self, verb: str, *, role: str = "admin", **body: Any) -> tuple[int, Any]:
        self._count += 1
        given = {"request_id": f"r{self._count}"} | body
        answer = await self.api.post(f"/calls/{self.id}/{verb}", given, role=role)
        return answer.status_code, answer.json()

    async def must(self, verb: str, **body: Any) -> None:
        status, said = await self.do(verb, **body)
        assert status == 200, said


async def talk_of(api: Client, alice: FakePhone) -> Talk:
    caller, agent = await talk_to_alice(api.centre, alice, SALES)
    return Talk(api, caller, agent)


def hears(party: FakeCall, tone: float) -> bool:
    return measure_tone(party.media.heard(0.5), tone) > -40


# -- the verbs ----------------------------------------------------------------------------------------------


async def test_hold_and_resume(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        talk = await talk_of(api, await api.centre.phone("1001"))
        await talk.must("hold", role="agent")
        await talk.caller.hears(MUSIC_HZ)
        await asyncio.sleep(4)
        await talk.must("resume", role="agent")
        await hear_each_other(talk.caller, CALLER_HZ, talk.agent, AGENT_HZ["1001"])
        await talk.must("hangup", role="agent")
        await talk.caller.ended()
        await asyncio.sleep(6)
        [record] = records_of(api.centre)
        assert record.segments[0].hold == pytest.approx(4.0, abs=1.0)


async def test_an_agent_s_side_alone_is_hung_up(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        talk = await talk_of(api, await api.centre.phone("1001"))
        await talk.must("hangup", party="agent")
        await talk.agent.ended()
        await talk.caller.ended()
        await asyncio.sleep(6)
        assert chain(records_of(api.centre)[0]) == [("alice", "sales", "us")]


@pytest.mark.parametrize(
    ("target", "segment"),
    [("queue:help", ("carol", "help", "agent")), ("agent:carol", ("carol", "", "agent"))],
)
async def test_transfer(tmp_path: Path, target: str, segment: tuple[str, str, str]) -> None:
    async with client(tmp_path) as api:
        alice, carol = await api.centre.phone("1001"), await api.centre.phone("1003", Answer(after=2.0))
        talk = await talk_of(api, alice)
        await talk.must("transfer", role="agent", target=target)
        await talk.agent.ended()
        other = await carol.next_call()
        await hear_each_other(talk.caller, CALLER_HZ, other, AGENT_HZ["1003"])
        assert states(api.centre)["alice"] == "wrap_up"
        await other.hangup()
        await talk.caller.ended()
        await asyncio.sleep(6)
        assert chain(records_of(api.centre)[0]) == [("alice", "sales", "application"), segment]


async def test_transfer_to_a_menu(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        talk = await talk_of(api, await api.centre.phone("1001"))
        await talk.must("transfer", target="menu:main")
        await talk.agent.ended()
        await talk.caller.hears(WELCOME_HZ)
        await talk.caller.hangup()


@pytest.mark.parametrize("verb", ["transfer", "consult"])
async def test_a_plain_number_is_dialled_by_the_routes(tmp_path: Path, verb: str) -> None:
    async with client(tmp_path, ROUTES) as api:
        centre = api.centre
        mobile = await centre.outside("mobile", CELLS, tone_hz=2200.0)
        talk = await talk_of(api, await centre.phone("1001"))
        await talk.must(verb, role="agent", target="13800000077")
        outside = await mobile.next_call()
        assert outside.request is not None
        assert outside.request.uri.user == "13800000077"
        if verb == "consult":
            await talk.must("complete", role="agent")
        await talk.agent.ended()
        await hear_each_other(talk.caller, CALLER_HZ, outside, 2200.0)
        await talk.caller.hangup()
        await outside.ended()
        await mobile.stop()


async def test_a_plain_number_that_may_not_be_called_is_not(tmp_path: Path) -> None:
    async with client(tmp_path, ROUTES) as api:
        talk = await talk_of(api, await api.centre.phone("1001"))
        status, said = await talk.do("transfer", role="agent", target="0014155550100")
        assert (status, said["message"]) == (409, "the transfer failed with 403; all is as before")
        await hear_each_other(talk.caller, CALLER_HZ, talk.agent, AGENT_HZ["1001"])
        await talk.caller.hangup()


async def test_a_transfer_that_fails_changes_nothing(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        alice = await api.centre.phone("1001")
        await api.centre.phone("1002", Decline(486))
        talk = await talk_of(api, alice)
        status, said = await talk.do("transfer", target="1002")
        assert (status, said["error"]) == (409, "conflict")
        assert "486" in said["message"]
        await hear_each_other(talk.caller, CALLER_HZ, talk.agent, AGENT_HZ["1001"])
        assert (await talk.do("transfer", target="nobody"))[0] == 409
        assert (await talk.do("transfer"))[0] == 409
        await talk.caller.hangup()
        assert (await talk.do("hold"))[0] == 404


@pytest.mark.parametrize("verb", ["transfer", "consult"])
async def test_nobody_goes_to_what_is_not_there(tmp_path: Path, verb: str) -> None:
    """That is known before anything happens: the two go on, and nothing of it stands in the records."""
    async with client(tmp_path) as api:
        talk = await talk_of(api, await api.centre.phone("1001"))
        for target, why in (
            ("menu:nope", "there is no menu 'nope'; known: main"),
            ("queue:nope", "there is no queue 'nope'; known: help, sales, shut"),
            ("agent:nope", "there is no agent 'nope'; known: alice, bob, carol"),
            ("workflow:nope", "there is no workflow 'nope'; known: none"),
            ("app:nope", "app:nope: no handler is routed under that name (known: none)"),
            ("queue:", "destination 'queue' needs an argument, as in 'queue:NAME'"),
        ):
            status, said = await talk.do(verb, target=target)
            assert (status, said["message"]) == (404, why)
            call = api.centre.switch.calls.live()[0]
            with pytest.raises(LocalProtocolError):
                await (call.transfer(target) if verb == "transfer" else call.consult(target))
        await hear_each_other(talk.caller, CALLER_HZ, talk.agent, AGENT_HZ["1001"])
        assert api.centre.told("TransferStarted") == []
        assert len(api.centre.told("LegStarted")) == 1
        await talk.caller.hangup()


async def test_a_command_is_done_once_also_while_it_is_under_way(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        alice, bob = await api.centre.phone("1001"), await api.centre.phone("1002", Answer(after=3.0))
        talk = await talk_of(api, alice)
        first = asyncio.create_task(talk.do("transfer", request_id="once", target="1002"))
        await bob.next_call()
        again = asyncio.create_task(talk.do("transfer", request_id="once", target="1002"))
        other = await talk.do("transfer", request_id="once", target="1003")
        assert (other[0], other[1]["error"]) == (409, "request_id_reused")
        assert await first == await again == (200, {"call": talk.id, "verb": "transfer"})
        assert await talk.do("transfer", request_id="once", target="1002") == await first
        assert len(bob.calls) == 1
        assert len(api.centre.told("TransferStarted")) == 1
        await talk.caller.hangup()


# -- supervision --------------------------------------------------------------------------------------------

HEARD = {
    # mode: what caller, agent and supervisor hear of (caller, agent, supervisor)
    "listen": ((0, 1, 0), (1, 0, 0), (1, 1, 0)),
    "whisper": ((0, 1, 0), (1, 0, 1), (1, 1, 0)),
    "barge": ((0, 1, 1), (1, 0, 1), (1, 1, 0)),
    "take-over": ((0, 0, 1), (0, 0, 0), (1, 0, 0)),
}
TONES = (CALLER_HZ, AGENT_HZ["1001"], AGENT_HZ["1003"])


def matrix(*parties: FakeCall) -> tuple[tuple[int, ...], ...]:
    return tuple(
        tuple(int(party.state == "answered" and hears(party, tone)) for tone in TONES) for party in parties
    )


@pytest.mark.parametrize("first", ["listen", "whisper", "barge"])
async def test_who_hears_whom(tmp_path: Path, first: str) -> None:
    """Exactly, in each mode and after each change of it."""
    async with client(tmp_path) as api:
        alice, carol = await api.centre.phone("1001"), await api.centre.phone("1003")
        talk = await talk_of(api, alice)
        await talk.must("supervise", role="supervisor", agent="carol", mode=first)
        boss = await carol.next_call()
        assert states(api.centre)["carol"] == "external"  # no queue rings a supervisor meanwhile
        parties = (talk.caller, talk.agent, boss)
        order = [first, *(mode for mode in ("listen", "whisper", "barge", "listen") if mode != first)]
        for mode in order:
            await talk.must("supervise", agent="carol", mode=mode)
            await asyncio.sleep(1.5)
            assert matrix(*parties) == HEARD[mode], mode
        await talk.must("take-over", agent="carol")
        await asyncio.sleep(1.5)
        assert matrix(*parties) == HEARD["take-over"]
        assert talk.caller.media.breaks() == []
        assert states(api.centre)["alice"] == "wrap_up"
        told = [event.role for event in api.centre.events if isinstance(event, SupervisionChanged)]
        assert told == [*order, "take_over", "left"]
        await asyncio.sleep(6)
        assert states(api.centre)["alice"] == "ready"
        await boss.hangup()
        await talk.caller.ended()
        await asyncio.sleep(2)
        assert chain(records_of(api.centre)[0]) == [("alice", "sales", "takeover"), ("carol", "", "agent")]


@pytest.mark.parametrize("how", ["leave", "hangup"])
async def test_a_supervisor_leaves(tmp_path: Path, how: str) -> None:
    async with client(tmp_path) as api:
        alice, carol = await api.centre.phone("1001"), await api.centre.phone("1003")
        talk = await talk_of(api, alice)
        await talk.must("supervise", agent="carol", mode="barge")
        boss = await carol.next_call()
        await asyncio.sleep(1.5)
        assert matrix(talk.caller, talk.agent, boss) == HEARD["barge"]
        if how == "leave":
            await talk.must("leave", agent="carol")
            assert await boss.ended() == "peer"
        else:
            await boss.hangup()
        await asyncio.sleep(1.5)
        assert matrix(talk.caller, talk.agent) == ((0, 1, 0), (1, 0, 0))
        assert states(api.centre)["carol"] == "ready"
        assert (await talk.do("leave", agent="carol"))[0] == 409
        told = [event for event in api.centre.events if isinstance(event, SupervisionChanged)]
        assert [(event.role, event.agent) for event in told] == [("barge", "carol"), ("left", "carol")]
        await talk.caller.hangup()


async def test_supervision_follows_the_caller_to_the_next_agent(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        alice, bob = await api.centre.phone("1001"), await api.centre.phone("1002")
        carol = await api.centre.phone("1003")
        talk = await talk_of(api, alice)
        await talk.must("supervise", agent="carol")
        boss = await carol.next_call()
        await talk.must("transfer", target="agent:bob")
        second = await bob.next_call()
        await hear_each_other(talk.caller, CALLER_HZ, second, AGENT_HZ["1002"])
        await asyncio.sleep(1.5)
        assert [tone for tone in (*TONES, AGENT_HZ["1002"]) if hears(boss, tone)] == [
            CALLER_HZ,
            AGENT_HZ["1002"],
        ]
        await talk.caller.hangup()
        await boss.ended()
        await second.ended()


@pytest.mark.parametrize("behaviour", [Decline(486), Ignore()])
async def test_a_supervisor_who_does_not_come(tmp_path: Path, behaviour: Any) -> None:
    async with client(tmp_path) as api:
        alice = await api.centre.phone("1001")
        await api.centre.phone("1003", behaviour)
        talk = await talk_of(api, alice)
        status, said = await talk.do("supervise", agent="carol", timeout=5)
        assert (status, said["error"]) == (409, "conflict")
        await hear_each_other(talk.caller, CALLER_HZ, talk.agent, AGENT_HZ["1001"])
        await talk.caller.hangup()


# -- asking first -------------------------------------------------------------------------------------------

ASKING = (CALLER_HZ, AGENT_HZ["1001"], AGENT_HZ["1003"], MUSIC_HZ)


def heard_by(*parties: FakeCall) -> list[list[float]]:
    return [
        [tone for tone in ASKING if party.state == "answered" and hears(party, tone)] for party in parties
    ]


async def asks(api: Client, alice: FakePhone, carol: FakePhone) -> tuple[Talk, FakeCall]:
    """Alice talks to carol, and her caller hears music."""
    talk = await talk_of(api, alice)
    await talk.must("consult", role="agent", target="agent:carol")
    other = await carol.next_call()
    await asyncio.sleep(2)
    assert heard_by(talk.caller, talk.agent, other) == [[MUSIC_HZ], [AGENT_HZ["1003"]], [AGENT_HZ["1001"]]]
    assert states(api.centre)["alice"] == "talking"
    return talk, other


@pytest.mark.parametrize("how", ["complete", "hangup"])
async def test_an_agent_asks_and_gives_the_caller_over(tmp_path: Path, how: str) -> None:
    async with client(tmp_path) as api:
        alice, carol = await api.centre.phone("1001"), await api.centre.phone("1003", Answer(after=2.0))
        talk, other = await asks(api, alice, carol)
        await asyncio.sleep(4)
        if how == "complete":
            await talk.must("complete", role="agent")
            await talk.agent.ended()
        else:
            await talk.agent.hangup()
        await hear_each_other(talk.caller, CALLER_HZ, other, AGENT_HZ["1003"])
        assert states(api.centre)["alice"] == "wrap_up"
        await asyncio.sleep(10)
        await other.hangup()
        await talk.caller.ended()
        await asyncio.sleep(2)
        [record] = records_of(api.centre)
        assert chain(record) == [
            ("alice", "sales", "consult"),
            ("carol", "", "moved"),
            ("carol", "", "agent"),
        ]
        first, asked, second = record.segments
        assert [part.asked for part in record.segments] == [False, True, False]
        assert first.hold == pytest.approx(8.0, abs=1.0)  # it rang 2 s, and they talked 6
        assert asked.talk == pytest.approx(6.0, abs=1.0)
        assert (first.wrap, second.hold) == (pytest.approx(5.0, abs=0.1), 0.0)
        assert second.talk == pytest.approx(10.0, abs=1.5)


async def test_all_three_talk_and_the_agent_leaves(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        alice, carol = await api.centre.phone("1001"), await api.centre.phone("1003")
        talk, other = await asks(api, alice, carol)
        await talk.must("merge", role="agent")
        await asyncio.sleep(2)
        one, two, three = ASKING[:3]
        assert heard_by(talk.caller, talk.agent, other) == [[two, three], [one, three], [one, two]]
        assert (await talk.do("merge"))[0] == 409
        await talk.agent.hangup()
        await asyncio.sleep(2)
        assert heard_by(talk.caller, other) == [[three], [one]]
        assert states(api.centre)["alice"] == "wrap_up"
        await talk.caller.hangup()
        await other.ended()
        await asyncio.sleep(6)
        [record] = records_of(api.centre)
        assert chain(record) == [
            ("alice", "sales", "consult"),
            ("carol", "", "moved"),
            ("carol", "", "caller"),
        ]
        assert record.segments[0].hold == pytest.approx(3.0, abs=1.0)


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("how", ["return", "hangup"])
async def test_an_agent_goes_back_to_its_caller(tmp_path: Path, how: str, merged: bool) -> None:
    async with client(tmp_path) as api:
        alice, carol = await api.centre.phone("1001"), await api.centre.phone("1003")
        talk, other = await asks(api, alice, carol)
        if merged:
            await talk.must("merge")
            await asyncio.sleep(1)
        await (talk.must("return") if how == "return" else other.hangup())
        await other.ended()
        await hear_each_other(talk.caller, CALLER_HZ, talk.agent, AGENT_HZ["1001"])
        assert states(api.centre) == {"alice": "talking", "bob": "offline", "carol": "ready"}
        assert (await talk.do("complete"))[0] == 409
        await talk.agent.hangup()
        await talk.caller.ended()
        await asyncio.sleep(6)
        [record] = records_of(api.centre)
        assert record.segments[0].how == "agent"


async def test_who_is_asked_declines(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        alice = await api.centre.phone("1001")
        await api.centre.phone("1003", Decline(486, after=2.0))
        talk = await talk_of(api, alice)
        status, said = await talk.do("consult", target="agent:carol")
        assert status == 409
        assert "486" in said["message"]
        await hear_each_other(talk.caller, CALLER_HZ, talk.agent, AGENT_HZ["1001"])
        for target in ("queue:help", "nobody", ""):
            assert (await talk.do("consult", target=target))[0] == 409
        await talk.caller.hangup()


async def test_an_agent_hangs_up_while_somebody_rings_to_be_asked(tmp_path: Path) -> None:
    """The caller is given over to who answers then."""
    async with client(tmp_path) as api:
        alice, carol = await api.centre.phone("1001"), await api.centre.phone("1003", Answer(after=5.0))
        talk = await talk_of(api, alice)
        asking = asyncio.create_task(talk.do("consult", target="agent:carol"))
        other = await carol.next_call()
        assert (await talk.do("complete"))[0] == 409
        await talk.agent.hangup()
        await other.answered()
        await hear_each_other(talk.caller, CALLER_HZ, other, AGENT_HZ["1003"])
        assert (await asking)[0] == 200
        await talk.caller.hangup()
        await other.ended()


@pytest.mark.parametrize("stage", ["ringing", "talking", "merged"])
async def test_the_caller_leaves_while_somebody_is_asked(tmp_path: Path, stage: str) -> None:
    async with client(tmp_path) as api:
        alice, carol = await api.centre.phone("1001"), await api.centre.phone("1003", Answer(after=3.0))
        talk = await talk_of(api, alice)
        asking = asyncio.create_task(talk.do("consult", target="agent:carol"))
        other = await carol.next_call()
        if stage != "ringing":
            assert (await asking)[0] == 200
        if stage == "merged":
            await talk.must("merge")
        await talk.caller.hangup()
        await talk.agent.ended()
        await other.ended()
        assert (await asking)[0] == (409 if stage == "ringing" else 200)
        await asyncio.sleep(6)
        assert states(api.centre) == {"alice": "ready", "bob": "offline", "carol": "ready"}


# -- refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "verb", "body", "status"),
    [
        ("auditor", "hangup", {}, 403),
        ("auditor", "supervise", {"agent": "carol"}, 403),
        ("agent", "supervise", {"agent": "carol"}, 403),
        ("agent", "take-over", {"agent": "carol"}, 403),
        ("supervisor", "supervise", {"agent": "nobody"}, 404),
        ("supervisor", "supervise", {"agent": "alice"}, 409),
        ("supervisor", "supervise", {"agent": "bob"}, 409),
        ("supervisor", "take-over", {"agent": "carol"}, 409),
        ("supervisor", "supervise", {"agent": "carol", "mode": "shout"}, 400),
        ("supervisor", "dance", {}, 400),
    ],
)
async def test_what_is_refused(
    tmp_path: Path, role: str, verb: str, body: dict[str, Any], status: int
) -> None:
    async with client(tmp_path) as api:
        talk = await talk_of(api, await api.centre.phone("1001"))
        assert (await talk.do(verb, role=role, **body))[0] == status
        await hear_each_other(talk.caller, CALLER_HZ, talk.agent, AGENT_HZ["1001"])
        await talk.caller.hangup()


async def test_a_caller_who_waits_is_not_transferred_past_its_queue(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        caller = await api.centre.carrier.call(SALES)
        await caller.answered()
        await caller.hears(MUSIC_HZ)
        talk = Talk(api, caller, caller)
        for verb, body in (
            ("transfer", {"target": "menu:main"}),
            ("hold", {}),
            ("supervise", {"agent": "carol"}),
        ):
            status, said = await talk.do(verb, **body)
            assert (status, said["error"]) == (409, "conflict"), verb
        await talk.must("hangup")
        await caller.ended()


async def test_an_agent_commands_its_own_calls_only(tmp_path: Path) -> None:
    """The token is alice's, and the talk is bob's."""
    async with client(tmp_path) as api:
        bob = await api.centre.phone("1002")
        caller, agent = await talk_to_bob(api, bob)
        talk = Talk(api, caller, agent)
        assert (await talk.do("hangup", role="agent"))[0] == 403
        talk.id = "call-0"
        assert (await talk.do("hangup", role="agent"))[0] == 404
        await caller.hangup()


async def talk_to_bob(api: Client, bob: FakePhone) -> tuple[FakeCall, FakeCall]:
    caller = await api.centre.carrier.call(SALES)
    agent = await bob.next_call()
    await hear_each_other(caller, CALLER_HZ, agent, AGENT_HZ["1002"])
    return caller, agent


# -- records ------------------------------------------------------------------------------------------------


async def test_a_visit_is_read_as_one(tmp_path: Path) -> None:
    """The caller's call, the agent's question to a colleague, the entries, and who served when."""
    async with client(tmp_path) as api:
        alice, carol = await api.centre.phone("1001"), await api.centre.phone("1003")
        talk = await talk_of(api, alice)
        await talk.agent.hold()
        consult = await alice.call("4008000020")
        other = await carol.next_call()
        await hear_each_other(consult, AGENT_HZ["1001"], other, AGENT_HZ["1003"])
        await talk.agent.refer("sip:x@pbx.example.com", replaces=consult)
        await hear_each_other(talk.caller, CALLER_HZ, other, AGENT_HZ["1003"])
        await talk.caller.hangup()
        await other.ended()
        await asyncio.sleep(40)
        await api.centre.switch.keeper.flush()
        second = str(api.centre.told("CallStarted")[1].call)  # type: ignore[attr-defined]
        visit = (await api.get(f"/interactions/{second}", role="auditor")).json()
        assert visit["interaction"] == talk.id
        assert [call["id"] for call in visit["calls"]] == [talk.id, second]
        assert [(entry["queue"], entry["exit"]) for entry in visit["entries"]] == [
            ("sales", "answered"),
            ("help", "answered"),
        ]
        served = [(part["agent"], part["queue"], part["how"]) for part in visit["segments"]]
        assert served == [("alice", "sales", "attended"), ("carol", "help", "moved"), ("carol", "", "caller")]
        assert visit == (await api.get(f"/interactions/{talk.id}")).json()
        assert (await api.get("/interactions/call-0")).status_code == 404
        assert (await api.get(f"/interactions/{talk.id}", role="agent")).status_code == 403
        rows = (await api.get("/records/handling", role="supervisor")).json()["agents"]
        assert [(row["agent"], row["segments"], row["transferred"]) for row in rows] == [
            ("alice", 1, 1),
            ("carol", 1, 0),
        ]
        assert rows[0]["wrap"] == pytest.approx(5.0, abs=0.1)
        assert rows[1]["wrap"] == pytest.approx(15.0, abs=0.1)
        assert rows[0]["aht"] == pytest.approx(rows[0]["talk"] + rows[0]["hold"] + rows[0]["wrap"], abs=0.01)
        [row] = (await api.get("/records/handling", agent="carol")).json()["agents"]
        assert row == rows[1]
