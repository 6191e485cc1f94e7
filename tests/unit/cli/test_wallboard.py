from __future__ import annotations

from types import SimpleNamespace

from rich.console import Console

from sipcc.acd.model import AgentState, EntryState
from sipcc.acd.snapshot import AgentSnapshot, CallerSnapshot, QueueSnapshot, Snapshot
from sipcc.cli import wallboard
from sipcc.cli.demo_world import Tallies, Visit
from sipcc.sip.transport.base import Address


def caller(place: int) -> CallerSnapshot:
    return CallerSnapshot(
        entry=f"entry-{place}",
        call=f"call-{place}",
        caller=f"138001380{place:02d}",
        priority=0,
        position=place,
        state=EntryState.WAITING,
        joined=90.0,
        waited=10.0,
        talked=0.0,
        agent=None,
    )


def snapshot() -> Snapshot:
    agent = AgentSnapshot(
        name="ann",
        display="Ann",
        state=AgentState.TALKING,
        since=95.0,
        reason="",
        pending=None,
        deadline=None,
        not_before=120.0,
        misses=0,
        queues=("sales",),
        call="call-1",
    )
    queue = QueueSnapshot(
        name="sales",
        waiting=tuple(caller(place) for place in range(1, 13)),
        talking=(),
        agents_present=1,
        agents_ready=0,
        longest_wait=10.0,
        offered=14,
        answered=2,
        abandoned=0,
        short_abandoned=0,
        exits={"answered": 2},
        asa=1.5,
        answered_in_time=1,
    )
    return Snapshot(at=100.0, agents=(agent,), queues=(queue,))


def rendered(width: int = 160) -> str:
    world = SimpleNamespace(
        snapshot=snapshot,
        switch=SimpleNamespace(
            addresses="udp:127.0.0.1:5060",
            endpoint=SimpleNamespace(counters={"received": 7, "sent": 8}),
        ),
        killed=["ann"],
        visits=[
            Visit("13800138000", "patient", 90.0, stage="talking", agent="ann"),
            Visit(
                "13800138001",
                "patient",
                80.0,
                stage="failed",
                done=True,
                ended=92.0,
                problem="refused with 486",
            ),
        ],
        now=100.0,
        tallies=Tallies(offers={"answered": 2}),
        address=Address("127.0.0.1", 5060),
        guest="you",
        password="pw",
        number="4008123456",
    )
    console = Console(width=width, height=50, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(wallboard.draw(world, message="a burst"))  # type: ignore[arg-type]
    console.file.close()
    return console.export_text()


def test_the_board_shows_calls_queue_agents_and_figures() -> None:
    text = rendered()
    for expected in (
        "queue: 12 waiting",
        "and 4 more",
        "talking (back-off), no power",
        "calls: 1 live, 2 in all",
        "refused with 486",
        "average speed of answer  1.5 s",
        "50%",
        "2 answered",
        "7, 8",
        "user 'you', password 'pw', at 127.0.0.1:5060",
        "a burst",
    ):
        assert expected in text


def test_a_long_ladder_shows_its_end() -> None:
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(wallboard.draw_ladder("\n".join(f"line {n}" for n in range(100)), height=20))
    console.file.close()
    text = console.export_text()
    assert "line 1 " in text
    assert "line 99" in text
    assert "line 50" not in text
    assert "84 messages before" in text
