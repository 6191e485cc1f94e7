"""The live wallboard of the demo: calls, queue, agents and figures, drawn with rich."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from sipcc.acd.snapshot import AgentSnapshot, QueueSnapshot, Snapshot
    from sipcc.cli.demo_world import DemoWorld, Visit

KEYS = "c one caller   b burst of 20   k kill an agent   l ladder of the last call   q quit"
MAX_VISITS = 12
MAX_WAITING = 8

_AGENT_STYLES = {
    "ready": "green",
    "talking": "bold cyan",
    "ringing": "yellow",
    "reserved": "yellow",
    "wrap_up": "magenta",
    "offline": "dim",
    "quarantined": "red",
}
_STAGE_STYLES = {"talking": "bold cyan", "served": "green", "gave up": "magenta", "failed": "bold red"}


def draw(world: DemoWorld, *, message: str = "") -> RenderableType:
    """The whole board at this moment."""
    snapshot = world.snapshot()
    top = Text.assemble(("sipccd demo ", "bold"), f"on {world.switch.addresses}   ", (KEYS, "reverse"))
    parts: list[RenderableType] = [
        top,
        Columns([_agents(snapshot, world.killed), _queue(snapshot)], padding=(0, 1)),
        Columns([_visits(world.visits, world.now), _figures(snapshot, world)], padding=(0, 1)),
        Text(guest_hint(world), style="dim"),
    ]
    if message:
        parts.append(Text(message, style="yellow"))
    return Group(*parts)


def draw_ladder(text: str, height: int) -> RenderableType:
    """The ladder in place of the board; of a long one, the end."""
    lines = text.splitlines()
    room = max(5, height - 4)
    if len(lines) > room:
        lines = [*lines[:2], f"... {len(lines) - room} messages before ...", *lines[2 - room :]]
    return Panel(Text("\n".join(lines), no_wrap=True), title="SIP ladder", subtitle="any key: back")


def guest_hint(world: DemoWorld) -> str:
    """How to take part with a softphone of one's own."""
    host, port = world.address
    return (
        f"Be an agent: register a softphone of this machine as user '{world.guest}', password "
        f"'{world.password}', at {host}:{port} (UDP or TCP). Or dial {world.number} from it."
    )


def _agents(snapshot: Snapshot, killed: list[str]) -> Panel:
    table = Table("agent", "state", "for", "call", box=None, pad_edge=False)
    for agent in snapshot.agents:
        table.add_row(
            agent.display,
            _state_of(agent, killed),
            _seconds(snapshot.at - agent.since) if agent.since else "",
            (agent.call or "")[-8:],
        )
    return Panel(table, title="agents")


def _state_of(agent: AgentSnapshot, killed: list[str]) -> Text:
    style = _AGENT_STYLES.get(str(agent.state), "")
    words = str(agent.state).replace("_", " ")
    if agent.not_before is not None:
        words += " (back-off)"
    if agent.name in killed:
        words, style = f"{words}, no power", "red"
    return Text(words, style=style)


def _queue(snapshot: Snapshot) -> Panel:
    table = Table("place", "caller", "state", "waits", box=None, pad_edge=False)
    waiting = [caller for queue in snapshot.queues for caller in queue.waiting]
    for caller in waiting[:MAX_WAITING]:
        table.add_row(str(caller.position), caller.caller, str(caller.state), _seconds(caller.waited))
    if len(waiting) > MAX_WAITING:
        table.add_row("", f"and {len(waiting) - MAX_WAITING} more", "", "")
    return Panel(table, title=f"queue: {len(waiting)} waiting")


def _visits(visits: list[Visit], now: float) -> Panel:
    table = Table("caller", "where", "agent", "for", box=None, pad_edge=False)
    live = [visit for visit in visits if not visit.done]
    shown = (live + [visit for visit in reversed(visits) if visit.done])[:MAX_VISITS]
    for visit in shown:
        table.add_row(
            visit.caller,
            Text(visit.problem or visit.stage, style=_STAGE_STYLES.get(visit.stage, "")),
            visit.agent,
            _seconds((visit.ended if visit.done else now) - visit.began),
        )
    return Panel(table, title=f"calls: {len(live)} live, {len(visits)} in all")


def figures(queue: QueueSnapshot) -> list[tuple[str, str]]:
    """The figures of one queue as words and values."""
    served = queue.answered
    return [
        ("offered", str(queue.offered)),
        ("answered", str(served)),
        ("answered in time", f"{queue.answered_in_time / served:.0%}" if served else "-"),
        ("abandoned", str(queue.abandoned)),
        ("short abandoned", str(queue.short_abandoned)),
        ("average speed of answer", f"{queue.asa:.1f} s" if queue.asa is not None else "-"),
        ("longest wait now", _seconds(queue.longest_wait)),
    ]


def _figures(snapshot: Snapshot, world: DemoWorld) -> Panel:
    table = Table.grid(padding=(0, 2))
    for queue in snapshot.queues:
        for words, value in figures(queue):
            table.add_row(words, value)
    counters = world.switch.endpoint.counters
    table.add_row("SIP messages in, out", f"{counters['received']}, {counters['sent']}")
    table.add_row(
        "offers", ", ".join(f"{n} {name}" for name, n in sorted(world.tallies.offers.items())) or "-"
    )
    return Panel(table, title="figures")


def _seconds(seconds: float) -> str:
    return f"{max(0.0, seconds):.0f} s"
