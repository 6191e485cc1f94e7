"""Calls on their way through flows, with a made-up caller in virtual time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

import pytest

from sipcc.call.destination import Destination
from sipcc.errors import CallEnded, ConfigError, LocalProtocolError
from sipcc.events import Event
from sipcc.ivr.events import FlowFellBack, NodeEntered, NodeLeft
from sipcc.ivr.flows.load import parse_flow, sound
from sipcc.ivr.flows.model import Flow
from sipcc.ivr.flows.run import Ending, FlowServices, LookupFailed, Playable, playable, run_flow
from sipcc.ivr.flows.sent import Sent
from sipcc.ivr.hours import Calendar, HoursSettings
from sipcc.ivr.session import Session
from sipcc.ivr.sim import SimSession, finish
from sipcc.ivr.steps import Left, Stream, Streamed, Wire


def flow(text: str, name: str = "main") -> Flow:
    return sound(*parse_flow(text, name))


class Stage:
    """Runs flows with a scripted caller, and keeps what was told."""

    def __init__(self, text: str, *, also: Mapping[str, str] | None = None, **services: object) -> None:
        self.flow = flow(text)
        self.others = {name: playable(flow(other, name)) for name, other in (also or {}).items()}
        self.told: list[Event] = []
        self.asked: list[Sent] = []
        self.posted: list[Sent] = []
        self.services = FlowServices(
            find=self.others.get, lookup=self.lookup, post=self.post, tell=self.told.append, **services
        )
        self.answer: Mapping[str, object] | LookupFailed = {}

    async def lookup(self, session: Session, sent: Sent) -> Mapping[str, object]:
        self.asked.append(sent)
        if isinstance(self.answer, LookupFailed):
            raise self.answer
        return self.answer

    async def post(self, session: Session, sent: Sent, wait: bool) -> bool:
        self.posted.append(sent)
        return not sent.url.endswith("/fails")

    def run(self, script: str = "", **session: object) -> SimSession:
        self.told.clear()
        self.session = SimSession(script, **session)  # type: ignore[arg-type]
        try:
            self.ending = finish(run_flow(self.session, playable(self.flow), self.services))
        except CallEnded:
            self.ending = Ending(how="hungup")
        return self.session

    @property
    def way(self) -> list[str]:
        """The nodes that the call came to."""
        return [event.node for event in self.told if isinstance(event, NodeEntered)]

    @property
    def edges(self) -> list[str]:
        return [event.edge for event in self.told if isinstance(event, NodeLeft)]

    @property
    def fallen(self) -> list[str]:
        return [event.reason for event in self.told if isinstance(event, FlowFellBack)]


MENU = """fallback = "queue:help"
[nodes.hello]
type = "say"
prompt = "Welcome to the bank."
then = "main"
[nodes.main]
type = "menu"
prompt = "Press one or two."
options = { "1" = "other", "2" = "queue:sales", "9" = "top", "*" = "back" }
retry = { noinput = 1, nomatch = 1, then = "hangup", noinput_prompt = ["Hello?"] }
[nodes.other]
type = "menu"
prompt = "Deeper."
options = { "1" = "queue:deep", "9" = "top", "*" = "back", "8" = "return" }
"""


def test_prompts_go_before_the_question_and_are_cut_with_it():
    stage = Stage(MENU)
    stage.run("keys 2")
    assert stage.way == ["hello", "main"]
    assert stage.edges == ["then", "options.2"]
    assert stage.ending == Ending(how="destination", destination=Destination("queue", "sales"))
    assert "queue:sales" in stage.session.report()


def test_back_and_top():
    stage = Stage(MENU)
    stage.run("keys 1\nkeys *\nkeys 1\nkeys 9\nkeys 2")
    assert stage.way == ["hello", "main", "other", "main", "other", "hello", "main"]
    stage.run("keys *\nkeys 2")
    assert stage.way == ["hello", "main", "hello", "main"]


def test_a_burst_walks_nine_levels_and_nothing_is_heard():
    nodes = "".join(
        f"""[nodes.level{level}]
