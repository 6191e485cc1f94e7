from __future__ import annotations

import msgspec
import pytest

from sipcc.acd import AgentSettings, QueueSettings
from sipcc.acd.settings import with_bound


def test_defaults_are_those_of_the_facts() -> None:
    queue = QueueSettings(name="sales")
    assert (queue.strategy, queue.ring_timeout, queue.wrap_up, queue.max_wait) == (
        "longest-idle",
        20,
        15,
        300,
    )
    assert (queue.max_misses, queue.quarantine, queue.reject_backoff, queue.busy_backoff) == (2, 60, 10, 5)
    assert (queue.short_abandon, queue.service_level, queue.no_agent) == (5, 20, "wait")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (QueueSettings, {"name": ""}),
        (QueueSettings, {"name": "q", "ring_timeout": 0}),
        (QueueSettings, {"name": "q", "max_length": -1}),
        (QueueSettings, {"name": "q", "max_wait": -1}),
        (QueueSettings, {"name": "q", "strategi": "linear"}),
        (QueueSettings, {"name": "q", "no_agent": "stay"}),
        (AgentSettings, {"name": "a", "start": "talking"}),
        (AgentSettings, {"name": "a", "wrap_up": -1}),
        (AgentSettings, {}),
    ],
)
def test_wrong_settings_are_refused(kind: type, data: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(data, kind)


def test_an_agent_with_a_fixed_contact_does_not_register() -> None:
    assert AgentSettings(name="a", user="1001").registers
    assert not AgentSettings(name="a", user="1001", uri="carrier/13800138000").registers


def test_a_number_that_is_bound_to_queues_is_an_agent_of_them_all() -> None:
    ann = AgentSettings(name="ann", user="1001", queues=("sales",))
    queues = (
        QueueSettings(name="sales", bound=("c/13800138001", "c/13800138002"), bound_key="1"),
        QueueSettings(name="help", bound=("c/13800138002", "c/13800138003")),
    )
    agents = with_bound((ann,), queues)
    assert agents[0] is ann
    assert [(agent.name, agent.queues, agent.accept_key) for agent in agents[1:]] == [
        ("13800138001@c", ("sales",), "1"),
        ("13800138002@c", ("sales", "help"), "1"),
        ("13800138003@c", ("help",), ""),
    ]
    assert all(agent.wrap_up == 0 and not agent.registers for agent in agents[1:])
    assert with_bound(agents, queues) == agents
