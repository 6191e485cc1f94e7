"""Surveys on whole calls: asked when the agent ended, counted once, and low scores lead somewhere."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.flow.centre import AGENT_HZ, WELCOME_HZ, Centre
from tests.flow.test_api import client, until

from sipcc.call import Call
from sipcc.errors import CallEnded
from sipcc.ivr.live import LiveSession
from sipcc.ivr.steps import Enqueue
from sipcc.testing.audio import tone, write_wav
from sipcc.testing.fakecall import FakeCall

QUESTION_HZ = 560.0
SALES = "4008000006"

EXTRA = """
[[surveys]]
name = "care"
queues = ["sales"]
low_below = 3
{more}
[[numbers]]
number = "4008000300"
to = "survey:care"
"""


def question(centre: Centre) -> None:
    for name in ("survey_question", "survey_comment"):
        write_wav(centre.folder / "prompts" / f"{name}.wav", tone(QUESTION_HZ, 0.5))


async def talk(centre: Centre, number: str = SALES) -> tuple[FakeCall, FakeCall]:
    """A caller of the queue, and the agent's side, in a conversation."""
    question(centre)
    if "1001" not in centre.phones:
        await centre.phone("1001")
    caller = await centre.carrier.call(number)
    agent = await centre.phones["1001"].next_call()
    await caller.hears(AGENT_HZ["1001"], timeout=20)
    return caller, agent


async def test_the_agent_hangs_up_first_and_the_caller_answers(tmp_path: Path) -> None:
    async with client(tmp_path, extra=EXTRA.format(more='low_to = "play:welcome"')) as api:
        caller, agent = await talk(api.centre)
        await agent.hangup()
        await caller.hears(QUESTION_HZ)
        await caller.press("4")
        await caller.ended(timeout=10)
        clock = api.centre.switch.clock
        since = {"from": clock.wall_of(clock.now()) - 3600}
        report = (await api.get("/reports/surveys", **since, by="agent")).json()
        assert report["rows"] == [
            {
                "name": "alice",
                "offered": 1,
                "answered": 1,
                "response_rate": 1.0,
                "mean": 4.0,
                "satisfied": 1,
                "csat": 1.0,
                "scores": {"4": 1},
            }
        ]
        filtered = (await api.get("/reports/surveys", **since, queue="help")).json()
        assert filtered["total"]["offered"] == 0


async def test_whoever_hangs_up_first_is_asked_nothing(tmp_path: Path) -> None:
    async with client(tmp_path, extra=EXTRA.format(more='low_to = "play:welcome"')) as api:
        caller, agent = await talk(api.centre)
        await caller.hangup()
        await agent.ended()
        await asyncio.sleep(1)
        assert api.centre.told("SurveyOffered") == []


async def test_a_low_score_leads_to_a_destination(tmp_path: Path) -> None:
    async with client(tmp_path, extra=EXTRA.format(more='low_to = "play:welcome"')) as api:
        caller, agent = await talk(api.centre)
        await agent.hangup()
        await caller.hears(QUESTION_HZ)
        await caller.press("1")
        await caller.hears(WELCOME_HZ)
        await caller.hangup()


async def test_a_low_score_books_a_callback_also_when_the_caller_hangs_up_in_its_comment(
    tmp_path: Path,
) -> None:
    more = 'low_callback = "help"\ncomment = true\n[callbacks]\nroute = "carrier"\n[toll]\nallow = ["*"]'
    async with client(tmp_path, extra=EXTRA.format(more=more)) as api:
        caller, agent = await talk(api.centre)
        await agent.hangup()
        await caller.hears(QUESTION_HZ)
        await caller.press("2")
        await asyncio.sleep(3)
        await caller.hangup()
        await until(lambda: bool(api.centre.told("SurveyCommented")))
        [booked] = api.centre.switch.acd.callbacks()
        assert (booked.queue, booked.number) == ("help", "13800138000")
        assert [event.score for event in api.centre.told("SurveyAnswered")] == [2]  # type: ignore[attr-defined]


async def test_an_agent_sends_the_caller_to_the_survey_and_is_judged(tmp_path: Path) -> None:
    async with client(tmp_path, extra=EXTRA.format(more='low_to = "play:welcome"')) as api:
        caller, agent = await talk(api.centre)
        assert await agent.refer("sip:4008000300@pbx.example.com") == 202
        await caller.hears(QUESTION_HZ)
        await caller.press("5")
        await caller.ended(timeout=10)
        [answered] = api.centre.told("SurveyAnswered")
        assert (answered.agent, answered.queue, answered.score) == ("alice", "sales", 5)  # type: ignore[attr-defined]
        assert len(api.centre.told("SurveyOffered")) == 1