type = "menu"
prompt = "This is level {level}."
options = {{ "{level}" = "{f"level{level + 1}" if level < 9 else "queue:leaf"}" }}
[nodes.hint{level}]
type = "say"
prompt = "never heard"
then = "top"
"""
        for level in range(1, 10)
    )
    stage = Stage('fallback = "hangup"\n' + nodes)
    session = stage.run("keys 123456789")
    assert stage.way == [f"level{level}" for level in range(1, 10)]
    assert str(stage.ending.destination) == "queue:leaf"
    assert len([line for line in session.lines if line.what == "heard"]) <= 1


def test_tries_are_counted_apart_and_lead_on():
    stage = Stage(MENU)
    stage.run("silence\nsilence")
    assert stage.edges == ["then", "retry"]
    left = [event for event in stage.told if isinstance(event, NodeLeft)][-1]
    assert (left.noinput, left.nomatch) == (2, 0)
    assert stage.ending.how == "hungup"
    stage.run("keys 5\nsilence\nkeys 2")
    left = [event for event in stage.told if isinstance(event, NodeLeft)][-1]
    assert (left.edge, left.noinput, left.nomatch) == ("options.2", 1, 1)


def test_both_together_have_a_limit():
    stage = Stage(MENU.replace("noinput = 1, nomatch = 1", "noinput = 5, nomatch = 5, total = 1"))
    stage.run("keys 5\nsilence\nkeys 2")
    assert stage.edges[-1] == "retry"


def test_silent_callers_do_not_go_round_for_ever():
    stage = Stage(MENU.replace('then = "hangup"', 'then = "top"'))
    stage.run("")
    assert stage.fallen == ["nobody answered the same question twice"]
    assert str(stage.ending.destination) == "queue:help"


LOOP = """fallback = "a"
[nodes.a]
type = "set"
values = { x = 1 }
then = "b"
[nodes.b]
type = "switch"
when = [["x == 1", "a"]]
"""


def test_a_circle_ends_after_a_thousand_steps_and_is_refused_when_the_fallback_is_in_it():
    stage = Stage(LOOP)
    stage.run()
    assert stage.fallen == ["1000 steps without anything from the caller"] * 2
    assert stage.ending.how == "hungup"
    assert len(stage.way) == 2000


def test_what_is_not_there_leads_to_the_fallback():
    stage = Stage(MENU.replace('"queue:sales"', '"nowhere"'))
    stage.run("keys 2")
    assert stage.fallen == ["there is no node 'nowhere'"]
    assert str(stage.ending.destination) == "queue:help"
    stage = Stage(MENU.replace('"queue:sales"', '""'))
    stage.run("keys 2")
    assert stage.fallen == []
    assert str(stage.ending.destination) == "queue:help"


def test_without_a_fallback_there_is_an_error_and_the_end():
    stage = Stage(MENU.replace('fallback = "queue:help"', "").replace('"queue:sales"', '"nowhere"'))
    session = stage.run("keys 2")
    assert stage.ending.how == "hungup"
    assert "error" in session.report()


BANK = """fallback = "queue:help"
[nodes.card]
type = "gather"
prompt = "Your card?"
digits = [4, 16]
secret = true
into = "card"
keys = { "*" = "queue:star" }
then = "verify"
[nodes.verify]
type = "lookup"
url = "http://127.0.0.1/verify"
send = { card = "{card}", who = "{caller}", note = "card {card}" }
answer = { level = "number" }
into = "account"
when = [["account.level >= 3 and account.owner.vip", "queue:vip"]]
then = "say"
failed = "queue:failed"
[nodes.say]
type = "say"
prompt = ["{account.name}, your card {card} has", {say = "money", value = "{account.balance}"}]
then = "keep"
[nodes.keep]
type = "set"
values = { copy = "{card}", level = "{account.level}", text = "level {account.level}" }
then = "agent"
[nodes.agent]
type = "queue"
queue = "agents"
context = { card = "{card}", level = "{account.level}" }
"""


def test_a_lookup_decides():
    stage = Stage(BANK)
    stage.answer = {"level": 3, "owner": {"vip": True}}
    stage.run("keys 62220000#", caller="13800138000")
    assert dict(stage.asked[0].body) == {"card": "62220000", "who": "13800138000", "note": "card 62220000"}
    assert str(stage.ending.destination) == "queue:vip"


@pytest.mark.parametrize("answer", [LookupFailed("slow"), {"level": "three"}, {"level": True}, {}])
def test_a_lookup_without_a_good_answer_fails(answer):
    stage = Stage(BANK)
    stage.answer = answer
    stage.run("keys 62220000#")
    assert str(stage.ending.destination) == "queue:failed"


def test_keys_lead_elsewhere_in_a_gather():
    stage = Stage(BANK)
    stage.run("keys *")
    assert str(stage.ending.destination) == "queue:star"


def test_secrets_are_sent_and_appear_nowhere_else():
    stage = Stage(BANK)
    stage.answer = {"level": 1, "name": "card 62220000", "balance": "12.50", "echo": 62220000}
    session = stage.run("keys 62220000#")
    assert stage.way == ["card", "verify", "say", "keep", "agent"]
    told = [str(event) for event in stage.told]
    everything = " ".join([session.report(), str(session.variables), *told, *map(repr, stage.asked)])
    assert "62220000" not in everything
    assert session.variables["level"] == 1
    assert session.variables["text"] == "level 1"
    assert session.variables["copy"] is None


SUB = """fallback = "queue:help"
[nodes.ask]
type = "menu"
prompt = "Sub?"
options = { "1" = "good", "2" = "return", "3" = "queue:away", "*" = "back" }
[nodes.good]
type = "return"
exit = "good"
"""


def test_flows_call_flows_and_return():
    text = """fallback = "queue:help"
