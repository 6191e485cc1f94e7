"""Call records as CSV and as JSON lines, and reports as CSV.

A spreadsheet runs a cell that begins with ``= + - @`` as a formula, and a caller chooses what stands in
the From header; such a cell gets an apostrophe in front (OWASP, CSV injection).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from sipcc.records.cdr import Cdr
from sipcc.records.report import ReportRow
from sipcc.records.surveys import SurveyRow

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(value: object) -> str:
    """`value` as a CSV cell that no spreadsheet runs. Numbers stay numbers, None is empty."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def iso_time(wall: float | None) -> str:
    """A Unix time in UTC with milliseconds, as ``2026-11-21T03:04:05.678Z``; None is empty."""
    if wall is None:
        return ""
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_COLUMNS: dict[str, Callable[[Cdr], object]] = {
    "id": lambda record: record.id,
    "started": lambda record: iso_time(record.started),
    "ringing": lambda record: iso_time(record.ringing),
    "answered": lambda record: iso_time(record.answered),
    "ended": lambda record: iso_time(record.ended),
    "caller": lambda record: record.caller,
    "called": lambda record: record.called,
    "trunk": lambda record: record.trunk,
    "setup_s": lambda record: record.setup,
    "duration_s": lambda record: record.duration,
    "talked_s": lambda record: record.talked,
    "cause": lambda record: record.cause,
    "sip_status": lambda record: record.sip_status,
    "ended_by": lambda record: record.ended_by,
    "queues": lambda record: " ".join(record.queues),
    "agents": lambda record: " ".join(record.agents),
    "legs": lambda record: len(record.legs),
    "digits": lambda record: " ".join(entry.digits for entry in record.digits if entry.digits),
    "recording": lambda record: record.recording,
    "recorded_s": lambda record: record.recorded,
    "consent": lambda record: record.consent.outcome if record.consent else None,
    "mos": lambda record: record.stats.mos if record.stats else None,
    "mos_cq": lambda record: record.stats.mos_cq if record.stats else None,
    "alarms": lambda record: " ".join(record.stats.alarms) if record.stats else None,
    "jitter_ms": lambda record: record.stats.jitter_ms if record.stats else None,
    "lost": lambda record: record.stats.lost if record.stats else None,
    "rtt_ms": lambda record: record.stats.rtt_ms if record.stats else None,
    "sip_call_id": lambda record: record.sip_call_id,
    "scores": lambda record: _table(record.scores),
    "tags": lambda record: _table(record.tags),
}


def csv_header() -> str:
    """The first line, with its line end."""
    return _line(list(_COLUMNS))


def csv_line(record: Cdr) -> str:
    """One record, with its line end."""
    return _line([safe_cell(column(record)) for column in _COLUMNS.values()])


def json_line(record: Cdr) -> str:
    """One record with everything in it, as one line of JSON with its line end."""
    derived = {"duration": record.duration, "setup": record.setup, "talked": record.talked}
    return msgspec.json.encode(msgspec.to_builtins(record) | derived).decode() + "\n"


def report_csv(rows: Iterable[ReportRow | SurveyRow], kind: type[Struct] = ReportRow) -> Iterator[str]:
    """A report line by line, headings first: every field is a column, and the maps among them are JSON."""
    yield _line(list(kind.__struct_fields__))
    for row in rows:
        cells = msgspec.to_builtins(row)
        if isinstance(row, ReportRow):
            cells["start"] = iso_time(row.start)
        yield _line(
            [
                msgspec.json.encode(cell).decode() if isinstance(cell, dict) else safe_cell(cell)
                for cell in cells.values()
            ]
        )


def _table(values: Mapping[str, object]) -> str:
    """Names and values as JSON; nothing for none."""
    return msgspec.json.encode(values).decode() if values else ""


def _line(cells: list[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)
    return buffer.getvalue()
