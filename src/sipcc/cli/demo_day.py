"""`sipccd demo --day`: a whole day of a centre in a minute, and its report held against the SIP messages.

The switch is the real one with real SIP messages, on a network in memory and a clock that jumps. Nobody
says a word, so that hours pass quickly; that audio flows is what `sipccd demo` proves. The day's report is
folded from the event log in the database, as `sipccd report` does it; `sipcc.testing.oracle` counts
the same figures from what the carrier and the phones saw.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from math import isclose
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sipcc.clock import LoopClock
from sipcc.errors import CallRejected
from sipcc.records.report import Cell, ReportFold, ReportRow, row_of, totals
from sipcc.sip.transport.base import Address
from sipcc.tasks import TaskScope

if TYPE_CHECKING:
    from sipcc.acd.settings import QueueSettings
    from sipcc.switch import Switch
    from sipcc.testing.carrier import FakeCarrier
    from sipcc.testing.fakecall import FakeCall
    from sipcc.testing.network import MemoryNetwork
    from sipcc.testing.oracle import Counted, CountedAgent, QueueRule
    from sipcc.testing.phone import Behaviour, FakePhone

OPENS = 8
"""Hour of the day at which the centre opens."""
CURVE = (20, 60, 90, 80, 40, 50, 80, 90, 70, 40, 20, 10)
"""Callers in each hour, from the opening on."""
STEP_S = 1800.0
"""Length of an interval of the report, in seconds."""
TALK_S, LEAST_TALK_S, PATIENCE_S = 240.0, 15.0, 90.0
"""Means of conversations and of patience (exponential), and what a conversation takes at least."""
NUMBERS = {"4008123456": "sales", "4008123457": "service"}
SALES = 0.6
"""Share of the callers who call the first number."""
AGENTS = {"sales": 6, "service": 5}
SECRET = "a day in the life"  # nobody can reach this network
HOST = "127.0.0.1"
CLOSE_S = 0.002
"""Waits and talks, in seconds per call, may differ by so much: messages arrive after they were sent."""

TOML = """\
[sip]
listen = ["udp:127.0.0.1:5060"]
domain = "127.0.0.1"

[media]
address = "127.0.0.1"
clock_ms = 20
timeout = 86400

[records]
database = "{folder}/day.db"
recordings = "{folder}/recordings"

[[trunks]]
name = "carrier"
addresses = ["127.0.0.2"]

[[queues]]
name = "sales"
music = ""
wrap_up = 20
max_wait = 180
[[queues]]
name = "service"
strategy = "ring-all"
music = ""
wrap_up = 10
max_wait = 120
service_level = 15
"""

USER = """
[[users]]
name = "{name}"
password = "{secret}"
media = "rtp"
[[agents]]
name = "{name}"
user = "{name}"
queues = ["{queue}"]
"""


class Caller(msgspec.Struct, frozen=True):
    """Somebody who will call. Times are seconds, `at` since the opening."""

    at: float
    number: str
    name: str
    talk: float
    patience: float
    stays: bool
    """True when the agent hangs up, False when the caller does."""


class Difference(msgspec.Struct, frozen=True):
    """A figure of the report that the messages do not confirm."""

    where: str
    figure: str
    reported: float | None
    counted: float | None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the report says, and what of it the messages deny."""

    rows: list[ReportRow]
    """By half hour and queue."""
    totals: list[ReportRow]
    """By queue, over the day."""
    agents: list[ReportRow]
    """By agent, over the day."""
    compared: int
    """How many figures were held against the messages."""
    differences: list[Difference]
    callers: int
    messages: int
    """SIP messages that were read."""


def callers_of(dice: random.Random, scale: float = 1.0) -> list[Caller]:
    """The day's callers in the order of their coming; `scale` for fewer or more of them."""
    found = []
    for hour, callers in enumerate(CURVE):
        for _ in range(round(callers * scale)):
            number = list(NUMBERS)[dice.random() >= SALES]
            talk = LEAST_TALK_S + dice.expovariate(1 / (TALK_S - LEAST_TALK_S))
            patience = dice.expovariate(1 / PATIENCE_S)
            found.append((3600.0 * (hour + dice.random()), number, talk, patience, dice.random() < 0.5))
    return [
        Caller(at, number, f"1380013{index:04d}", talk, patience, stays)
        for index, (at, number, talk, patience, stays) in enumerate(sorted(found))
    ]


