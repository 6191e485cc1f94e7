"""Reloads of a whole switch while calls go on: all of it changes, or nothing, and no call is lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.flow.centre import AGENT_HZ, CONFIG, MUSIC_HZ, WELCOME_HZ, Centre
from tests.flow.test_trunk_registration import TRUNK, Carrier

from sipcc.acd import QueueJoined, QueueLeft
from sipcc.config import Config
from sipcc.errors import CallRejected, ConfigError, LocalProtocolError
from sipcc.records.events import ConfigRefused, ConfigReloaded
from sipcc.switch.reloading import Reloaded
from sipcc.testing.carrier import FakeCarrier
from sipcc.testing.phone import Answer

OTHER = "127.0.0.7"


async def reloaded(centre: Centre, *changes: tuple[str, str], extra: str = "") -> Reloaded:
    """The file says what it said at the beginning but for `changes`, and the switch goes over to it."""
    path = centre.folder / "sipcc.toml"
    text = CONFIG.format(folder=centre.folder)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text + extra)
    return await centre.switch.reload()


def invariants(centre: Centre) -> list[str]:
    return centre.switch.acd.invariants()


async def test_a_renamed_queue_keeps_who_waits_who_is_rung_and_who_talks(tmp_path: Path) -> None:
    async with Centre(tmp_path) as centre:
        await centre.phone("1001")
        await centre.phone("1002", Answer(after=6.0))
        talking, ringing, waiting = [await centre.carrier.call("4008000006") for _ in range(3)]
        await talking.hears(AGENT_HZ["1001"], timeout=5.0)
        await waiting.answered()
        done = await reloaded(
            centre,
            ('name = "sales"\n', 'name = "orders"\nwas = "sales"\n'),
            ('["sales"', '["orders"'),
            ("queue:sales", "queue:orders"),
            ("wrap_up = 5", "wrap_up = 1"),
        )
        assert done.changes == (
            "agents alice: changed queues",
            "agents bob: changed queues",
            "agents carol: changed queues",
            "queues orders: renamed from sales; changed wrap_up",
            "menus main: changed options",
            "numbers 4008000006: changed to",
        )
        assert invariants(centre) == []
        await ringing.hears(AGENT_HZ["1002"], timeout=8.0)
        await talking.hangup()
        await waiting.hears(AGENT_HZ["1001"], timeout=5.0)  # after the new wrap-up
        later = await centre.carrier.call("4008000006")
        await later.answered()
        await asyncio.sleep(1.0)
        for call in (ringing, waiting, later):
            await call.hangup()
        await asyncio.sleep(1.0)
        assert [event.exit for event in centre.events if isinstance(event, QueueLeft)] == [
            "answered", "answered", "answered", "short_abandoned",
        ]  # fmt: skip
        assert [event.queue for event in centre.events if isinstance(event, QueueJoined)] == [
            "sales", "sales", "sales", "orders",
        ]  # fmt: skip


async def test_a_caller_in_a_menu_ends_the_flow_that_it_began(tmp_path: Path) -> None:
    async with Centre(tmp_path) as centre:
        await centre.phone("1001")
        old = await centre.carrier.call("4008123456")
        await old.hears(WELCOME_HZ, timeout=2.0)
        await reloaded(centre, ('"1" = "queue:sales", "2" = "queue:help", "3" = "dial:1001"', '"1" = "busy"'))
        new = await centre.carrier.call("4008123456")
        await new.hears(WELCOME_HZ, timeout=2.0)
        await old.press("3")
        await old.hears(AGENT_HZ["1001"], timeout=5.0)
        await new.press("1")
        await new.ended(timeout=10.0)
        await old.hangup()


async def test_a_caller_whose_menu_leads_to_a_queue_that_is_gone_is_told_so(tmp_path: Path) -> None:
    async with Centre(tmp_path) as centre:
        call = await centre.carrier.call("4008123456")
        await call.hears(WELCOME_HZ, timeout=2.0)
        help_ = '[[queues]]\nname = "help"\nstrategy = "ring-all"\n'
        await reloaded(
            centre,
            (help_, ""),
            ('"2" = "queue:help", ', ""),
            ('then = "queue:help"', 'then = "hangup"'),
            (', "help"]', "]"),
        )
        await call.press("2")
        await call.ended(timeout=20.0)  # after the prompt that nobody is there
        assert centre.told("QueueJoined") == []
        assert invariants(centre) == []


async def test_trunks_come_and_go_and_their_calls_stay(tmp_path: Path) -> None:
    async with Centre(tmp_path) as centre:
        other = FakeCarrier(
            "other", OTHER, server=centre.server, network=centre.network.host(OTHER), tone_hz=440.0
        )
        await other.start()
        stranger = await other.call("4008000001")
        with pytest.raises(CallRejected):
            await stranger.answered()
        call = await centre.carrier.call("4008000004")
        await call.hears(WELCOME_HZ, timeout=2.0)
        trunk = ('name = "carrier"\naddresses = ["127.0.0.2"]', f'name = "other"\naddresses = ["{OTHER}"]')
        done = await reloaded(centre, trunk)
        assert done.changes == ("trunks other: added", "trunks carrier: removed")
        assert [row.name for row in centre.switch.desk().trunks()] == ["other"]
        known = await other.call("4008000001")
        await known.answered()
        refused = await centre.carrier.call("4008000001")
        with pytest.raises(CallRejected):
            await refused.answered()
        assert len(centre.switch.calls) == 2
        await call.hangup()
        await known.hangup()
        await asyncio.sleep(1.0)
        assert len(centre.switch.calls) == 0
        await other.stop()


async def test_a_registered_trunk_comes_and_goes_at_its_carrier(tmp_path: Path) -> None:
    trunk = TRUNK.format(password="right-one")
    async with Centre(tmp_path) as centre:
        carrier = Carrier(centre)
        await carrier.endpoint.start()
        await reloaded(centre, extra=trunk)
        await asyncio.sleep(1.0)
        assert carrier.contacts() == ["sip:4008123456@127.0.0.1:5060"]
        asked = len(carrier.requests)
        await reloaded(centre, extra=trunk + "max_calls = 7\n")
        await asyncio.sleep(1.0)
        assert len(carrier.requests) == asked  # nothing that the carrier must know has changed
        assert centre.switch.desk().trunks()[-1].max_calls == 7
        await reloaded(centre)
        await asyncio.sleep(1.0)
        assert carrier.contacts() == []
        assert [row.name for row in centre.switch.desk().trunks()] == ["carrier"]
        await carrier.endpoint.stop()


async def test_a_trunk_that_is_down_stays_down_over_a_reload_and_is_forgotten_when_it_goes(
    tmp_path: Path,
) -> None:
    dead = '[[trunks]]\nname = "dead"\nhost = "127.0.2.8"\nhealth = { ping = 5.0, down_after = 1 }\n'
    async with Centre(tmp_path) as centre:
        await reloaded(centre, extra=dead)
        await asyncio.sleep(40.0)
        assert set(centre.switch.trunk_health.down()) == {"dead"}
        await reloaded(centre, extra=dead + "max_calls = 3\n")
        assert set(centre.switch.trunk_health.down()) == {"dead"}
        await reloaded(centre)
        assert centre.switch.trunk_health.down() == {}
        assert [type(event).__name__ for event in centre.events if hasattr(event, "trunk")] == [
            "TrunkDown",
            "TrunkUp",
        ]


async def test_numbers_screening_and_calendars_change_and_keep_what_they_know(tmp_path: Path) -> None:
    calendar = '[[hours]]\nname = "office"\nweek = { "mon-sun" = "00:00-24:00" }\n'
    closed = '\nhours = "office"\nclosed = "busy"\n'
    number = (
        'number = "4008000001"\nto = "echo"\n',
        f'number = "4008000001"\nto = "echo"\nmax_calls = 2{closed}',
    )
    rules = "[screening]\ncalls = 2\nwindow = 600\n"
    async with Centre(tmp_path) as centre:
        await reloaded(centre, number, extra=calendar + rules)
        first = await centre.carrier.call("4008000001")
        await first.answered()
        await reloaded(centre, number, extra=calendar + rules + 'deny = ["13900139000"]\n')
        second = await centre.carrier.call("4008000001")
        await second.answered()
        third = await centre.carrier.call("4008000001")
        with pytest.raises(CallRejected) as full:  # the two before the reload and after it count together
            await third.answered()
        assert full.value.status == 486
        await second.hangup()
        await asyncio.sleep(0.1)
        often = await centre.carrier.call("4008000001")
        with pytest.raises(CallRejected):
            await often.answered()
        assert [event.why for event in centre.told("CallScreened")] == ["too_often"]  # type: ignore[attr-defined]
        denied = await centre.carrier.call("4008000001", caller="13900139000")
        with pytest.raises(CallRejected):
            await denied.answered()
        centre.switch.hours.override("office", "closed", seconds=1e6)
        await reloaded(centre, number, extra=calendar)
        busy = await centre.carrier.call("4008000001")
        with pytest.raises(CallRejected) as shut:
            await busy.answered()
        assert shut.value.status == 486
        await first.hangup()


BROKEN = [
    (('strategy = "linear"', 'strategy = "magic"'), "queues[0].strategy", "unknown strategy 'magic'"),
    (('to = "menu:main"', 'to = "menu:mian"'), "numbers[0].to", "no menu"),
    (('queues = ["sales"]', 'queues = ["sale"]'), "agents[0].queues", "sale"),
    (("max_wait = 60", "max_wait ="), "sipcc.toml:", "not TOML"),
]


@pytest.mark.parametrize(("change", "where", "cause"), BROKEN)
async def test_a_broken_file_changes_nothing(
    tmp_path: Path, change: tuple[str, str], where: str, cause: str
) -> None:
    async with Centre(tmp_path) as centre:
        call = await centre.carrier.call("4008000006")
        await call.hears(MUSIC_HZ, timeout=2.0)
        switch = centre.switch
        before = switch.config, switch.treatments, switch.reception, switch.acd.floor.lines["sales"]
        with pytest.raises(ConfigError) as error:
            await reloaded(centre, change, ('to = "ring"', 'to = "busy"'))
        assert where in error.value.path
        assert cause in error.value.message
        now = switch.config, switch.treatments, switch.reception, switch.acd.floor.lines["sales"]
        assert all(one is other for one, other in zip(before, now, strict=True))
        [refused] = centre.told("ConfigRefused")
        assert isinstance(refused, ConfigRefused)
        assert (refused.path, refused.error) == (error.value.path, error.value.message)
        assert (await reloaded(centre, ('to = "ring"', 'to = "busy"'))).changes == (
            "numbers 4008000002: changed to",
        )
        await call.hangup()


async def test_what_only_a_running_part_can_tell_changes_nothing_either(tmp_path: Path) -> None:
    """A library's configuration was checked by nobody: what cannot be built is refused as a whole."""
    async with Centre(tmp_path) as centre:
        switch, before = centre.switch, centre.switch.config
        with pytest.raises(ConfigError, match="no handler is routed"):
            await reloaded(centre, ('to = "ring"', 'to = "app:nobody"'))
        assert switch.config is before
        assert set(switch.acd.floor.lines) == {"sales", "help"}