[nodes.first]
type = "call"
flow = "sub"
exits = { good = "queue:good" }
then = "queue:plain"
"""
    stage = Stage(text, also={"sub": SUB})
    for key, to in (("1", "queue:good"), ("2", "queue:plain"), ("3", "queue:away")):
        stage.run(f"keys {key}")
        assert str(stage.ending.destination) == to
    assert [event.flow for event in stage.told if isinstance(event, NodeEntered)] == ["main", "sub"]
    stage.run("silence\nkeys 2")
    left = [event for event in stage.told if isinstance(event, NodeLeft)]
    assert [(event.node, event.noinput) for event in left] == [("ask", 1), ("first", 0)]


def test_flows_within_flows_have_a_depth():
    text = 'fallback = "queue:help"\n[nodes.a]\ntype = "call"\nflow = "self"\n'
    stage = Stage(text, also={"self": text})
    stage.run()
    assert stage.fallen[0] == "flows call each other deeper than 12"
    assert str(stage.ending.destination) == "queue:help"
    stage = Stage(text)
    stage.run()
    assert stage.fallen == ["there is no flow 'self'"]


def test_hours_decide():
    calendar = Calendar(
        HoursSettings(
            name="office", week={"mon-fri": "09:00-18:00"}, holidays=("2026-10-01",), timezone="UTC"
        )
    )
    text = """[nodes.a]
