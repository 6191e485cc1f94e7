"""`sipccd cdr` against a database that a keeper has written, and still writes."""

from __future__ import annotations

import asyncio
import csv
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from sipcc.acd.events import OfferEnded, OfferMade, QueueJoined, QueueLeft, TalkEnded
from sipcc.bus import Bus
from sipcc.call.events import (
    BridgeEnded,
    BridgeStarted,
    CallAnswered,
    CallEndedEvent,
    CallStarted,
    DigitsCollected,
    LegEnded,
    LegHeld,
    LegResumed,
    LegStarted,
)
from sipcc.cli.main import main
from sipcc.events import Event
from sipcc.records import RecordKeeper, RecordSettings
from sipcc.rtp.flow import RtpStats

WALL = 1_790_000_000.0
STATS = RtpStats(packets_received=500, packets_sent=500, lost=2, jitter_ms=1.25, rtt_ms=20.0, mos=4.31)


class FixedClock:
    def now(self) -> float:
        return 0.0

    def wall_of(self, at: float) -> float:
        return WALL + at


def started(at: float, call: str, caller: str) -> CallStarted:
    return CallStarted(
        at=at,
        call=call,
        caller=caller,
        called="4008123456",
        trunk="carrier",
        sip_call_id="x",
        source="127.0.0.2:5060",
    )


EVENTS: list[Event] = [
    started(0.0, "call-aa1", "13800138000"),
    CallAnswered(at=0.5, call="call-aa1"),
    DigitsCollected(at=2.0, call="call-aa1", prompt="welcome", digits="1", outcome="match"),
    QueueJoined(at=2.5, entry="e1", queue="sales", call="call-aa1", caller="x", priority=0, position=1),
    OfferMade(at=2.6, offer="o1", entry="e1", queue="sales", call="call-aa1", agent="alice"),
    LegStarted(at=2.6, call="call-aa1", leg="l1", target="sip:1001@127.0.0.3", agent="alice"),
    OfferEnded(
        at=5.0,
        offer="o1",
        entry="e1",
        queue="sales",
        call="call-aa1",
        agent="alice",
        outcome="answered",
        sip_status=200,
    ),
    QueueLeft(at=5.0, entry="e1", queue="sales", call="call-aa1", exit="answered", waited=2.5, agent="alice"),
    BridgeStarted(at=5.0, call="call-aa1", leg="l1"),
    LegHeld(at=20.0, call="call-aa1", leg="l1", by="party"),
    LegResumed(at=28.0, call="call-aa1", leg="l1", by="party"),
    BridgeEnded(at=65.0, call="call-aa1", leg="l1"),
    TalkEnded(at=65.0, entry="e1", queue="sales", call="call-aa1", agent="alice", talked=60.0),
    LegEnded(
        at=65.0, call="call-aa1", leg="l1", cause="normal", sip_status=200, ended_by="callee", stats=STATS
    ),
    CallEndedEvent(at=65.0, call="call-aa1", cause="normal", sip_status=200, ended_by="callee", stats=STATS),
    started(100.0, "call-ab2", "=1+1\x1b[31m[red]"),
    CallEndedEvent(at=101.0, call="call-ab2", cause="cancelled", sip_status=487, ended_by="caller"),
]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cdr")
    (folder / "sipcc.toml").write_text('[[users]]\nname = "1001"\npassword = "env:NOT_SET_HERE"\n')

    async def fill() -> None:
        bus = Bus()
        keeper = RecordKeeper(RecordSettings(database=str(folder / "sipcc.db")), bus, FixedClock())
        await keeper.start()
        for event in EVENTS:
            bus.emit(event)
        await keeper.stop()

    with asyncio.Runner() as runner:
        runner.run(fill())
    return folder / "sipcc.toml"


def cdr(config: Path, *arguments: str) -> str:
    result = CliRunner().invoke(main, ["cdr", "--config", str(config), *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_list(config: Path) -> None:
    header, first, second = cdr(config, "list").splitlines()
    assert header.split()[:2] == ["started", "id"]
    assert "call-ab2" in first
    assert "\x1b" not in first
    assert "=1+1?[31m[red]" in first
    assert all(
        word in second for word in ("call-aa1", "13800138000", "carrier", "64.5", "normal", "sales", "4.3")
    )


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (["--caller", "13800138000"], {"call-aa1"}),
        (["--queue", "sales"], {"call-aa1"}),
        (["--agent", "alice"], {"call-aa1"}),
        (["--unanswered"], {"call-ab2"}),
        (["--answered"], {"call-aa1"}),
        (["--cause", "cancelled", "--trunk", "carrier"], {"call-ab2"}),
        (["--since", "2026-09-21T14:14:00+00:00"], {"call-ab2"}),
        (["--until", "2026-09-21T14:14:00+00:00", "--called", "4008123456"], {"call-aa1"}),
        (["--limit", "1"], {"call-ab2"}),
        (["--agent", "nobody"], set()),
        (["--since", "2099-01-01"], set()),
        (["--until", "1m"], {"call-aa1", "call-ab2"}),
    ],
)
def test_filters(config: Path, options: list[str], ids: set[str]) -> None:
    text = cdr(config, "list", *options)
    assert {name for name in ("call-aa1", "call-ab2") if name in text} == ids
    assert ids or text == "No such calls.\n"


