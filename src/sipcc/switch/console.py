"""The control socket of a running switch: a Unix socket that answers questions about it.

One connection is one question and one answer: a line of JSON, then JSON until the end. Only whoever may
open the socket can ask (it belongs to the daemon's user, mode 0600). A client that is slow, silent or
mad costs a connection for `PATIENCE_S` seconds and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from sipcc.errors import ConfigError, LocalProtocolError, SipccError
from sipcc.ivr.flows.desk import FlowView
from sipcc.ivr.hours import CalendarView, State
from sipcc.sip.capture import file_header, record
from sipcc.sip.trace import CallSummary, Ladder, Trace
from sipcc.switch.desk import BanRow, BindingRow, Desk, Figures, TrunkRow
from sipcc.switch.reloading import Reloaded

MAX_QUESTION = 4096
MAX_CLIENTS = 16
OPERATOR = "sipccd"
"""Who does what is asked for here, in events."""

PATIENCE_S = 10.0
"""Seconds that one question and its answer may take."""


class LadderOf(msgspec.Struct, tag="ladder", tag_field="command", forbid_unknown_fields=True):
    """The ladder of one call."""

    call: str = ""
    """Our id, a SIP Call-ID, or a part of a number; empty for the last call."""
    texts: bool = False
    """Whole messages too."""


class CaptureOf(msgspec.Struct, tag="capture", tag_field="command", forbid_unknown_fields=True):
    """The messages of one call as a capture file."""

    call: str = ""


class ListCalls(msgspec.Struct, tag="calls", tag_field="command", forbid_unknown_fields=True):
    """The youngest calls in memory."""

    limit: int = 50


class GetStatus(msgspec.Struct, tag="status", tag_field="command", forbid_unknown_fields=True):
    """How the switch is."""


class ListBans(msgspec.Struct, tag="bans", tag_field="command", forbid_unknown_fields=True):
    """Who is not listened to."""


class Unban(msgspec.Struct, tag="unban", tag_field="command", forbid_unknown_fields=True):
    """Forgive a source."""

    source: str
    """An address, an IPv6 network of 64 bits, or ``all``."""


class ListTrunks(msgspec.Struct, tag="trunks", tag_field="command", forbid_unknown_fields=True):
    """The trunks, and how they are."""


class ListRegistrations(msgspec.Struct, tag="registrations", tag_field="command", forbid_unknown_fields=True):
    """Where users can be reached."""

    user: str = ""
    """Empty for all."""
    limit: int = 100


class Reload(msgspec.Struct, tag="reload", tag_field="command", forbid_unknown_fields=True):
    """Read the configuration anew, and go over to it."""


class ListHours(msgspec.Struct, tag="hours", tag_field="command", forbid_unknown_fields=True):
    """How each calendar stands."""


class OverrideHours(msgspec.Struct, tag="override_hours", tag_field="command", forbid_unknown_fields=True):
    """Have a calendar open or closed whatever it says."""

    name: str
    state: State
    seconds: float
    """From now on."""


class ClearHours(msgspec.Struct, tag="clear_hours", tag_field="command", forbid_unknown_fields=True):
    """Have a calendar go by its hours again."""

    name: str


class ListFlows(msgspec.Struct, tag="flows", tag_field="command", forbid_unknown_fields=True):
    """How each flow stands."""


class OverrideFlow(msgspec.Struct, tag="override_flow", tag_field="command", forbid_unknown_fields=True):
    """Have callers of a flow hear something first, or go elsewhere."""

    name: str
    seconds: float
    """From now on."""
    prompt: str = ""
    to: str = ""


class ClearFlow(msgspec.Struct, tag="clear_flow", tag_field="command", forbid_unknown_fields=True):
    """Have a flow go as it is written again."""

    name: str


class EndTrial(msgspec.Struct, tag="end_trial", tag_field="command", forbid_unknown_fields=True):
    """Give all callers the changed version of a flow, or none."""

    name: str
    promote: bool


AboutFlows = ListFlows | OverrideFlow | ClearFlow | EndTrial

AboutHours = ListHours | OverrideHours | ClearHours

Question = (
    LadderOf
    | CaptureOf
    | ListCalls
    | GetStatus
    | ListBans
    | Unban
    | ListTrunks
    | ListRegistrations
    | AboutHours
    | AboutFlows
    | Reload
)


class Answer(msgspec.Struct, omit_defaults=True):
    """What comes back: `error`, or the one field that was asked for."""

    error: str = ""
    ladder: Ladder | None = None
    capture: bytes | None = None
    calls: list[CallSummary] | None = None
    status: Figures | None = None
    bans: list[BanRow] | None = None
    unbanned: list[str] | None = None
    trunks: list[TrunkRow] | None = None
    registrations: list[BindingRow] | None = None
    hours: list[CalendarView] | None = None
    flows: list[FlowView] | None = None
    reloaded: Reloaded | None = None
    total: int = 0
    """How many there are, when a limit may have left some out."""


_question = msgspec.json.Decoder(Question)
_reload = msgspec.json.Decoder(Reload)


class Console:
    """Answers questions about the calls in `trace` and what `desk` knows."""

    def __init__(
        self,
        path: Path,
        trace: Trace,
        desk: Desk,
        *,
        reload: Callable[[], Awaitable[Reloaded]] | None = None,
    ) -> None:
        """Take what is asked about, and what reloads the switch; None when nobody may ask for that here."""
        self.path = path
        self._reload = reload
        self._trace = trace
        self._desk = desk
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Open the socket; one that a dead daemon left behind is taken over.

        Raises:
            ConfigError: it cannot be opened, or another daemon answers there.
        """
        place = "daemon.socket"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            must_be_free(self.path)
            if _is_socket(self.path):
                self.path.unlink()
            listener.bind(str(self.path))
            self.path.chmod(0o600)  # before anybody can connect: that takes a listen
            self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=MAX_QUESTION)
        except OSError as error:
            listener.close()
            hint = "the folder must exist and the path have at most 107 bytes"
            raise ConfigError(place, f"cannot open {str(self.path)!r}: {error}", hint=hint) from error
        except BaseException:
            listener.close()
            raise

    async def stop(self) -> None:
        """Close the socket and remove it."""
        if self._server is None:
            return
        self._server.close()
        for writer in self._clients:
            writer.transport.abort()
        await self._server.wait_closed()
        self._server = None
        with contextlib.suppress(OSError):
            self.path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._clients) >= MAX_CLIENTS:
            writer.transport.abort()
            return
        self._clients.add(writer)
        try:
            async with asyncio.timeout(PATIENCE_S):
                try:
                    line = await reader.readuntil(b"\n")
                except asyncio.LimitOverrunError:
                    line = b""
                writer.write(msgspec.json.encode(await self._answer(line)))
                writer.close()
                await writer.wait_closed()
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            self._clients.discard(writer)

    async def _answer(self, line: bytes) -> Answer:
        try:
            await self._try_voice(line)
        except SipccError as error:
            return Answer(error=str(error))
        if self._reload is None:
            return self.answer(line)
        try:
            _reload.decode(line)
        except msgspec.MsgspecError:
            return self.answer(line)
        try:
            return Answer(reloaded=await self._reload())
        except SipccError as error:
            return Answer(error=f"{error}; the configuration before stays in force")

    async def _try_voice(self, line: bytes) -> None:
        """See that a voice can read what callers of a flow are to hear."""
        with contextlib.suppress(msgspec.MsgspecError):
            question: Question = _question.decode(line)
            if isinstance(question, OverrideFlow):
                await self._desk.flows.try_voice(question.name, question.prompt)

    def answer(self, line: bytes) -> Answer:
        """The answer to one line that changes no settings."""
        try:
            question: Question = _question.decode(line)
        except msgspec.MsgspecError as error:
            return Answer(error=f"cannot read the question: {error}")
        if isinstance(question, LadderOf | CaptureOf):
            return self._of_call(question)
        if isinstance(question, AboutHours):
            return self._of_hours(question)
        if isinstance(question, AboutFlows):
            return self._of_flows(question)
        desk = self._desk
        match question:
            case GetStatus():
                return Answer(status=desk.figures())
            case ListCalls():
                return Answer(calls=self._trace.calls(_capped(question.limit)))
            case ListBans():
                return Answer(bans=desk.bans())
            case Unban():
                freed = desk.unban(question.source)
                if not freed and question.source != "all":
                    return Answer(error=f"{question.source!r} is not banned; see sipccd bans")
                return Answer(unbanned=freed)
            case ListTrunks():
                return Answer(trunks=desk.trunks())
            case ListRegistrations():
                rows, total = desk.registrations(user=question.user, limit=_capped(question.limit))
                return Answer(registrations=rows, total=total)
            case Reload():
                return Answer(error="nobody reloads this switch by its socket")

    def _of_hours(self, question: AboutHours) -> Answer:
        hours = self._desk.hours
        try:
            match question:
                case ListHours():
                    return Answer(hours=hours.views())
                case OverrideHours(name, state, seconds):
                    return Answer(hours=[hours.override(name, state, seconds=seconds, by=OPERATOR)])
                case ClearHours(name):
                    return Answer(hours=[hours.clear(name, by=OPERATOR)])
        except LocalProtocolError as error:
            return Answer(error=str(error))

    def _of_flows(self, question: AboutFlows) -> Answer:
        flows = self._desk.flows
        try:
            match question:
                case ListFlows():
                    return Answer(flows=flows.views())
                case OverrideFlow(name, seconds, prompt, to):
                    view = flows.override(name, seconds=seconds, prompt=prompt, to=to, by=OPERATOR)
                    return Answer(flows=[view])
                case ClearFlow(name):
                    return Answer(flows=[flows.clear(name, by=OPERATOR)])
                case EndTrial(name, promote):
                    return Answer(flows=[flows.end_trial(name, promote=promote, by=OPERATOR)])
        except LocalProtocolError as error:
            return Answer(error=str(error))

    def _of_call(self, question: LadderOf | CaptureOf) -> Answer:
        trace = self._trace
        name = question.call or trace.last or ""
        if trace.find(name) is None:
            wanted = f"of {question.call!r} " if question.call else ""
            return Answer(error=f"nothing {wanted}is kept; see sipccd calls")
        if isinstance(question, LadderOf):
            return Answer(ladder=trace.ladder(name, texts=question.texts))
        parts = [file_header()]
        for seen, wall in trace.messages(name):
            ends = (seen.remote, seen.local) if seen.direction == "in" else (seen.local, seen.remote)
            parts.append(record(seen.data, source=ends[0], destination=ends[1], wall=wall))
        return Answer(capture=b"".join(parts))


def _capped(limit: int) -> int:
    """No more than what is written in a moment: the switch does nothing else meanwhile."""
    return max(0, min(limit, 1000))


def must_be_free(path: Path) -> None:
    """Make sure that no daemon runs behind `path`: a second one would take the first one's journals away.

    Raises:
        ConfigError: one answers there.
    """
    if _is_socket(path) and _answers(path):
        raise ConfigError(
            "daemon.socket",
            f"another sipccd answers at {str(path)!r}",
            hint="stop that one, or give this one a database, recordings and a socket of its own",
        )


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def ask(path: Path, question: Question, *, timeout: float = PATIENCE_S) -> Answer:
    """Put one question to the daemon behind `path` and wait for its answer.

    Raises:
        OSError: nobody answers there.
        TimeoutError: the answer takes longer than `timeout` seconds.
        msgspec.MsgspecError: what came is no answer.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        connection.connect(str(path))
        connection.sendall(msgspec.json.encode(question) + b"\n")
        pieces = []
        while piece := connection.recv(65536):
            pieces.append(piece)
    return msgspec.json.decode(b"".join(pieces), type=Answer)
