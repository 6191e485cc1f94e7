"""Flows with a made-up caller: what it hears, where it goes, what lookups and calendars say."""

import pytest

from sipcc.ivr.flows.load import parse_flow
from sipcc.ivr.flows.run import playable
from sipcc.ivr.flows.script import ScriptError
from sipcc.ivr.flows.simulate import SimWorld, simulate
from sipcc.ivr.hours import Calendar, HoursSettings

BANK = """
fallback = "queue:service"

[nodes.open]
type = "hours"
calendar = "shop"
open = "who"
closed = "night"
holiday = "feast"

[nodes.who]
type = "lookup"
source = "crm"
into = "account"
deadline = 0.8
when = [["account.level >= 3", "queue:vip"]]
wait_prompt = "One moment, please."
then = "main"
failed = "main"

[nodes.main]
type = "menu"
prompt = "Press one for your order."
options = {"1" = "number", "0" = "queue:service"}

[nodes.number]
type = "gather"
prompt = "Your order number, please."
into = "number"
digits = [6, 12]
then = "told"

[nodes.told]
type = "lookup"
url = "http://127.0.0.1:8080/orders"
into = "order"
deadline = 1
send = {"number" = "{number}"}
then = "state"
failed = "queue:service"

[nodes.state]
type = "say"
prompt = "Your order is {order.state}."
then = "hangup"

[nodes.night]
type = "say"
prompt = "closed"
then = "hangup"

[nodes.feast]
type = "say"
prompt = "Happy new year."
then = "flow:night"
"""


@pytest.fixture(scope="module")
def bank():
    flow, report = parse_flow(BANK, "bank")
    assert flow is not None, report.findings
    return flow


def test_a_caller_hears_of_its_order(bank):
    script = 'crm={level=1}\norders={state="on its way"}\nkeys 1\nlisten keys 4008123456#'
    made = simulate(bank, script)
    assert made.path == [f"bank.{name}" for name in ("open", "who", "main", "number", "told", "state")]
    assert made.exit == "hungup"
    assert made.session.said[-1] == "Your order is on its way."
    assert [step.edge for step in made.steps] == ["open", "then", "options.1", "then", "then", "then"]
    assert "path: bank.open > bank.who" in made.report()
    assert "exit: hungup, after" in made.report()


@pytest.mark.parametrize(("script", "exit_", "said"), [
    ("crm={level=3}", "queue:vip", []),
    ("crm=failed\nkeys 0", "queue:service", []),
    ("crm=slow\nkeys 0", "queue:service", ["One moment, please."]),
    ("shop=closed", "hungup", ["closed"]),
    ("keys 1\nkeys 4008123456#\norders=failed", "queue:service", []),
    ("keys 1\nhangup", "caller", []),
    ("", "queue:service", []),
])  # fmt: skip
def test_lookups_calendars_and_callers(bank, script, exit_, said):
    made = simulate(bank, script)
    assert made.exit == exit_
    assert [text for text in made.session.said if text in ("One moment, please.", "closed")] == said
    assert (made.ending is None) == (exit_ == "caller")
    assert all("the script says nothing" not in fell.reason for fell in made.fell)


def test_a_question_is_asked_again_and_told_of(bank):
    made = simulate(bank, "silence\nkeys 9\nkeys 0")
    step = next(step for step in made.steps if step.node == "main")
    assert (step.edge, step.noinput, step.nomatch) == ("options.0", 1, 1)


def test_the_hours_of_a_calendar_and_another_flow(bank):
    night, _ = parse_flow('[nodes.bye]\ntype = "say"\nprompt = "goodbye"\nthen = "hangup"\n', "night")
    hours = Calendar(HoursSettings(name="shop", week={"mon": "09:00-12:00"}, holidays=("2026-03-02",)))
    world = SimWorld(flows={"night": playable(night)}, calendars={"shop": hours})
    made = simulate(bank, "", world)
    assert made.session.said[:1] == ["Happy new year."]


def test_a_script_that_cannot_be_read(bank):
    with pytest.raises(ScriptError, match="line 1"):
        simulate(bank, "press 1")
