"""A workflow as a core: which filter, which stay after which, for whom, and until when."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sipcc.acd.model import Agent, AgentState, Stage
from sipcc.acd.settings import AgentSettings, RelaxStep
from sipcc.acd.skills import skill_stages
from sipcc.acd.taskrouter import (
    Document,
    Ordering,
    compile_filter,
    compile_order,
    compile_skip,
    compile_target,
    worker_names,
    worker_value,
)
from sipcc.acd.workflow import Leg, Workflow
from sipcc.expr import ExpressionError, Value

ANNA = AgentSettings(
    name="anna", skills={"billing": 3, "latin": 0}, attributes={"languages": ("zh", "en"), "level": 4}
)
BELA = AgentSettings(name="bela", skills={"billing": 1}, queues=("q", "r"), attributes={"level": 7})


def agent(settings: AgentSettings, state: AgentState = AgentState.READY, **more: Any) -> Agent:
    return Agent(settings=settings, order=0, state=state, **more)


def workflow(*targets: dict[str, Any], default: str = "", expression: str = "1 == 1") -> Workflow:
    routing: dict[str, Any] = {"filters": [{"expression": expression, "targets": targets}]}
    if default:
        routing["default_filter"] = {"queue": default}
    return Workflow("w", msgspec.convert({"task_routing": routing}, Document))


def legs(
    flow: Workflow,
    *waits: float,
    team: tuple[Agent, ...] = (agent(ANNA), agent(BELA)),
    task: dict[str, Value] | None = None,
    own: tuple[Stage, ...] = (),
) -> list[Leg]:
    """The stays of a call that asks for the next at each of `waits`."""
    walk = flow.begin(task or {}, lambda _: own)
    found = [walk.next(waited, lambda _: team, now=1000.0 + waited) for waited in waits]
    return [leg for leg in found if leg is not None]


def shape(leg: Leg) -> tuple[str, int, float | None, str, list[tuple[float, str]]]:
    """What can be compared: queue, priority, end, whereto, and the stages."""
    stages = [(stage.after, stage.label.rpartition(", ")[2]) for stage in leg.plan]
    return leg.queue, leg.priority, leg.until, leg.to, stages


Q10 = {"queue": "q", "timeout": 10}
R10 = {"queue": "r", "timeout": 10}


@pytest.mark.parametrize(
    ("flow", "waits", "stays"),
    [
        # the timeouts add up: the second queue is left at 20 s
        (
            workflow(Q10, R10),
            (0.0, 10.0, 20.0),
            [
                ("q", 0, 10.0, "workflow:w", [(0.0, "target 1")]),
                ("r", 0, 20.0, "", [(10.0, "target 2")]),
            ],
        ),
        # targets of one queue are stages of one stay
        (
            workflow(Q10, {**Q10, "expression": "worker.level > 5"}, {"queue": "q"}),
            (0.0,),
            [("q", 0, None, "", [(0.0, "target 1"), (10.0, "target 2"), (20.0, "target 3")])],
        ),
        # another priority is another stay; one that is not named stays as it was
        (
            workflow({**Q10, "priority": 3}, Q10, {**Q10, "priority": 9}, {"queue": "r"}),
            (0.0, 20.0, 30.0),
            [
                ("q", 3, 20.0, "workflow:w", [(0.0, "target 1"), (10.0, "target 2")]),
                ("q", 9, 30.0, "workflow:w", [(20.0, "target 3")]),
                ("r", 9, None, "", [(30.0, "target 4")]),
            ],
        ),
        # what needs a look at the agents begins a stay
        (
            workflow(Q10, {**Q10, "skip_if": "1 == 2"}, {"queue": "q"}),
            (0.0, 10.0),
            [
                ("q", 0, 10.0, "workflow:w", [(0.0, "target 1")]),
                ("q", 0, None, "", [(10.0, "target 2"), (20.0, "target 3")]),
            ],
        ),
        # after a phone that rang on, targets whose time is over are passed over
        (
            workflow(Q10, R10, {"queue": "q"}),
            (0.0, 25.0),
            [("q", 0, 10.0, "workflow:w", [(0.0, "target 1")]), ("q", 0, None, "", [(25.0, "target 3")])],
        ),
        # the default comes last, and leads nowhere else
        (
            workflow(Q10, default="r"),
            (0.0, 10.0, 20.0),
            [("q", 0, 10.0, "workflow:w", [(0.0, "target 1")]), ("r", 0, None, "", [])],
        ),
        # no filter takes it
        (workflow(Q10, expression="vip"), (0.0,), []),
        (workflow(Q10, default="r", expression="vip"), (0.0, 1.0), [("r", 0, None, "", [])]),
    ],
)
def test_the_stays(flow: Workflow, waits: tuple[float, ...], stays: list[Any]) -> None:
    assert [shape(leg) for leg in legs(flow, *waits)] == stays


READY, TALKING, PAUSED = AgentState.READY, AgentState.TALKING, AgentState.NOT_READY


@pytest.mark.parametrize(
    ("anna", "bela", "target", "queue"),
    [
        # somebody is free: skip_if is not looked at
        (agent(ANNA), agent(BELA, PAUSED), {"skip_if": "1 == 1"}, "q"),
        (agent(ANNA, TALKING), agent(BELA, TALKING), {"skip_if": "1 == 1"}, "r"),
        # free, but backs off, or is not admitted
        (agent(ANNA, not_before=1001.0), agent(BELA, PAUSED), {"skip_if": "1 == 1"}, "r"),
        (agent(ANNA), agent(BELA), {"skip_if": "1 == 1", "expression": "worker.level > 9"}, "r"),
        # busy agents are available
        (agent(ANNA, TALKING), agent(BELA, PAUSED), {"skip_if": "workers.available == 0"}, "q"),
        (agent(ANNA, PAUSED), agent(BELA, PAUSED), {"skip_if": "workers.available == 0"}, "r"),
        (agent(ANNA, TALKING), agent(BELA, PAUSED), {"skip_if": "workers.unavailable >= 1"}, "r"),
        (agent(ANNA, TALKING), agent(BELA, TALKING), {"skip_if": "task.hurry AND 1 == 1"}, "r"),
        # the one who is known
        (agent(ANNA, TALKING), agent(BELA), {"known_worker_friendly_name": "task.last_agent"}, "q"),
        (agent(ANNA), agent(BELA), {"known_worker_sid": "bela"}, "q"),
        (agent(ANNA), agent(BELA), {"known_worker_sid": "cora"}, "r"),
        (agent(ANNA), agent(BELA), {"known_worker_friendly_name": "task.nobody"}, "r"),
        (
            agent(ANNA, TALKING),
            agent(BELA),
            {"known_worker_friendly_name": "task.last_agent", "skip_if": "1 == 1"},
            "r",
        ),
    ],
)
def test_targets_that_are_passed_over(anna: Agent, bela: Agent, target: dict[str, Any], queue: str) -> None:
    flow = workflow({**Q10, **target}, {"queue": "r"})
    (leg,) = legs(flow, 0.0, team=(anna, bela), task={"last_agent": "anna", "hurry": True})
    assert leg.queue == queue


def test_why_a_target_is_passed_over() -> None:
    flow = workflow({**Q10, "skip_if": "1 == 1"}, {**Q10, "known_worker_sid": "task.x"}, {"queue": "r"})
    walk = flow.begin({}, lambda _: ())
    assert walk.next(0.0, lambda _: (), now=0.0)
    assert walk.passed == [
        ("workflow w, filter 1, target 1", "nobody is free, and 1 == 1 holds"),
        ("workflow w, filter 1, target 2", "task.x is missing, who is no agent of q"),
    ]


def test_whom_a_target_admits() -> None:
    flow = workflow({"queue": "q", "expression": "task.language IN worker.languages"})
    (leg,) = legs(flow, 0.0, task={"language": "zh"})
    (stage,) = leg.plan
    assert stage.want.why_not(agent(ANNA)) == ""
    assert stage.want.why_not(agent(BELA)) == "task.language in worker.languages fails: task.language is zh"


def test_the_skills_of_the_queue_hold_beside_it_from_when_it_is_joined() -> None:
    own = skill_stages("billing >= 2", (RelaxStep(after=15, skills="billing"),))
    first, second = legs(workflow(Q10, {"queue": "r"}), 0.0, 10.0, own=own)
    assert [(stage.after, stage.want.why_not(agent(BELA)) == "") for stage in first.plan] == [
        (0.0, False),
        (15.0, True),
    ]
    assert [(stage.after, stage.want.why_not(agent(BELA)) == "") for stage in second.plan] == [
        (10.0, False),
        (25.0, True),
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("worker.level DESC", ["bela", "anna", "cora"]),
        ("worker.level", ["anna", "bela", "cora"]),
        ("worker.levels.latin asc, worker.routing.levels.billing DESC", ["anna", "bela", "cora"]),
    ],
)
def test_the_order_of_agents(text: str, names: list[str]) -> None:
    agents = [agent(AgentSettings(name="cora", attributes={"level": "high"})), agent(ANNA), agent(BELA)]
    order = Ordering(compile_order(text))
    assert [found.name for found in sorted(agents, key=order)] == names


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "anna"),
        ("friendly_name", "anna"),
        ("sid", "anna"),
        ("display", "anna"),
        ("skills", ("billing",)),
        ("routing.skills", ("billing",)),
        ("levels.billing", 3),
        ("routing.levels.billing", 3),
        ("levels.chess", 0),
        ("queues", ()),
        ("languages", ("zh", "en")),
        ("shoe_size", None),
    ],
)
def test_what_is_known_of_an_agent(name: str, value: Value) -> None:
    assert worker_value(ANNA, name) == value


def test_the_names_that_stand_for_something() -> None:
    assert worker_names([ANNA, BELA]) == [
        "display", "friendly_name", "id", "languages", "level", "levels.billing", "levels.latin", "name",
        "queues", "regions", "sid", "skills",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("read", "text", "cause"),
    [
        (compile_filter, "worker.level > 1", "'worker.level' is not known of a call, at column 1"),
        (compile_filter, "workers.available == 0", "not known of a call"),
        (compile_target, "level > 1", "'level' is not task.NAME or worker.NAME, at column 1"),
        (compile_target, "worker.level > ", "found the end, at column 15"),
        (compile_target, "worker.skills == 'billing'", "a list is never equal to a text"),
        (compile_skip, "worker.level > 1", "is not task.NAME, workers.available or workers.unavailable"),
        (compile_skip, "workers.available == 'none'", "never equal"),
        (compile_order, "worker.level UP", "'worker.level UP' is not worker.NAME ASC"),
        (compile_order, "worker.level,", "'' is not worker.NAME ASC"),
        (compile_order, "level DESC", "'level' is no number of an agent, at column 1"),
        (compile_order, "worker.level, worker.name", "'worker.name' is no number of an agent, at column 14"),
    ],
)
def test_what_cannot_be_read(read: Any, text: str, cause: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        read(text)
    assert cause in str(caught.value)