type = "hours"
calendar = "office"
open = "queue:open"
closed = "queue:closed"
holiday = "queue:holiday"
"""
    stage = Stage(text, hours=lambda _, wall: calendar.is_open(wall))
    for wall, to in ((1790848800, "holiday"), (1790762400, "open"), (1790712000, "closed")):
        session = stage.run(wall=wall)
        assert str(stage.ending.destination) == f"queue:{to}"
        assert not session.answered or "answer" not in session.report()

    def missing(name: str, wall: float) -> None:
        raise LocalProtocolError("there is no calendar")

    stage = Stage(text, hours=missing)
    stage.run()
    assert stage.fallen == ["there is no calendar"]


OTHERS = """fallback = "queue:help"
languages = ["en", "zh-CN"]
[nodes.a]
type = "language"
language = "zh-CN"
then = "b"
[nodes.b]
type = "say"
prompt = { en = "good day", zh = "你好" }
bargein = "off"
then = "c"
[nodes.c]
type = "record"
prompt = "Speak"
into = "message"
then = "d"
empty = "queue:empty"
[nodes.d]
type = "http"
url = "http://127.0.0.1/told"
send = { file = "{message}", long = "{message.seconds}" }
wait = true
then = "e"
[nodes.e]
type = "dial"
to = "100{caller}"
then = "queue:after"
busy = "queue:busy"
failed = "f"
[nodes.f]
type = "transfer"
to = "1001"
failed = "g"
[nodes.g]
type = "bot"
url = "ws://127.0.0.1:1/bot"
ways = { pay = "queue:pay" }
then = "h"
failed = "queue:nobot"
[nodes.h]
type = "queue"
queue = "agents"
context = { talk = "{bot.transcript}" }
exits = { timed_out = "i" }
unserved = "queue:unserved"
[nodes.i]
type = "survey"
prompt = "How was it?"
store = "csat"
scale = "1-5"
low = { below = 3, then = "queue:low" }
then = "j"
[nodes.j]
type = "hangup"
prompt = "goodbye"
"""


@pytest.mark.parametrize(
    ("script", "to"),
    [
        ("dial=busy", "queue:busy"),
        ("dial=answered", "queue:after"),
        ("dial=failed\nstream={ended_by='program', to='pay'}", "queue:pay"),
        ("dial=failed\nstream=lost", "queue:nobot"),
        ("dial=failed\nqueue=full", "queue:unserved"),
        ("dial=failed\nqueue=timed_out\nsay hello\nkeys 2", "queue:low"),
        ("dial=failed\nqueue=timed_out\nsay hello\nkeys 5", "None"),
        ("dial=failed\nqueue=answered", "None"),
    ],
)
def test_others_are_met(script, to):
    stage = Stage(OTHERS)
    session = stage.run(script, caller="1", language="fr")
    assert str(stage.ending.destination) == to, session.report()
    assert stage.fallen == []
    assert session.language == "zh-CN"
    assert "你好" in session.report()


def test_a_program_is_a_flow_too():
    async def program(run: object) -> str:
        raise RuntimeError("no")

    stage = Stage('[nodes.a]\ntype = "call"\nflow = "py"\n')
    head = flow('fallback = "queue:help"\n[nodes.a]\ntype = "hangup"').head
    stage.others["py"] = Playable(name="py", version="1", head=head, program=program)
    stage.run()
    assert stage.fallen == ["the program raised RuntimeError"]
    assert str(stage.ending.destination) == "queue:help"


def test_what_a_session_raises_leads_to_the_fallback():
    class Broken(SimSession):
        async def enqueue(self, step: object) -> None:
            raise KeyError("62220000")

    stage = Stage('fallback = "play:sorry"\n[nodes.a]\ntype = "queue"\nqueue = "sales"\n')
    session = Broken("")
    ending = finish(run_flow(session, playable(stage.flow), FlowServices(tell=stage.told.append)))
    assert stage.fallen == ["it raised KeyError"]
    assert (ending.how, session.said, session.exit) == ("hungup", ["sorry"], "normal")


@pytest.mark.parametrize(
    "node",
    [
        'type = "dial"\nto = "1002"',  # it names no way of its own
        'type = "menu"\nprompt = "Press 1."\noptions = { "1" = "hangup" }',  # the tries are used up
        'type = "goto"\nto = "nowhere"',
        'type = "goto"\nto = "dial:1002"',
    ],
)
def test_a_prompt_as_the_last_resort_is_heard_once(node):
    stage = Stage(f'fallback = "play:sorry"\n[nodes.a]\n{node}\n')
    session = stage.run("dial=busy")
    assert session.said.count("sorry") == 1
    assert session.said[-1] == "sorry"
    assert session.exit == "normal"
    assert "go         play" not in session.report()


def test_a_prompt_that_was_chosen_is_heard_until_the_caller_hangs_up():
    stage = Stage('fallback = "play:sorry"\n[nodes.a]\ntype = "goto"\nto = "play:sorry"\n')
    assert "go         play:sorry" in stage.run().report()


SPOKEN = """fallback = "queue:help"
[nodes.what]
type = "menu"
prompt = "What may we do for you?"
options = { "1" = "balance", "2" = "city" }
words = { "1" = ["my balance", "余额"], "2" = ["weather"] }
into = "choice"
[nodes.balance]
type = "voicemail"
box = "care"
[nodes.city]
type = "gather"
prompt = "Which city?"
speech = true
words = ["Beijing", "Shanghai"]
into = "city"
keys = { "*" = "back", "0" = "hangup" }
then = "any"
[nodes.any]
type = "gather"
prompt = "Anything else?"
speech = true
digits = [1, 3]
into = "more"
then = "queue:weather"
"""


def test_answers_may_be_spoken():
    stage = Stage(SPOKEN.replace(', "0" = "hangup"', ""))
    session = stage.run("say My balance!")
    assert stage.way == ["what", "balance"]
    assert "voicemail:care" in session.report()
    stage.run("say nonsense\nsay 余额")
    assert stage.edges[0] == "options.1"
    session = stage.run("say weather\nsay paris\nsay shanghai\nsay no thank you")
    assert (session.variables["city"], session.variables["more"]) == ("shanghai", "no thank you")
    assert session.variables["choice"] == "2"
    session = stage.run("keys 2\nkeys *\nkeys 2\nsay beijing\nkeys 12#")
    assert stage.way == ["what", "city", "what", "city", "any"]
    assert session.variables["more"] == "12"
    assert str(stage.ending.destination) == "queue:weather"


def test_digits_cannot_lead_elsewhere_in_a_gather():
    with pytest.raises(ConfigError, match="'0' is part of the answer"):
        flow(SPOKEN)


def test_a_bot_may_be_called_by_its_name():
    met: list[Stream] = []

    class Meeting(SimSession):
        async def stream(self, step: Stream) -> Streamed:
            met.append(step)
            return await super().stream(step)

    def bot(session: Session, name: str) -> Stream:
        if name != "helper":
            raise LocalProtocolError(f"there is no bot {name!r}")
        return Stream(url="ws://127.0.0.1/", parameters={"from": session.caller}, headers={"X": "y"})

    text = (
        'fallback = "queue:help"\n[nodes.a]\ntype = "bot"\nbot = "helper"\nsend = { dialled = "{dialled}" }\n'
    )
    services = FlowServices(bot=bot)
    ending = finish(run_flow(Meeting("", dialled="400"), playable(flow(text + 'then = "echo"')), services))
    assert str(ending.destination) == "echo"
    assert met[0].parameters == {"from": "13800138000", "dialled": "400"}
    assert met[0].headers == {"X": "y"}
    for text_, given in ((text.replace("helper", "other"), services), (text, FlowServices())):
        ending = finish(run_flow(Meeting(""), playable(flow(text_)), given))
        assert str(ending.destination) == "queue:help"


@pytest.mark.parametrize(
    ("left", "unserved", "to"),
    [
        (Left(exit="full", to="menu:busy"), "", "menu:busy"),
        (Left(exit="full", to="menu:busy"), "queue:own", "queue:own"),
        (Left(exit="full", to="callback"), "", "queue:help"),
        (Left(exit="full"), "", "queue:help"),
        (Left(exit="timed_out", to="menu:busy"), "", "queue:late"),
        (Left(exit="callback_booked"), "queue:own", "None"),
        (Left(exit="answered", agent="alice"), "queue:own", "echo"),
    ],
)
def test_whoever_leaves_a_queue_goes_as_the_flow_says_or_else_the_queue(left, unserved, to):
    class Queued(SimSession):
        async def enqueue(self, step: object) -> Left:
            return left

        async def go(self, destination: Destination) -> None:
            return

    made = flow(f"""fallback = "queue:help"