async def test_the_answer_and_the_event_name_what_needs_a_restart(tmp_path: Path) -> None:
    async with Centre(tmp_path) as centre:
        done = await reloaded(
            centre, ("clock_ms = 20", "clock_ms = 10"), ("ring_timeout = 10", "ring_timeout = 12")
        )
        assert done.kept == ("media.clock_ms",)
        assert done.changes == ("queues sales: changed ring_timeout",)
        [told] = centre.told("ConfigReloaded")
        assert isinstance(told, ConfigReloaded)
        assert (told.digest, told.changes, told.kept) == (done.digest, done.changes, done.kept)
        assert centre.switch.config.media.clock_ms == 20
        assert (await reloaded(centre)).digest != done.digest


async def test_agents_come_and_go(tmp_path: Path) -> None:
    bob = '[[agents]]\nname = "bob"\nuser = "1002"\nqueues = ["sales"]\n'
    async with Centre(tmp_path) as centre:
        await centre.phone("1002")
        caller = await centre.carrier.call("4008000006")
        await caller.hears(AGENT_HZ["1002"], timeout=5.0)
        await reloaded(centre, (bob, ""))
        assert {row.name: row.state.value for row in centre.switch.acd.snapshot().agents} == {
            "alice": "offline", "carol": "offline", "bob": "talking",
        }  # fmt: skip
        await caller.hangup()
        await asyncio.sleep(6.0)
        assert [row.name for row in centre.switch.acd.snapshot().agents] == ["alice", "carol"]
        await reloaded(centre)
        assert [row.name for row in centre.switch.acd.snapshot().agents] == ["alice", "bob", "carol"]
        caller = await centre.carrier.call("4008000006")
        await caller.hears(AGENT_HZ["1002"], timeout=5.0)  # registered all the time
        await caller.hangup()


