"""One call record as a page for the terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sipcc.records.cdr import Cdr, CdrLeg
from sipcc.records.cdrparts import CdrConsent
from sipcc.records.eventlog import LoggedEvent
from sipcc.records.outcome import QueueOutcome
from sipcc.records.segments import Segment
from sipcc.rtp.flow import RtpStats


def plain(text: str) -> str:
    """`text` without what a terminal would obey: a caller chooses what stands in the From header."""
    return "".join(char if char.isprintable() else "?" for char in text)


def call_page(record: Cdr, outcomes: Sequence[QueueOutcome], events: Sequence[LoggedEvent]) -> RenderableType:
    """Everything that is known of a call: its times, legs, queue entries and the trail of its events."""
    parts: list[RenderableType] = [_facts(record)]
    if record.legs:
        parts.append(_legs(record.legs))
    if outcomes:
        parts.append(_queues(outcomes))
    if record.segments:
        parts.append(_segments(record.segments))
    parts.append(_trail(record, events))
    return Group(*parts)


def _facts(record: Cdr) -> Table:
    facts = {
        "call": record.id,
        "visit": record.interaction if record.interaction != record.id else "",
        "from": record.caller,
        "to": record.called,
        "via": f"{record.trunk or 'no trunk'}, {record.source}",
        "started": clock(record.started),
        "ringing": clock(record.ringing),
        "answered": clock(record.answered),
        "ended": f"{clock(record.ended)} by {record.ended_by}: {record.cause} ({record.sip_status})",
        "seconds": f"setup {record.setup:.3f}, length {record.duration:.3f}, talk {record.talked:.3f}",
        "digits": ", ".join(f"{entry.prompt}={entry.digits or entry.outcome}" for entry in record.digits),
        "tags": ", ".join(f"{name}={value}" for name, value in record.tags.items()),
        "surveys": ", ".join(f"{name}={score}" for name, score in record.scores.items()),
        "recording": ", ".join(f"{item.path} ({item.seconds:.1f} s)" for item in record.recordings),
        "consent": _consent(record.consent),
        "audio": audio(record.stats),
        "SIP Call-ID": record.sip_call_id,
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in facts.items():
        if value:
            table.add_row(Text(name, style="bold"), Text(plain(value)))
    return table


def _consent(consent: CdrConsent | None) -> str:
    if consent is None:
        return ""
    what = consent.why if consent.outcome == "blocked" else clock(consent.announced)
    return f"{consent.outcome}: {what}, prompt {consent.prompt!r}"


def _legs(legs: Sequence[CdrLeg]) -> Table:
    table = _table("Parties rung", "target", "agent", "started", "rang", "talked", "end", "audio")
    for leg in legs:
        _row(
            table,
            leg.target,
            leg.agent or "",
            clock(leg.started),
            f"{leg.rang:.1f}",
            f"{leg.talked:.1f}",
            f"{leg.cause} ({leg.sip_status})" if leg.cause else "",
            audio(leg.stats),
        )
    return table


def _queues(outcomes: Sequence[QueueOutcome]) -> Table:
    table = _table("Queues", "queue", "joined", "waited", "exit", "agent", "talked", "offers")
    for entry in outcomes:
        offers = ", ".join(
            f"{offer.agent} {offer.outcome or 'ringing'} {offer.rang:.1f}" for offer in entry.offers
        )
        _row(
            table,
            entry.queue,
            clock(entry.joined),
            f"{entry.waited:.1f}",
            entry.exit,
            entry.agent or "",
            "" if entry.talked is None else f"{entry.talked:.1f}",
            offers,
        )
    return table


def _segments(segments: Sequence[Segment]) -> Table:
    table = _table("Agents", "agent", "queue", "began", "talk", "hold", "wrap-up", "end", "to")
    for part in segments:
        _row(
            table,
            f"{part.agent} (asked)" if part.asked else part.agent,
            part.queue,
            clock(part.began),
            f"{part.talk:.1f}",
            f"{part.hold:.1f}",
            f"{part.wrap:.1f}",
            part.how,
            part.to,
        )
    return table


def _trail(record: Cdr, events: Sequence[LoggedEvent]) -> Table:
    table = _table("Events", "after", "event", "what")
    for logged in events:
        try:
            fields = json.loads(logged.json)
        except ValueError:
            fields = {}
        for known in ("type", "at", "call", "stats"):
            fields.pop(known, None)
        what = " ".join(f"{name}={value}" for name, value in fields.items() if value not in (None, ""))
        _row(table, f"{logged.wall - record.started:.3f}", logged.type, what)
    return table


def clock(wall: float | None) -> str:
    """A Unix time in local time with milliseconds; None is empty."""
    if wall is None:
        return ""
    return datetime.fromtimestamp(wall).isoformat(sep=" ", timespec="milliseconds")


def audio(stats: RtpStats | None) -> str:
    """The media figures of a leg in one line; empty without any packet."""
    if stats is None or not (stats.packets_received or stats.packets_sent):
        return ""
    parts = [f"received {stats.packets_received}", f"lost {stats.lost}", f"jitter {stats.jitter_ms:.1f} ms"]
    if stats.rtt_ms is not None:
        parts.append(f"round trip {stats.rtt_ms:.0f} ms")
    if stats.mos is not None:
        parts.append(f"MOS {stats.mos:.2f}")
    if stats.remote_mos is not None:
        parts.append(f"MOS there {stats.remote_mos:.1f}")
    if stats.burst_packets:
        parts.append(f"bursts of {stats.burst_packets:.0f} packets")
    parts.extend(f"alarm: {kind}" for kind in stats.alarms)
    return ", ".join(parts)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _row(table: Table, *cells: str) -> None:
    table.add_row(*(Text(plain(cell)) for cell in cells))
