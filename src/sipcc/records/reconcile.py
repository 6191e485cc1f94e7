"""Each recording that was begun has a file, a proof that it was deleted, or a reason why it has none.

Call records, the index, the log and the folder are held against each other. What is in none of these three
states is a finding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from sipcc.records.archive import PAGE_ROWS, RecordingIndex
from sipcc.records.cdrparts import CdrRecording
from sipcc.records.database import reading
from sipcc.records.eventlog import REGISTRY
from sipcc.records.events import RecordingDeleted
from sipcc.records.recordings import Recording
from sipcc.records.store import CdrFilter, RecordStore
from sipcc.records.tables import event_log

SUFFIXES = frozenset({".wav", ".flac", ".ogg"})

FindingKind = Literal["missing", "changed", "orphan"]


class RecordingFinding(msgspec.Struct, frozen=True, kw_only=True):
    """What should not be."""

    kind: FindingKind
    """``missing``: there is neither a file nor a reason. ``changed``: the file has not the size with which
    it was stored. ``orphan``: no call has this file."""
    call: str = ""
    path: str
    detail: str = ""


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """What was found."""

    counts: dict[str, int]
    """Recordings by what became of them: ``there``, ``running``, ``deleted``, ``failed``; and the calls that
    were not recorded for want of consent, as ``blocked``."""
    findings: tuple[RecordingFinding, ...]


async def reconcile(engine: AsyncEngine, folder: str, *, since: float | None = None) -> Reconciliation:
    """Look at all recordings of calls that started at the Unix time `since` or later."""
    counts: Counter[str] = Counter()
    findings: list[RecordingFinding] = []
    deleted = await _deleted(engine)
    seen: set[str] = set()
    async for row in _all(RecordingIndex(engine)):
        seen |= {row.path, row.waveform}
        if since is None or row.started >= since:
            state, finding = _judged(row)
            counts[state] += 1
            findings += [finding] if finding is not None else []
    async for cdr in RecordStore(engine).all_cdrs(CdrFilter(since=since)):
        if cdr.consent is not None and cdr.consent.outcome == "blocked":
            counts["blocked"] += 1
        for recording in cdr.recordings:
            if recording.path in seen:
                continue
            seen.add(recording.path)
            state = _state_of(cdr.id, recording, deleted)
            counts[state] += 1
            if state == "missing":
                findings.append(RecordingFinding(kind="missing", call=cdr.id, path=recording.path))
    findings += [RecordingFinding(kind="orphan", path=path) for path in _files(folder) if path not in seen]
    return Reconciliation(counts={name: counts[name] for name in sorted(counts)}, findings=tuple(findings))


def _judged(row: Recording) -> tuple[str, RecordingFinding | None]:
    if row.running:
        return "running", None
    if row.reason.startswith("error") and not row.seconds:
        return "failed", None
    try:
        size = Path(row.path).stat().st_size
    except OSError as error:
        detail = error.strerror or str(error)
        return "missing", RecordingFinding(kind="missing", call=row.call, path=row.path, detail=detail)
    if row.stored and size != row.size_bytes:
        detail = f"{size} bytes, not {row.size_bytes}"
        return "there", RecordingFinding(kind="changed", call=row.call, path=row.path, detail=detail)
    return "there", None


def _state_of(call: str, recording: CdrRecording, deleted: set[tuple[str, str]]) -> str:
    """What became of a recording that the index does not have (any more)."""
    if (call, Path(recording.path).stem) in deleted or (call, recording.sha256) in deleted:
        return "deleted"
    if recording.reason.startswith("error") and not recording.seconds:
        return "failed"
    return "there" if Path(recording.path).exists() else "missing"


def _files(folder: str) -> list[str]:
    root = Path(folder)
    return sorted(str(path) for path in root.rglob("*") if path.suffix in SUFFIXES) if root.is_dir() else []


async def _deleted(engine: AsyncEngine) -> set[tuple[str, str]]:
    """The calls of all proofs, each with the id and with the digest of its recording."""
    query = select(event_log.c.json).where(event_log.c.type == RecordingDeleted.__name__)
    async with reading(engine) as connection:
        rows = (await connection.execute(query)).scalars().all()
    proofs = [REGISTRY.decode(RecordingDeleted.__name__, row) for row in rows]
    known = [proof for proof in proofs if isinstance(proof, RecordingDeleted)]
    return {(proof.call, key) for proof in known for key in (proof.recording, proof.sha256) if key}


async def _all(index: RecordingIndex) -> AsyncIterator[Recording]:
    """Every recording of the index, read in pages."""
    last: tuple[float, str] | None = None
    while rows := await index.find(limit=PAGE_ROWS, after=last):
        for row in rows:
            yield row
        last = rows[-1].started, rows[-1].id