async def test_two_reloads_at_a_time_come_one_after_the_other(tmp_path: Path) -> None:
    async with Centre(tmp_path) as centre:
        done: Sequence[Reloaded] = await asyncio.gather(*(centre.switch.reload() for _ in range(5)))
        assert len({one.digest for one in done}) == 1
        assert len(centre.told("ConfigReloaded")) == 5


async def test_a_switch_without_a_file_and_one_that_stands_still_say_so(tmp_path: Path) -> None:
    async with Centre(tmp_path) as centre:
        switch = centre.switch
        assert (await switch.reload(switch.config)).changes == ()
    with pytest.raises(LocalProtocolError, match="while it runs"):
        await switch.reload(Config())


async def test_a_hundred_reloads_with_callers_everywhere(tmp_path: Path) -> None:
    """The queue changes its name, strategy and team 100 times; every caller comes to an agent or hangs up."""
    dave = '[[agents]]\nname = "dave"\nuri = "carrier/13800138009"\nqueues = ["{name}"]\n'
    async with Centre(tmp_path) as centre:
        for user in AGENT_HZ:
            await centre.phone(user, Answer(after=2.0))
        centre.switch.acd.pause("carol", "lunch")
        talking = [await centre.carrier.call("4008000006") for _ in range(2)]
        for call in talking:
            await call.answered()
        await asyncio.sleep(4.0)
        waiting = [await centre.carrier.call("4008000006", caller=f"138001380{n:02}") for n in range(10)]
        for call in waiting:
            await call.answered()
        line = [row.caller for row in centre.switch.acd.snapshot().queues[0].waiting]
        assert len(line) == 10
        for turn in range(100):
            name, was = ("orders", "sales") if turn % 2 == 0 else ("sales", "orders")
            rename = [
                ('name = "sales"\n', f'name = "{name}"\nwas = "{was}"\n'),
                ('["sales"', f'["{name}"'),
                ("queue:sales", f"queue:{name}"),
                ("max_wait = 60", "max_wait = 0"),
                (
                    'strategy = "linear"',
                    'strategy = "fewest-calls"' if turn % 3 else 'strategy = "round-robin"',
                ),
            ]
            done = await reloaded(centre, *rename, extra=dave.format(name="help") if turn % 4 == 1 else "")
            assert any(text.startswith(f"queues {name}: renamed from {was}") for text in done.changes)
            assert invariants(centre) == []
            snapshot = centre.switch.acd.snapshot()
            assert [row.caller for row in snapshot.queues[0].waiting] == line
            states = {row.name: (row.state.value, row.reason) for row in snapshot.agents}
            assert (states["alice"][0], states["bob"][0]) == ("talking", "talking")
            assert states["carol"] == ("not_ready", "lunch")
            assert len(centre.switch.calls) == 12
            await asyncio.sleep(0.1)
        centre.switch.acd.ready("carol")
        for call in talking:
            await call.hangup()
        served: list[str] = []
        while len(served) < 10:
            await asyncio.sleep(1.0)
            for call, caller in zip(waiting, line, strict=True):
                entry = [
                    row for row in centre.switch.acd.snapshot().queues[0].talking if row.caller == caller
                ]
                if entry and caller not in served:
                    served.append(caller)
                    await call.hangup()
        assert served == line
        await asyncio.sleep(10.0)
        assert [event.exit for event in centre.events if isinstance(event, QueueLeft)] == ["answered"] * 12


