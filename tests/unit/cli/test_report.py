"""`sipccd report` on a log that a keeper wrote, and that a second one went on with after a kill."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.unit.cli.recorded import record

from sipcc.acd.events import AgentStateChanged, QueueJoined, QueueLeft, TalkEnded
from sipcc.call.events import CallAnswered, CallEndedEvent, CallStarted
from sipcc.cli.main import main
from sipcc.events import Event
from sipcc.ivr.feedback import SurveyAnswered, SurveyOffered

DAY = ("--from", "2023-11-15T00:00+00:00", "--to", "2023-11-15T02:00+00:00")


def visit(at: float, number: int, exit_: str, waited: float, agent: str | None) -> list[Event]:
    call, entry = f"call-{number}", f"e{number}"
    names: dict[str, Any] = {"entry": entry, "queue": "sales", "call": call}
    started = CallStarted(
        at=at, call=call, caller="=1+1", called="4008123456", trunk="carrier", sip_call_id="x", source="x"
    )
    events: list[Event] = [started, CallAnswered(at=at, call=call)]
    events.append(QueueJoined(at=at, caller="=1+1", priority=0, position=1, **names))
    events.append(QueueLeft(at=at + waited, exit=exit_, waited=waited, agent=agent, **names))  # type: ignore[arg-type]
    if agent is not None:
        events.append(TalkEnded(at=at + waited + 60.0, agent=agent, talked=60.0, **names))
    end = at + waited + 60.0
    events.append(CallEndedEvent(at=end, call=call, cause="normal", sip_status=200, ended_by="caller"))
    return events


EVENTS: list[Event] = [
    AgentStateChanged(at=0.0, agent="alice", before="offline", after="ready"),
    *visit(10.0, 1, "answered", 5.0, "alice"),
    *visit(890.0, 2, "answered", 25.0, "alice"),
    *visit(1000.0, 3, "abandoned", 30.0, None),
    *visit(3700.0, 4, "short_abandoned", 2.0, None),
]


@pytest.fixture(scope="module", params=[len(EVENTS), 9])
def config(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log written in one run, and one of a run that was killed in the middle of a call."""
    folder = tmp_path_factory.mktemp("report")
    text = (
        '[[queues]]\nname = "sales"\nservice_level = 10\n[[users]]\nname = "1001"\npassword = "env:NOT_SET"\n'
    )
    (folder / "sipcc.toml").write_text(f"{text}service_level = 10\n")
    record(folder, EVENTS[: request.param], EVENTS[request.param :], keep=["call-2"])
    return folder / "sipcc.toml"


def report(config: Path, *arguments: str) -> str:
    result = CliRunner().invoke(main, ["report", "--config", str(config), *DAY, *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def rows(config: Path, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in report(config, "--json", *arguments).splitlines()]


def test_by_queue_with_its_own_threshold(config: Path) -> None:
    first, second, third = rows(config, "--interval", "15")
    assert (first["start"], first["answered"], first["sl_f2"]) == ("2023-11-15T00:00:00.000Z", 2, 0.5)
    assert (second["start"], second["abandoned"]) == ("2023-11-15T00:15:00.000Z", 1)
    assert (third["short"], third["offered"]) == (1, 0)
    (all_,) = rows(config, "--interval", "15", "--totals", "--threshold", "30")
    assert (all_["joined"], all_["answered"], all_["asa"], all_["sl_f1"]) == (4, 2, 15.0, 1.0)


def test_by_agent_number_and_trunk(config: Path) -> None:
    first, _ = rows(config, "--by", "agent")
    assert (first["key"], first["answered"], first["times"]) == ("alice", 2, {"ready": 3600.0})
    for by, key in (("number", "4008123456"), ("trunk", "carrier")):
        first, second = rows(config, "--by", by)
        assert (first["key"], first["attempts"], first["system_rate"], second["attempts"]) == (key, 3, 1.0, 1)


def test_table_csv_and_heat_map(config: Path) -> None:
    table = report(config).splitlines()
    assert table[0].split()[:4] == ["from", "key", "offered", "answered"]
    assert "66.67" in table[1]
    (first, _) = csv.DictReader(io.StringIO(report(config, "--csv")))
    assert (first["key"], first["answered"], json.loads(first["other_exits"])) == ("sales", "2", {})
    spots = json.loads(report(config, "--heat-map"))
    assert sum(spot["joined"] for spot in spots) == 4
    assert len(spots) == 168


def test_nothing_to_tell_and_no_database(config: Path, tmp_path: Path) -> None:
    nothing = CliRunner().invoke(main, ["report", "-c", str(config), "--from", "2030-01-01"])
    assert nothing.stdout == "Nothing happened then.\n"
    lost = CliRunner().invoke(main, ["report", "--database", str(tmp_path / "x.db"), "--from", "1d"])
    assert (lost.exit_code, "there is no database" in lost.output) == (1, True)


def export(config: Path, *arguments: str) -> str:
    result = CliRunner().invoke(main, ["export", *arguments, "--config", str(config)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_export_for_the_tools_of_others(config: Path, tmp_path: Path) -> None:
    lines = export(config, "queue-log", "--to", "2023-11-15T00:15:30+00:00").splitlines()
    names = [line.split("|")[4] for line in lines]
    assert names == ["ADDMEMBER", "ENTERQUEUE", "CONNECT", "COMPLETECALLER", "ENTERQUEUE", "CONNECT"]
    assert export(config, "asterisk-cdr", "--output", str(tmp_path / "Master.csv")) == ""
    rows = list(csv.reader(io.StringIO((tmp_path / "Master.csv").read_text())))
    assert [(len(row), row[2], row[14]) for row in rows] == [(18, "4008123456", "ANSWERED")] * 4


def test_first_contact_resolution(config: Path) -> None:
    told = json.loads(report(config, "--fcr", "1"))
    assert (told["first_calls"], told["repeated"], told["mature"]) == (1, 1, True)


def test_regions_the_histogram_and_the_funnel(config: Path) -> None:
    first, _ = rows(config, "--by", "region")
    assert (first["key"], first["attempts"]) == ("", 3)
    (sales,) = json.loads(report(config, "--answered-within", "5", "--answered-within", "25"))
    assert (sales["key"], sales["asked"], sales["within"]) == ("sales", 4, {"5": 1, "25": 2})
    funnel = json.loads(report(config, "--funnel"))
    assert (funnel["menus"], funnel["callers"]) == ([], 0)


def test_how_content_callers_are(tmp_path: Path) -> None:
    asked = {"call": "c1", "survey": "care", "queue": "sales"}
    record(
        tmp_path,
        [
            SurveyOffered(at=1.0, run="r1", agent="alice", **asked),
            SurveyAnswered(at=2.0, run="r1", agent="alice", score=5, low=1, high=5, **asked),
            SurveyOffered(at=3.0, run="r2", agent="bob", **asked),
        ],
    )
    config = tmp_path / "sipcc.toml"
    config.write_text("")
    lines = [json.loads(line) for line in report(config, "--surveys", "agent").splitlines()]
    assert [(line["name"], line["offered"], line["answered"], line["csat"]) for line in lines] == [
        ("alice", 1, 1, 1.0),
        ("bob", 1, 0, None),
        ("", 2, 1, 1.0),
    ]
    rows = list(csv.DictReader(report(config, "--surveys", "agent", "--csv").splitlines()))
    assert [(row["name"], row["offered"], row["csat"]) for row in rows] == [
        ("alice", "1", "1.0"),
        ("bob", "1", ""),
        ("", "2", "1.0"),
    ]
    assert json.loads(rows[-1]["scores"]) == lines[-1]["scores"]
