"""SIPp as the load: many calls with real audio, callers and agents on loopback addresses of their own."""

from __future__ import annotations

import csv
import os
import shutil
import statistics
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

SCENARIOS = Path(__file__).parent / "sipp"

CALLER_HOST = "127.0.0.2"
AGENT_HOST = "127.0.0.3"
AGENT_PORT = 5070
CALLER_PORT = 5080
MEDIA_BASE = 16000
"""SIPp gives call n the media port MEDIA_BASE + 4 (n - 1)."""


def write_audio(path: Path, seconds: float) -> None:
    """Write a pcap of G.711 mu-law RTP, 20 ms a packet, that SIPp can play."""
    record = bytearray(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
    payload = bytes(range(160))
    for n in range(int(seconds * 50)):
        rtp = struct.pack("!BBHII", 0x80, 0x80 if n == 0 else 0, n, n * 160, 0x5150) + payload
        udp = struct.pack("!HHHH", 16000, 16000, 8 + len(rtp), 0) + rtp
        ip = struct.pack(
            "!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), n, 0, 64, 17, 0, b"\x7f\0\0\2", b"\x7f\0\0\1"
        )
        frame = b"\0" * 12 + b"\x08\0" + ip + udp
        at = n * 20_000
        record += struct.pack("<IIII", at // 1_000_000, at % 1_000_000, len(frame), len(frame)) + frame
    path.write_bytes(bytes(record))


@dataclass
class CallerReport:
    """What SIPp's calling side saw."""

    placed: int
    succeeded: int
    failed: int
    setup_ms: list[float]

    def summary(self) -> dict[str, float | int]:
        """Counts, and the set-up delay (INVITE to 200) in ms."""
        delays = sorted(self.setup_ms) or [0.0]
        return {
            "placed": self.placed,
            "succeeded": self.succeeded,
            "failed": self.failed,
            "setup_p50_ms": statistics.median(delays),
            "setup_p95_ms": delays[min(len(delays) - 1, int(len(delays) * 0.95))],
            "setup_max_ms": delays[-1],
        }


class Sipp:
    """One SIPp process with its folder of traces; always used as a context manager."""

    def __init__(
        self,
        role: str,
        *,
        host: str,
        port: int,
        target: str = "",
        audio: Path | None = None,
        hold_ms: int = 1000,
        number: str = "4008123456",
        rate: float = 10.0,
        calls: int = 0,
        timeout: float = 120.0,
    ) -> None:
        binary = shutil.which("sipp")
        if binary is None:
            raise SystemExit("SIPp is missing: install the Debian package sip-tester")
        self.folder = Path(tempfile.mkdtemp(prefix=f"sipp-{role}-"))
        scenario = self.folder / f"{role}.xml"
        action = f'<nop><action><exec play_pcap_audio="{audio}"/></action></nop>' if audio else ""
        text = (SCENARIOS / f"{role}.xml").read_text()
        scenario.write_text(text.replace("AUDIO\n", action + "\n").replace("HOLD_MS", str(hold_ms)))
        command = [binary, *([target] if target else []), "-sf", str(scenario), "-i", host, "-p", str(port)]
        command += ["-mi", host, "-mp", str(MEDIA_BASE), "-key", "number", number, "-nostdin"]
        command += [
            "-timeout",
            str(int(timeout)),
            "-trace_err",
            "-error_file",
            str(self.folder / "errors.log"),
        ]
        if calls:
            command += ["-r", str(rate), "-m", str(calls), "-l", str(calls), "-timeout_error"]
            command += ["-trace_stat", "-stf", str(self.folder / "stat.csv"), "-fd", "1"]
            command += ["-trace_rtt", "-rtt_freq", "1"]
        self._process = subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ
        )

    def __enter__(self) -> Sipp:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def running(self) -> bool:
        """True until the process has ended by itself."""
        return self._process.poll() is None

    def wait(self, timeout: float) -> None:
        """Wait for the last call; subprocess.TimeoutExpired when it takes longer."""
        self._process.wait(timeout)

    def errors(self) -> str:
        """What SIPp complained of, its first 2,000 characters."""
        path = self.folder / "errors.log"
        return path.read_text(errors="replace")[:2000] if path.exists() else ""

    def report(self) -> CallerReport:
        """The figures of the calling side, once it has ended."""
        with (self.folder / "stat.csv").open(newline="") as file:
            rows = list(csv.DictReader(file, delimiter=";"))
        last = rows[-1]
        delays: list[float] = []
        for path in self.folder.glob("*_rtt.csv"):
            with path.open(newline="") as file:
                rows_of_delay = list(csv.reader(file, delimiter=";"))[1:]
            delays += [float(row[1]) for row in rows_of_delay if len(row) >= 2 and row[1]]
        return CallerReport(
            placed=int(last["TotalCallCreated"]),
            succeeded=int(last["SuccessfulCall(C)"]),
            failed=int(last["FailedCall(C)"]),
            setup_ms=delays,
        )