FILES = """
[[flows]]
name = "shop"
file = "shop.toml"
[[workflows]]
name = "calls"
file = "calls.json"
"""
FLOW_FILE = 'fallback = "queue:sales"\n[nodes.what]\ntype = "goto"\nto = "queue:{queue}"\n'


def workflow(queue: str) -> str:
    return json.dumps({"task_routing": {"filters": [], "default_filter": {"queue": queue}}})


async def test_files_that_the_configuration_names_are_told_by_what_has_changed(tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text(FLOW_FILE.replace("{queue}", "sales"))
    (tmp_path / "calls.json").write_text(workflow("sales"))
    async with Centre(tmp_path, extra=FILES) as centre:
        assert (await centre.switch.reload()).changes == ()
        [before] = centre.switch.flow_desk.views()
        (tmp_path / "shop.toml").write_text(FLOW_FILE.replace("{queue}", "help"))
        told = (await centre.switch.reload()).changes
        [after] = centre.switch.flow_desk.views()
        assert told == (f"flows shop: changed version {before.version} to {after.version}",)
        (tmp_path / "calls.json").write_text(workflow("help"))
        assert (await centre.switch.reload()).changes == ("workflows calls: changed file",)
        (tmp_path / "prompts" / "prompts.toml").write_text('closing = { en = "We close soon." }\n')
        assert (await centre.switch.reload()).changes == ("prompts: changed texts",)
        assert (await centre.switch.reload()).changes == ()