@pytest.mark.parametrize("agents", ['agents = ["bob"]', 'agents = ["alice"]'])
async def test_only_after_conversations_with_its_agents(tmp_path: Path, agents: str) -> None:
    async with client(tmp_path, extra=EXTRA.format(more=f'{agents}\nlow_to = "play:welcome"')) as api:
        _, agent = await talk(api.centre)
        await agent.hangup()
        await asyncio.sleep(1)
        assert len(api.centre.told("SurveyOffered")) == ("alice" in agents)


async def test_the_record_of_a_call_has_its_score_and_what_flows_put_into_it(tmp_path: Path) -> None:
    async with client(tmp_path, extra=EXTRA.format(more='low_to = "play:welcome"')) as api:
        caller, agent = await talk(api.centre)
        [call] = api.centre.switch.calls.live()
        LiveSession(call).tag("order", "A-17")
        await agent.hangup()
        await caller.hears(QUESTION_HZ)
        await caller.press("3")
        await caller.ended(timeout=10)
        await until(lambda: bool(api.centre.told("CallEndedEvent")))
        await api.centre.switch.keeper.flush()
        [record] = await api.centre.switch.keeper.store.cdrs()
        assert (record.tags, record.scores) == ({"order": "A-17"}, {"care": 3})


async def test_what_is_known_of_a_caller_is_shown_with_its_call_until_it_is_over(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        await api.centre.phone("1001")
        caller = await api.centre.carrier.call("4008000004")
        await caller.answered()
        [call] = api.centre.switch.calls.live()
        session = LiveSession(call, api.centre.switch.treatments.services)
        staying = asyncio.ensure_future(
            session.enqueue(Enqueue(queue="sales", context={"card": "gold", "wish": "a loan"}))
        )
        await api.centre.phones["1001"].next_call()
        [live] = (await api.get("/calls", role="agent")).json()
        assert live["context"] == {"card": "gold", "wish": "a loan"}
        await caller.hangup()
        with pytest.raises(CallEnded):
            await staying
        await until(lambda: bool(api.centre.told("CallEndedEvent")))
        assert api.centre.switch.talks.context(call.id) == {}


async def test_what_a_flow_asks_after_a_queue_counts_for_the_agent(tmp_path: Path) -> None:
    centres: list[Centre] = []

    async def handler(call: Call) -> None:
        session = LiveSession(call, centres[0].switch.treatments.services)
        await session.enqueue(Enqueue(queue="sales"))
        session.judge("mood", None, low=0, high=9)
        session.judge("mood", 7, low=0, high=9)
        session.judge("mood", 1, low=0, high=9)  # nobody asked again

    async with Centre(tmp_path, apps={"4008000100": handler}) as centre:
        centres.append(centre)
        caller, agent = await talk(centre, "4008000100")
        await agent.hangup()
        await caller.ended(timeout=10)
        [offered], [answered] = centre.told("SurveyOffered"), centre.told("SurveyAnswered")
        assert (answered.agent, answered.queue, answered.score) == ("alice", "sales", 7)  # type: ignore[attr-defined]
        assert offered.run == answered.run  # type: ignore[attr-defined]


FLOW = """
[[numbers]]
number = "4008000301"
to = "flow:{start}"

[[flows]]
name = "main"
fallback = "hangup"
[flows.nodes.in]
type = "queue"
queue = "sales"
then = "{then}"
exits = {{ timed_out = "bye" }}
[flows.nodes.bye]
type = "say"
prompt = "welcome"
then = "mood"
[flows.nodes.mood]
type = "survey"
prompt = "welcome"
store = "mood"
then = "thanks"
[flows.nodes.thanks]
type = "say"
prompt = "welcome"
then = "hangup"

[[flows]]
name = "outer"
fallback = "hangup"
[flows.nodes.first]
type = "call"
flow = "main"
then = "again"
[flows.nodes.again]
type = "survey"
prompt = "welcome"
store = "again"
then = "hangup"
"""


@pytest.mark.parametrize(
    ("start", "then", "asked"),
    [
        ("main", "mood", "mood"),
        ("main", "bye", "mood"),
        ("main", "hangup", "care"),
        ("outer", "return", "care"),
    ],
)
async def test_a_caller_is_asked_once_and_rather_by_the_flow(
    tmp_path: Path, start: str, then: str, asked: str
) -> None:
    extra = EXTRA.format(more='low_to = "play:welcome"') + FLOW.format(start=start, then=then)
    async with Centre(tmp_path, extra=extra) as centre:
        caller, agent = await talk(centre, "4008000301")
        await agent.hangup()
        await caller.hears(QUESTION_HZ if asked == "care" else WELCOME_HZ)
        await caller.press("5")
        await caller.ended(timeout=10)
        assert [event.survey for event in centre.told("SurveyOffered")] == [asked]  # type: ignore[attr-defined]
        [answered] = centre.told("SurveyAnswered")
        assert (answered.survey, answered.agent, answered.score) == (asked, "alice", 5)  # type: ignore[attr-defined]
