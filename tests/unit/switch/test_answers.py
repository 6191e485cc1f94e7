"""What the answers of routers mean, and what is wrong with those that mean nothing."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sipcc.acd.settings import AgentSettings, QueueSettings, RouterSettings, WorkflowSettings
from sipcc.call import Destination
from sipcc.config import Config
from sipcc.ivr.settings import MenuSettings
from sipcc.switch.answers import Assignment, Directory

DIRECTORY = Directory(
    Config(
        queues=(QueueSettings(name="sales"), QueueSettings(name="busy")),
        agents=(AgentSettings(name="alice", user="1001", queues=("sales",)),),
        menus=(MenuSettings(name="main", prompt="welcome", options={"1": "hangup"}, then="hangup"),),
        workflows=(WorkflowSettings(name="by-level", json="{}"),),
        routers=(RouterSettings(name="crm", url="http://127.0.0.1/", default="queue:sales"),),
    )
)


@pytest.mark.parametrize(
    ("answer", "meant"),
    [
        ("sales", "queue:sales"),
        ("busy", "queue:busy"),
        ("reject:603", "reject:603"),
        ("workflow:by-level", "workflow:by-level"),
        ({"to": "menu:main"}, "menu:main"),
        ({"to": "sales", "priority": 2}, "queue:sales, priority 2"),
        ({"queue": "sales"}, "queue:sales"),
        ({"queue": "sales", "agent": "alice"}, "queue:sales, agent alice"),
        (
            {"queue": "sales", "agent": "alice", "wait": 5, "priority": -1},
            "queue:sales, agent alice, priority -1",
        ),
        ({"reject": 486}, "reject:486"),
    ],
)
def test_what_an_answer_means(answer: Any, meant: str) -> None:
    assert str(DIRECTORY.assignment(answer)) == meant


def test_the_wait_for_an_agent() -> None:
    assert DIRECTORY.assignment({"queue": "sales", "agent": "alice"}) == Assignment(
        destination=Destination("queue", "sales"), agent="alice", wait=20.0
    )
    assert DIRECTORY.assignment({"queue": "sales", "agent": "alice", "wait": 0}).wait == 0.0


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (None, "None is no queue and no destination"),
        ([], "[] is no queue and no destination"),
        ("", "'' is no queue and no destination"),
        ("router:crm", "'router:crm' leads nowhere"),
        ("app:x", "'app:x' leads nowhere"),
        ("workflow:x", "'workflow:x' leads nowhere"),
        ({}, "the answer has none of to, queue and reject"),
        ({"queue": "sales", "reject": 486}, "the answer has queue and reject"),
        ({"queue": "sale"}, "'queue:sale' leads nowhere"),
        ({"queue": 5}, "the answer is wrong: Expected `str`, got `int` - at `$.queue`"),
        ({"queue": "sales", "prio": 5}, "the answer is wrong: Object contains unknown field `prio`"),
        ({"queue": "sales", "priority": "5"}, "Expected `int`, got `str` - at `$.priority`"),
        ({"queue": "sales", "priority": 10**400}, "Expected `int`"),
        ({"reject": 200}, "Expected `int` >= 400 - at `$.reject`"),
        ({"queue": "sales", "agent": "bob"}, "'bob' is no agent of queue 'sales'"),
        ({"queue": "busy", "agent": "alice"}, "'alice' is no agent of queue 'busy'"),
        ({"to": "menu:main", "agent": "alice"}, "menu:main is no queue"),
        ({"queue": "sales", "wait": float("nan")}, "Expected `float`"),
        ({5: "sales"}, "the answer is wrong"),
    ],
)
def test_what_means_nothing(answer: Any, cause: str) -> None:
    with pytest.raises(ValueError, match=re.escape(cause)):
        DIRECTORY.assignment(answer)