class Day:
    """One day. Use it on a `VirtualClockLoop`."""

    def __init__(self, folder: Path, *, seed: int = 1, scale: float = 1.0) -> None:
        self._folder = folder
        self._dice = random.Random(seed)
        self._plan = {caller.name: caller for caller in callers_of(self._dice, scale)}
        self._taken: dict[str, asyncio.Event] = {}
        """By caller: set when an agent's phone has answered."""
        self._scope = TaskScope("day")
        self._phones: dict[str, FakePhone] = {}

    async def run(self) -> Verdict:
        """Live through it, and compare."""
        from sipcc.testing.network import MemoryNetwork

        network = MemoryNetwork()
        switch = self._switch(network)
        await switch.start()
        carrier = await self._surround(network)
        begin = switch.clock.now()
        try:
            await self._live(carrier, begin)
            await asyncio.sleep(60.0)  # the last wrap-up
            await switch.keeper.flush(30.0)
            return await self._judge(switch, carrier, begin)
        finally:
            await self._scope.close()
            for party in (carrier, *self._phones.values()):
                await party.stop()
            await switch.stop()

    # Who takes part

    def _switch(self, network: MemoryNetwork) -> Switch:
        from sipcc.rtp import LocalEngine
        from sipcc.switch import Switch

        (self._folder / "recordings").mkdir()
        users = [USER.format(name=name, secret=SECRET, queue=queue) for name, queue in _agents()]
        path = self._folder / "day.toml"
        path.write_text(TOML.format(folder=self._folder) + "".join(users) + _numbers(), encoding="utf-8")
        switch = Switch.from_toml(path)
        host = network.host(HOST)
        morning = datetime.now().replace(hour=OPENS, minute=0, second=0, microsecond=0)
        switch.use(
            network=host,
            engine=LocalEngine(switch.config.media, sockets=host.sockets()),
            clock=LoopClock(wall=morning.timestamp()),
        )
        return switch

    async def _surround(self, network: MemoryNetwork) -> FakeCarrier:
        from sipcc.testing.carrier import FakeCarrier
        from sipcc.testing.phone import FakePhone

        server = Address(HOST, 5060)
        for index, (name, _) in enumerate(_agents()):
            host = f"127.0.1.{index + 1}"
            phone = FakePhone(name, SECRET, server=server, host=host, network=network.host(host), seed=index)
            phone.silent = True
            phone.behaviours = [self._behaviour() for _ in range(5000)]
            self._phones[name] = phone
            await phone.start()
            await phone.register(3600)
            self._scope.spawn(self._work(phone), name=f"agent-{name}")
        host = "127.0.0.2"
        carrier = FakeCarrier("carrier", host, server=server, network=network.host(host), seed=0)
        carrier.silent = True
        await carrier.start()
        return carrier

    def _behaviour(self) -> Behaviour:
        from sipcc.testing.phone import Answer, Decline, Ignore

        chance = self._dice.random()
        if chance < 0.05:
            return Decline(603, after=self._dice.uniform(1.0, 6.0))
        if chance < 0.07:
            return Decline(486)
        return Ignore() if chance < 0.10 else Answer(self._dice.uniform(0.5, 8.0))

    async def _work(self, phone: FakePhone) -> None:
        while True:
            call = await phone.next_call(7 * 86400.0)
            self._scope.spawn(self._talk(call), name="talk")

    async def _talk(self, call: FakeCall) -> None:
        """An agent's side of a call: tell the caller that it has begun, and hang up when it is over."""
        with suppress(CallRejected, AssertionError):
            await call.answered(120.0)
        if call.state != "answered" or call.request is None:
            return
        caller = self._plan[call.request.from_.uri.user]
        self._taken[caller.name].set()
        if caller.stays:
            await asyncio.sleep(caller.talk)
            await call.hangup()

    async def _live(self, carrier: FakeCarrier, begin: float) -> None:
        loop = asyncio.get_running_loop()
        visits = []
        for caller in self._plan.values():
            await asyncio.sleep(max(0.0, begin + caller.at - loop.time()))
            visits.append(self._scope.spawn(self._visit(carrier, caller), name=caller.name))
        await asyncio.wait(visits)
        for visit in visits:
            visit.result()

    async def _visit(self, carrier: FakeCarrier, caller: Caller) -> None:
        taken = self._taken[caller.name] = asyncio.Event()
        call = await carrier.call(caller.number, caller=caller.name)
        await call.answered()
        with suppress(TimeoutError, AssertionError):
            async with asyncio.timeout(caller.patience):
                await taken.wait()
        if taken.is_set():
            with suppress(AssertionError):
                await call.ended(86400.0 if caller.stays else caller.talk)
        await call.hangup()

    # What came of it

    async def _judge(self, switch: Switch, carrier: FakeCarrier, begin: float) -> Verdict:
        from sipcc.testing import oracle

        rules = {
            number: _rule(next(each for each in switch.config.queues if each.name == queue))
            for number, queue in NUMBERS.items()
        }
        levels = {rule.queue: rule.service_level for rule in rules.values()}
        by_queue = ReportFold("queue", step=STEP_S, thresholds=levels)
        by_agent = ReportFold("agent", step=STEP_S, thresholds=levels)
        async for _, wall, event in switch.keeper.log.replay():
            by_queue.apply(event, wall)
            by_agent.apply(event, wall)
        clock = switch.clock
        since, now = by_queue.start_of(clock.wall_of(begin)), clock.wall_of(clock.now())
        cells = by_queue.cells(since=since, until=now, now=now)
        agents = totals(by_agent.cells(since=since, until=now, now=now))
        counted, people = oracle.recount(
            oracle.legs_of(carrier.trace),
            {name: oracle.legs_of(phone.trace) for name, phone in self._phones.items()},
            rules,
            interval=lambda at: by_queue.start_of(clock.wall_of(at)),
        )
        compared, differences = compare(cells, counted, agents, people)
        return Verdict(
            rows=[row_of(start, key, cell) for (start, key), cell in cells.items()],
            totals=[row_of(None, key, cell) for key, cell in totals(cells).items()],
            agents=[row_of(None, key, cell) for key, cell in agents.items()],
            compared=compared,
            differences=differences,
            callers=len(self._plan),
            messages=len(carrier.trace) + sum(len(phone.trace) for phone in self._phones.values()),
        )


