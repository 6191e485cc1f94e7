"""CSV and JSON lines."""

from __future__ import annotations

import csv

import msgspec
import pytest

from sipcc.records.cdr import Cdr
from sipcc.records.cdrparts import CdrConsent
from sipcc.records.export import csv_header, csv_line, iso_time, json_line, safe_cell
from sipcc.rtp.flow import RtpStats

CDR = Cdr(
    id="call-1",
    sip_call_id="x@example.com",
    source="127.0.0.2:5060",
    caller='=HYPERLINK("http://example.com","x")',
    called="4008123456",
    trunk=None,
    started=1_790_000_000.125,
    ringing=None,
    answered=1_790_000_001.0,
    ended=1_790_000_010.5,
    cause="normal",
    sip_status=200,
    ended_by="caller",
    stats=RtpStats(mos=4.4, lost=3),
)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+8613800138000", "'+8613800138000"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("4008123456", "4008123456"),
        ("a=b", "a=b"),
        ("", ""),
        (None, ""),
        (-1.5, "-1.5"),
        (0, "0"),
    ],
)
def test_cells_that_a_spreadsheet_would_run(value: object, cell: str) -> None:
    assert safe_cell(value) == cell


def test_csv() -> None:
    (row,) = csv.DictReader([csv_header(), csv_line(CDR)])
    assert row["caller"] == '\'=HYPERLINK("http://example.com","x")'
    assert (row["started"], row["ringing"]) == ("2026-09-21T14:13:20.125Z", "")
    assert (row["duration_s"], row["mos"], row["lost"], row["trunk"]) == ("9.5", "4.4", "3", "")
    assert row["consent"] == ""
    blocked = msgspec.structs.replace(CDR, consent=CdrConsent(outcome="blocked", why="cut off"))
    (row,) = csv.DictReader([csv_header(), csv_line(blocked)])
    assert row["consent"] == "blocked"
    assert (row["scores"], row["tags"]) == ("", "")
    told = msgspec.structs.replace(CDR, scores={"csat": 4}, tags={"level": "3", "who": "=1+1"})
    (row,) = csv.DictReader([csv_header(), csv_line(told)])
    assert (row["scores"], row["tags"]) == ('{"csat":4}', '{"level":"3","who":"=1+1"}')


def test_json() -> None:
    line = json_line(CDR)
    assert line.count("\n") == 1
    data = msgspec.json.decode(line)
    assert (data["caller"], data["duration"], data["stats"]["mos"]) == (CDR.caller, 9.5, 4.4)
    assert msgspec.convert({k: v for k, v in data.items() if k in Cdr.__struct_fields__}, Cdr) == CDR


def test_times() -> None:
    assert iso_time(0.0) == "1970-01-01T00:00:00.000Z"
    assert iso_time(None) == ""