@pytest.mark.parametrize("command", ["list", "export"])
@pytest.mark.parametrize(
    "options", [["--caller", "+86 138-0013-8000"], ["--caller", "8613800138000", "--called", "400-812-3456"]]
)
def test_numbers_are_found_however_they_are_written(
    config: Path, tmp_path: Path, command: str, options: list[str]
) -> None:
    with_a_plan = tmp_path / "sipcc.toml"
    with_a_plan.write_text(f'[dialling]\ncountry = "86"\n[records]\ndatabase = "{config.parent}/sipcc.db"\n')
    text = cdr(with_a_plan, command, *options)
    assert {name for name in ("call-aa1", "call-ab2") if name in text} == {"call-aa1"}


def test_show_has_legs_queues_and_events(config: Path) -> None:
    text = cdr(config, "show", "aa1")
    for part in (
        "13800138000",
        "welcome=1",
        "MOS 4.31",
        "sip:1001@127.0.0.3",
        "alice answered 2.4",
        "round trip 20 ms",
    ):
        assert part in text
    served = text.partition("Agents")[2].splitlines()[2].split()
    assert served[:2] == ["alice", "sales"]
    assert served[-4:] == ["52.0", "8.0", "0.0", "agent"]
    trail = text.partition("Events")[2].splitlines()
    assert [line.split()[1] for line in trail[2:]] == [
        type(event).__name__.removesuffix("Event") for event in EVENTS[:15]
    ]
    assert trail[-1].split()[0] == "65.000"


@pytest.mark.parametrize(
    ("key", "said"), [("call-a", "is one of: call-aa1, call-ab2"), ("zzz", "there is no call 'zzz'")]
)
def test_show_needs_one_call(config: Path, key: str, said: str) -> None:
    result = CliRunner().invoke(main, ["cdr", "--config", str(config), "show", key])
    assert result.exit_code == 1
    assert said in result.output


def test_export_csv(config: Path, tmp_path: Path) -> None:
    rows = list(csv.DictReader(cdr(config, "export").splitlines()))
    assert [row["id"] for row in rows] == ["call-aa1", "call-ab2"]
    assert rows[1]["caller"].startswith("'=1+1")
    assert rows[0]["started"] == "2026-09-21T14:13:20.000Z"
    output = tmp_path / "calls.csv"
    assert cdr(config, "export", "--output", str(output)) == ""
    assert output.read_bytes().count(b"\r\n") == 3


def test_export_json(config: Path) -> None:
    lines = cdr(config, "export", "--format", "json", "--answered").splitlines()
    (record,) = [json.loads(line) for line in lines]
    assert (record["id"], record["duration"], record["stats"]["mos"]) == ("call-aa1", 64.5, 4.31)


def test_without_a_database_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "sipcc.toml").write_text("")
    result = CliRunner().invoke(main, ["cdr", "--config", str(tmp_path / "sipcc.toml"), "list"])
    assert result.exit_code == 1
    assert "there is no database" in result.output
    empty = tmp_path / "empty.db"
    empty.touch()
    result = CliRunner().invoke(main, ["cdr", "--database", str(empty), "list"])
    assert result.exit_code == 1
    assert "no such table" in result.output


def test_a_wrong_time_is_refused(config: Path) -> None:
    result = CliRunner().invoke(main, ["cdr", "--config", str(config), "list", "--since", "yesterday"])
    assert result.exit_code == 2
    assert "is no time" in result.output


def test_it_reads_while_the_daemon_writes(config: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(config.parent, tmp_path / "cdr")  # the others want theirs as it is
    config = folder / config.name

    async def write_and_read() -> str:
        bus = Bus()
        database = str(config.parent / "sipcc.db")
        keeper = RecordKeeper(RecordSettings(database=database), bus, FixedClock())
        await keeper.start()
        bus.emit(started(200.0, "call-ac3", "13800138000"))
        bus.emit(CallEndedEvent(at=201.0, call="call-ac3", cause="busy", sip_status=486, ended_by="us"))
        await keeper.flush()
        text = await asyncio.to_thread(cdr, config, "list", "--cause", "busy")
        await keeper.stop()
        return text

    with asyncio.Runner() as runner:
        assert "call-ac3" in runner.run(write_and_read())


def test_the_configuration_may_be_named_before_or_behind_the_subcommand(config: Path) -> None:
    runner = CliRunner()
    before = runner.invoke(main, ["cdr", "--config", str(config), "export"])
    behind = runner.invoke(main, ["cdr", "export", "--config", str(config)])
    database = runner.invoke(main, ["cdr", "export", "--database", str(config.with_name("sipcc.db"))])
    assert before.exit_code == behind.exit_code == database.exit_code == 0
    assert before.stdout == behind.stdout == database.stdout