def compare(
    cells: Mapping[tuple[float, str], Cell],
    counted: Mapping[tuple[float, str], Counted],
    agents: Mapping[str, Cell],
    people: Mapping[str, CountedAgent],
) -> tuple[int, list[Difference]]:
    """How many figures were compared, and those that differ: by interval, by day and by agent."""
    from sipcc.testing import oracle

    pairs: list[tuple[str, dict[str, float | None], dict[str, float | None], int]] = []
    for place in sorted(cells.keys() | counted.keys()):
        start, queue = place
        where = f"{queue} at {datetime.fromtimestamp(start):%H:%M}"
        found, other = cells.get(place), counted.get(place, oracle.Counted())
        pairs.append((where, _reported(found), _from_messages(other), other.answered))
    sums, whole = totals(cells), oracle.totals(counted)
    for queue in sorted(sums.keys() | whole.keys()):
        other = whole.get(queue, oracle.Counted())
        pairs.append((queue, _reported(sums.get(queue)), _from_messages(other), other.answered))
    for agent in sorted(agents.keys() | people.keys()):
        person = people.get(agent) or oracle.CountedAgent()
        pairs.append((agent, _of_agent(agents.get(agent)), msgspec.to_builtins(person), person.answered))
    differences = [
        Difference(where, figure, reported.get(figure), value)
        for where, reported, messages, calls in pairs
        for figure, value in messages.items()
        if not _same(reported.get(figure), value, CLOSE_S * max(1, calls))
    ]
    return sum(len(messages) for _, _, messages, _ in pairs), differences


def _same(one: float | None, other: float | None, close: float) -> bool:
    if one is None or other is None:
        return one is other
    if isinstance(one, int) and isinstance(other, int):
        return one == other
    return isclose(one, other, rel_tol=0.0, abs_tol=close)


def _reported(cell: Cell | None) -> dict[str, float | None]:
    """The figures of a queue's cell under the names that the oracle has for them."""
    if cell is None:
        return {}
    row = msgspec.to_builtins(row_of(None, "", cell))
    exits = cell.figures.exits
    return {**row, "timed_out": exits.get("timed_out", 0), "wait": cell.figures.answer_wait} | {
        name: getattr(cell.figures, name) for name in ("answered_in_time", "abandoned_in_time")
    }


def _from_messages(counted: Counted) -> dict[str, float | None]:
    return {**msgspec.to_builtins(counted), **counted.figures}


def _of_agent(cell: Cell | None) -> dict[str, float | None]:
    if cell is None:
        return {}
    return {
        "offers": cell.offers,
        "answered": cell.figures.answered,
        "missed": cell.missed,
        "talk": cell.figures.talk,
    }


def _agents() -> list[tuple[str, str]]:
    return [(f"{queue}-{index + 1}", queue) for queue, count in AGENTS.items() for index in range(count)]


def _numbers() -> str:
    lines = (f'[[numbers]]\nnumber = "{number}"\nto = "queue:{queue}"' for number, queue in NUMBERS.items())
    return "\n" + "\n".join(lines)


def _rule(queue: QueueSettings) -> QueueRule:
    from sipcc.testing.oracle import QueueRule

    return QueueRule(
        queue=queue.name,
        short_abandon=queue.short_abandon,
        service_level=queue.service_level,
        max_wait=queue.max_wait,
    )
