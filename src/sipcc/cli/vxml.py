"""`sipccd ivr vxml`: tries a VoiceXML document on a made-up caller; no telephone is needed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import urlsplit

import click
import msgspec

from sipcc.log import quiet

if TYPE_CHECKING:
    from sipcc.ivr.fetch import Fetched, FetchRequest
    from sipcc.ivr.vxml import Note, Simulation


@click.command()
@click.argument("document")
@click.option("--script", type=click.File(), help="A file that says what the caller does; - is stdin.")
@click.option("--do", "lines", multiple=True, metavar="LINE", help='A line of a script, as in --do "keys 1".')
@click.option("--language", default="en", show_default=True, help="The language of the caller's session.")
@click.option("--caller", default="13800138000", show_default=True, help="The caller's number.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def vxml(
    document: str, *, script: TextIO | None, lines: tuple[str, ...], language: str, caller: str, as_json: bool
) -> None:
    """Take a made-up caller through DOCUMENT, a VoiceXML file or its URL.

    Time is made up too. A script has a line for each question: `say yes`, `keys 12#`, `silence`, `hangup`,
    `transfer busy`. After it the caller is silent, and hangs up at last. A file gets only the files beside it
    and below; a URL is asked over HTTP, and its own server too where it is on this machine. The exit code is
    1 when the document failed, 2 when the script cannot be done.
    """
    from sipcc.ivr.vxml import NotWaiting, simulate
    from sipcc.ivr.vxml.simulation import read_deed

    deeds = [line for line in (script.read().splitlines() if script is not None else []) if line.strip()]
    url, source = _source(document)
    try:
        script_deeds = [read_deed(line) for line in (*deeds, *lines)]
    except ValueError as error:
        raise click.UsageError(f"the script cannot be read: {error}") from None
    try:
        with quiet():
            done = simulate(url, script_deeds, language=language, caller=caller, **source)
    except NotWaiting as error:
        raise click.UsageError(f"the script does not fit the document: {error}") from None
    click.echo(_as_json(done) if as_json else _report(done))
    assert done.exit is not None  # simulate comes to an end
    sys.exit(1 if done.exit.reason in ("error", "limit") else 0)


def _source(document: str) -> tuple[str, dict[str, Any]]:
    """The URL of a document, and what gets it and those beside it."""
    if urlsplit(document).scheme in ("http", "https"):
        return document, {}
    path = Path(document).resolve()
    if not path.is_file():
        raise click.UsageError(f"there is no file {document!r}")
    return path.as_uri(), {"fetch": _Beside(path.parent)}


class _Beside:
    """Gets the files beside a document, and says why nothing else can be had."""

    def __init__(self, folder: Path) -> None:
        from sipcc.ivr.fetch import FolderFetcher

        self._folder = folder
        self._files = FolderFetcher(folders={f"{folder.as_uri()}/": folder})

    async def fetch(self, request: FetchRequest) -> Fetched:
        from sipcc.ivr.fetch import FetchError

        url = request.target
        if url.startswith(f"{self._folder.as_uri()}/"):
            return await self._files.fetch(request)
        cure = (
            ""
            if url.startswith("file:")
            else "; give DOCUMENT by the URL of its server to ask that over HTTP"
        )
        raise FetchError(url, "refused", f"a document from a file gets only files of {self._folder}{cure}")


def _report(done: Simulation) -> str:
    notes = [done.secrets.masked_note(note) for note in done.notes]
    lines = _without_repeats([f"{note.what:<8} {note.text}{_more(note)}".rstrip() for note in notes])
    assert done.exit is not None
    ended = done.exit
    lines.append(f"{ended.reason:<8} {ended.event} {ended.message}".rstrip())
    if ended.reason == "exit":
        lines.append(f"value    {_shown(done)}")
    lines.append(f"seconds  {done.seconds:.2f}, {len(done.requests)} requests")
    return "\n".join(lines)


def _without_repeats(lines: list[str]) -> list[str]:
    """The lines, with those that come again and again in a circle only once."""
    shown: list[str] = []
    at = 0
    while at < len(lines):
        size, times = _circle(lines, at)
        shown += lines[at : at + size]
        if times > 1:
            what = "the line above" if size == 1 else f"the {size} lines above"
            shown.append(f"...      {what} {times} times")
        at += size * times
    return shown


def _circle(lines: list[str], at: int) -> tuple[int, int]:
    """How many lines from one on come how often without a pause; 1 and 1 unless it is too often to read."""
    for size in range(1, _LONGEST + 1):
        circle = lines[at : at + size]
        times = 1
        while lines[at + size * times : at + size * (times + 1)] == circle:
            times += 1
        if times > _READ:
            return size, times
    return 1, 1


_LONGEST = 12
"""Lines of a circle that is looked for."""
_READ = 4
"""Times that anybody likes to read the same."""


def _more(note: Note) -> str:
    return "".join(f"  {name}={value}" for name, value in note.details.items())


def _shown(done: Simulation) -> str:
    assert done.exit is not None
    from sipcc.ivr.js import Undefined

    value: Any = done.exit.values or done.exit.value
    if isinstance(value, Undefined):
        return "undefined"
    shown = msgspec.json.decode(msgspec.json.encode(value))
    return msgspec.json.encode(done.secrets.masked_value(shown)).decode()


def _as_json(done: Simulation) -> str:
    from sipcc.ivr.js import Undefined

    assert done.exit is not None
    value = done.exit.value
    found = {
        "prompts": done.prompts,
        "logs": done.logs,
        "events": done.events,
        "visited": done.visited,
        "requests": [request.target for request in done.requests],
        "reason": done.exit.reason,
        "event": done.exit.event,
        "message": done.exit.message,
        "value": None if isinstance(value, Undefined) else value,
    }
    seconds = {"seconds": round(done.seconds, 3)}
    told = {
        name: done.secrets.masked_value(what)
        for name, what in msgspec.json.decode(msgspec.json.encode(found)).items()
    }
    return msgspec.json.encode({**told, **seconds}).decode()
