"""Call records as Asterisk's ``Master.csv`` has them, for billing tools that read that file.

The eighteen fields of `cdr_csv` in its order, with ``loguniqueid`` and ``loguserfield`` on: accountcode,
src, dst, dcontext, clid, channel, dstchannel, lastapp, lastdata, start, answer, end, duration, billsec,
disposition, amaflags, uniqueid, userfield. Texts are quoted, numbers are not, a time that is not there is
empty without quotes. Cells are not made safe for spreadsheets, as `sipcc.records.export` makes them:
a number keeps its ``+``.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from sipcc.records.cdr import Cdr, CdrLeg

_DISPOSITIONS = {
    "busy": "BUSY",
    "cancelled": "NO ANSWER",
    "no_answer": "NO ANSWER",
    "unavailable": "NO ANSWER",
}


def master_line(record: Cdr, *, zone: tzinfo | None = None) -> str:
    """One record with its line end; times are in `zone`, None for the time zone of this machine."""
    leg = _leg_of(record)
    app, data = _application(record, leg)
    answered = record.answered is not None
    cells = [
        _quoted(""),
        _quoted(record.caller),
        _quoted(record.called),
        _quoted(record.trunk or "default"),
        _quoted(f'"{record.caller}" <{record.caller}>'),
        _quoted(f"SIP/{record.trunk or record.caller}-{record.id}"),
        _quoted(f"SIP/{leg.agent or leg.target}-{leg.leg}" if leg is not None else ""),
        _quoted(app),
        _quoted(data),
        _time(record.started, zone),
        _time(record.answered, zone),
        _time(record.ended, zone),
        str(int(record.ended - record.started)),
        str(int(record.duration)),
        _quoted("ANSWERED" if answered else _DISPOSITIONS.get(record.cause, "FAILED")),
        _quoted("DOCUMENTATION"),
        _quoted(record.id),
        _quoted(""),
    ]
    return ",".join(cells) + "\n"


def _leg_of(record: Cdr) -> CdrLeg | None:
    """The party that the caller talked to first, or else was rung last."""
    for leg in record.legs:
        if leg.answered is not None:
            return leg
    return record.legs[-1] if record.legs else None


def _application(record: Cdr, leg: CdrLeg | None) -> tuple[str, str]:
    if record.queues:
        return "Queue", record.queues[-1]
    return ("Dial", leg.target) if leg is not None else ("", "")


def _quoted(text: str) -> str:
    clean = "".join(char if char.isprintable() else " " for char in text)
    return '"' + clean.replace('"', '""') + '"'


def _time(wall: float | None, zone: tzinfo | None) -> str:
    if wall is None:
        return ""
    return f'"{datetime.fromtimestamp(wall, UTC).astimezone(zone):%Y-%m-%d %H:%M:%S}"'
