"""Flows in Python, with a made-up caller: the same engine, the same events."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sipcc.errors import CallEnded, ConfigError
from sipcc.events import Event
from sipcc.ivr.events import FlowFellBack, NodeEntered, NodeLeft
from sipcc.ivr.flows.load import parse_flow, sound
from sipcc.ivr.flows.model import FlowHead, Retry
from sipcc.ivr.flows.program import FlowCall, ProgramFunction, head_of, program
from sipcc.ivr.flows.run import Ending, FlowServices, LookupFailed, playable, run_flow
from sipcc.ivr.flows.sent import Sent
from sipcc.ivr.session import Session
from sipcc.ivr.sim import SimSession, finish
from sipcc.ivr.steps import Named, Text, Value


class Stage:
    def __init__(self, function: ProgramFunction, **head: object) -> None:
        self.flow = program("main", function, FlowHead(**head))  # type: ignore[arg-type]
        self.told: list[Event] = []
        self.sent: list[Mapping[str, object]] = []

    async def lookup(self, session: Session, sent: Sent) -> Mapping[str, object]:
        self.sent.append(dict(sent.body))
        if sent.source == "down":
            raise LookupFailed("down")
        return {"state": "shipped", "url": sent.url}

    def run(self, script: str = "") -> SimSession:
        sub = sound(*parse_flow('[nodes.a]\ntype = "return"\nexit = "fine"', "sub"))
        services = FlowServices(find={"sub": playable(sub)}.get, lookup=self.lookup, tell=self.told.append)
        self.session = SimSession(script)
        try:
            self.ending = finish(run_flow(self.session, self.flow, services))
        except CallEnded:
            self.ending = Ending(how="hungup")
        return self.session

    @property
    def way(self) -> list[str]:
        return [event.node for event in self.told if isinstance(event, NodeEntered)]


async def orders(call: FlowCall) -> str | None:
    await call.say("welcome", f"You call from {call.caller}.")
    number = await call.ask("Your order's number?", digits=(4, 8), secret=True, label="number")
    if number is None:
        await call.enqueue("service", priority=5)
        return "unknown"
    order = await call.lookup("orders", number=number, note="{number}")
    await call.say("It is {", {"say": "number", "value": "3"}, Text("{state}"), Value("digits", "12"))
    choice = await call.menu("Again?", options=("1", "2"), label="again")
    if choice == "1":
        call.go("flow:main")
    return str(order["state"])


def test_a_program_asks_looks_up_and_returns():
    stage = Stage(orders)
    session = stage.run("keys 12345#\nsilence\nkeys 2")
    assert stage.sent == [{"number": "12345", "note": "{number}"}]
    assert stage.ending == Ending(how="returned", exit="shipped")
    assert stage.way == ["say_1", "number", "lookup_3", "say_4", "again"]
    assert [event.edge for event in stage.told if isinstance(event, NodeLeft)] == [
        "then",
        "then",
        "then",
        "then",
        "options.2",
    ]
    everything = session.report() + str(stage.told) + str(session.variables)
    assert "12345" not in everything
    assert "It is {" in session.report()
    assert "{state}" in session.report()


def test_a_program_leaves_for_elsewhere():
    stage = Stage(orders)
    stage.run("keys 12345#\nkeys 1")
    assert str(stage.ending.destination) == "flow:main"


def test_used_up_tries_are_none():
    stage = Stage(orders, retry=Retry(noinput=0))
    session = stage.run("silence\nqueue=answered")
    assert stage.ending == Ending(how="returned", exit="unknown")
    assert "enqueue" in session.report()


def test_programs_call_flows_and_meet_others():
    seen: list[object] = []

    async def flow(call: FlowCall) -> None:
        seen.append(await call.call("sub"))
        seen.append(await call.lookup("down", default={"state": "unknown"}))
        seen.append((await call.lookup("https://example.com/x", wait="please_wait"))["url"])
        seen.append((await call.record("Speak", max_time=5)).ended_by)
        seen.append((await call.dial("1001")).outcome)
        seen.append((await call.transfer("1002")).outcome)
        seen.append((await call.bot("ws://127.0.0.1/bot", send={"a": "{b}"})).ended_by)
        call.language = "zh-CN"
        await call.hangup("goodbye")

    stage = Stage(flow)
    session = stage.run("dial=busy\nstream=lost\nkeys #")
    assert seen == ["fine", {"state": "unknown"}, "https://example.com/x", "key", "busy", "busy", "lost"]
    assert session.language == "zh-CN"
    assert stage.ending.how == "hungup"


def test_a_survey():
    found: list[int | None] = []

    async def flow(call: FlowCall) -> None:
        call.variables["csat"] = 9
        found.append(await call.survey("How was it?", store="csat", scale="1-3", retry=Retry(noinput=0)))

    stage = Stage(flow)
    session = stage.run("keys 2")
    assert (found, session.tags, stage.way) == ([2], {"csat": "2"}, ["survey_1"])
    Stage(flow).run("silence")
    assert found == [2, None]


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ({"timeout": -3}, "timeout"),
        ({"interdigit": "x"}, "interdigit"),
        ({"retry": Retry(noinput=-1)}, "negative"),
        ({"retry": {"noinput": 1, "noinput_prompts": []}}, "unknown key 'noinput_prompts'"),
        ({"fallback": "dial:"}, "fallback"),
        ({"timout": 3}, "unknown key 'timout'"),
    ],
)
def test_a_wrong_head_is_refused(head, message):
    with pytest.raises(ConfigError, match=message) as refused:
        head_of("orders", head)
    assert "orders" in str(refused.value)


def test_a_right_head_is_taken():
    retry = Retry(noinput=1, noinput_prompt=((Named("again"),),), then="queue:help")
    assert head_of("orders", {"timeout": 3, "retry": retry, "languages": ["en"]}) == FlowHead(
        timeout=3.0, retry=retry, languages=("en",)
    )


@pytest.mark.parametrize(
    ("verb", "cause"),
    [
        (lambda call: call.ask("a", digits=4, timeout=-3), "timeout"),
        (lambda call: call.ask("a"), "nothing says what the answer is"),
        (lambda call: call.menu("a", options=("x",)), "cannot be typed"),
        (lambda call: call.survey("a", store="s", scale="5-1"), "no scale"),
        (lambda call: call.record("a", max_time=0), "max_time"),
        (lambda call: call.dial("1001", timeout=-1), "timeout"),
    ],
)
def test_a_verb_with_wrong_fields_leads_to_the_fallback(verb, cause):
    stage = Stage(verb, fallback="queue:help")
    stage.run()
    [fallen] = [event for event in stage.told if isinstance(event, FlowFellBack)]
    assert cause in fallen.reason


def test_back_is_a_return():
    async def flow(call: FlowCall) -> None:
        call.back("early")

    stage = Stage(flow)
    stage.run()
    assert stage.ending == Ending(how="returned", exit="early")


@pytest.mark.parametrize("what", ["bad", {"say": "nothing", "value": "1"}])
def test_an_error_leads_to_the_fallback(what):
    async def flow(call: FlowCall) -> None:
        if what == "bad":
            raise ValueError("secret detail")
        await call.say(what)

    stage = Stage(flow, fallback="queue:help")
    stage.run()
    fallen = [event for event in stage.told if isinstance(event, FlowFellBack)]
    assert len(fallen) == 1
    assert "secret detail" not in fallen[0].reason
    assert str(stage.ending.destination) == "queue:help"