[nodes.a]
type = "queue"
queue = "sales"
then = "echo"
exits = {{ timed_out = "queue:late" }}
unserved = "{unserved}"
""")
    assert str(finish(run_flow(Queued(""), playable(made))).destination) == to


@pytest.mark.parametrize(("call", "language"), [("en", "en"), ("zh", "zh-CN"), ("en-GB", "en"), ("fr", "en")])
def test_a_call_begins_in_a_language_of_the_flow(call, language):
    stage = Stage('languages = ["en", "zh-CN"]\n[nodes.a]\ntype = "hangup"\nprompt = "goodbye"\n')
    assert stage.run(language=call).language == language


@pytest.mark.parametrize("wire", get_args(Wire))
def test_a_bot_in_a_flow_may_speak_whatever_bots_speak(wire):
    scheme = "tcp" if wire == "audiosocket" else "ws"
    text = '[nodes.a]\ntype = "bot"\nurl = "{}://127.0.0.1:9000"\nwire = "{}"\nthen = "echo"\n'
    stage = Stage('fallback = "busy"\n' + text.format(scheme, wire))
    stage.run("stream=program")
    assert str(stage.ending.destination) == "echo"
    with pytest.raises(ConfigError, match=f"is no address for {wire}"):
        flow(text.format("http", wire))


@pytest.mark.parametrize(
    ("keys", "to"), [("120", "queue:large"), ("99", "queue:small"), ("100", "queue:large")]
)
def test_a_typed_amount_is_compared_as_a_number(keys, to):
    stage = Stage(
        '[nodes.a]\ntype = "gather"\nprompt = "How much?"\ndigits = [1, 6]\ninto = "amount"\nthen = "b"\n'
        'retry = { then = "hangup" }\n'
        '[nodes.b]\ntype = "switch"\nwhen = [["amount >= 100", "queue:large"]]\nelse = "queue:small"\n'
    )
    stage.run(f"keys {keys}#")
    assert str(stage.ending.destination) == to
