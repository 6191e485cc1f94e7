"""SIPp as carrier and as agent: scenarios, runs, and its message log as data."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import msgspec
from tests.interop.programs import Program, free_port, need
from tests.interop.scenario import Script

SCENARIOS = Path(__file__).with_name("scenarios")

_ENTRY = re.compile(
    r"-{20,} (?P<date>[0-9-]+)[ \t](?P<time>[0-9:.]+)(?:\t(?P<epoch>[0-9.]+))?\r?\n"
    r"(?P<transport>UDP|TCP) message (?P<direction>sent|received).*?:\r?\n\r?\n",
)


class Message(msgspec.Struct, frozen=True):
    """One SIP message in SIPp's log."""

    at: float
    """Unix time."""
    direction: str
    """``sent`` or ``received``, as SIPp sees it."""
    text: str

    @property
    def start(self) -> str:
        """The first line."""
        return self.text.split("\n", 1)[0].strip()

    def header(self, name: str) -> str:
        """The first value of a header, empty when it is not there."""
        found = re.search(rf"(?mi)^{name}\s*:\s*(.*?)\s*$", self.text)
        return found[1] if found else ""


class Sipp(Program):
    """One run of SIPp with one scenario."""

    def __init__(
        self,
        folder: Path,
        scenario: str | Script,
        *,
        host: str,
        target: str = "",
        port: int = 0,
        transport: str = "udp",
        calls: int = 1,
        number: str = "4008123456",
        keys: dict[str, str] | None = None,
        audio: Path | None = None,
        pause_ms: int = 1000,
        limit_s: int = 30,
        rate: int = 10,
        at_once: int = 0,
        proves_for: str = "",
        patient: bool = False,
        name: str = "",
    ) -> None:
        need("sipp")
        self.port = port or free_port(host)
        title = scenario if isinstance(scenario, str) else re.sub("[^a-z0-9]+", "-", scenario.name.lower())
        name = name or f"{title}-{host.rsplit('.', 1)[1]}-{self.port}"
        self.log_path = folder / f"{name}.messages"
        if isinstance(scenario, str):
            text = (SCENARIOS / f"{scenario}.xml").read_text()
        else:
            text = scenario.xml()
        if "@AUDIO@" in text:
            if audio is None:
                raise ValueError(f"the scenario {scenario} needs audio")
            text = text.replace("@AUDIO@", str(audio))
        for key, value in (keys or {}).items():
            text = text.replace(f"@{key.upper()}@", value)
        own = folder / f"{name}.xml"
        own.write_text(text)
        command = [
            *("sipp", "-sf", str(own), "-i", host, "-p", str(self.port), "-mi", host),
            *("-mp", str(_media_port()), "-m", str(calls)),
            *("-l", str(at_once or max(calls, 1)), "-r", str(rate)),
            *("-t", "t1" if transport == "tcp" else "u1", "-s", number, "-d", str(pause_ms)),
            *("-nostdin", "-timeout", str(limit_s), "-timeout_error", "-recv_timeout", str(limit_s * 1000)),
            *("-trace_msg", "-message_file", str(self.log_path), "-trace_err"),
            *("-error_file", str(folder / f"{name}.errors")),
        ]
        if patient:  # what comes before its step is ignored, and comes again
            command += ["-default_behaviors", "all,-abortunexp"]
        if proves_for:  # the URI of the digest; SIPp takes its target without a user otherwise
            command += ["-auth_uri", f"{proves_for}@{target}"]
        for key, value in {"caller": "13800138000", **(keys or {})}.items():
            command += ["-key", key, value]
        super().__init__(name, [*command, *([target] if target else [])], folder)
        self.error_path = folder / f"{name}.errors"
        self._socket = ("tcp" if transport == "tcp" else "udp", host)

    def listens(self) -> bool:
        """Whether its socket is open."""
        table, host = self._socket
        address = bytes(reversed(socket.inet_aton(host))).hex().upper()
        return f" {address}:{self.port:04X} " in Path(f"/proc/net/{table}").read_text()

    def messages(self) -> list[Message]:
        """Its message log, in order."""
        text = self.log_path.read_text(errors="replace") if self.log_path.exists() else ""
        entries = list(_ENTRY.finditer(text))
        ends = [*(entry.start() for entry in entries), len(text)][1:]
        return [
            Message(_epoch(entry), entry["direction"], text[entry.end() : end])
            for entry, end in zip(entries, ends, strict=True)
        ]

    def first(self, start: str, direction: str = "", *, method: str = "") -> Message:
        """The first message whose start line begins so, and whose CSeq names `method` if given."""
        for message in self.messages():
            if (
                message.start.startswith(start)
                and direction in ("", message.direction)
                and message.header("CSeq").endswith(method)
            ):
                return message
        starts = [f"{message.direction} {message.start}" for message in self.messages()]
        raise AssertionError(f"{self.name}: no {direction} {start} {method} among {starts}")

    def all(self, start: str, direction: str = "", *, method: str = "") -> list[Message]:
        """Every message whose start line begins so, and whose CSeq names `method` if given."""
        return [
            message
            for message in self.messages()
            if message.start.startswith(start)
            and direction in ("", message.direction)
            and message.header("CSeq").endswith(method)
        ]

    def has(self, start: str, direction: str = "") -> bool:
        """Whether such a message is in the log."""
        return any(m.start.startswith(start) and direction in ("", m.direction) for m in self.messages())

    def succeed(self, seconds: float = 40.0) -> None:
        """Wait for its end and fail unless every call went as its scenario says."""
        code = self.wait(seconds)
        if code != 0:
            errors = self.error_path.read_text(errors="replace") if self.error_path.exists() else ""
            story = "\n".join(f"{m.at:.3f} {m.direction} {m.start}" for m in self.messages())
            raise AssertionError(
                f"{self.name} ended with {code}:\n{story}\n{errors[-1500:]}\n{self.tail(800)}"
            )


def register(
    folder: Path,
    *,
    user: str,
    password: str,
    host: str,
    port: int,
    target: str,
    transport: str = "udp",
    expires: int = 300,
) -> None:
    """Register `user` at `host`:`port` by digest; `expires` 0 takes it back."""
    run = Sipp(
        folder,
        "register",
        host=host,
        port=port,
        target=target,
        transport=transport,
        keys={"user": user, "password": password, "expires": str(expires)},
        limit_s=10,
        name=f"register-{user}-{expires}-{free_port(host)}",
    )
    run.succeed(15)


_next_media_port = [40000]


def _media_port() -> int:
    _next_media_port[0] += 10
    return _next_media_port[0]


def _epoch(entry: re.Match[str]) -> float:
    if entry["epoch"]:
        return float(entry["epoch"])
    from datetime import datetime

    return datetime.fromisoformat(f"{entry['date']} {entry['time']}").timestamp()
