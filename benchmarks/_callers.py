"""Callers who walk menus over real SIP and RTP: each types a key every few seconds and notes what it hears.

They are one process on the core of the load. A prompt is a constant sound, so that one byte of a packet tells
which prompt it is from; the time of each packet is the kernel's.
"""

from __future__ import annotations

import re
import select
import socket
import time
from multiprocessing.connection import Connection
from statistics import median
from typing import Any, NamedTuple

from benchmarks._load import DRAIN_S, FRAME_S, LOAD_CORE, MAX_BURST, processes
from benchmarks._probe import drain, stamped_socket
from benchmarks._report import pin
from benchmarks._sipp import CALLER_HOST
from sipcc.lifeline import raise_descriptor_limit
from sipcc.rtp.packet import HEADER

EVENTS = 101
KEY_FRAMES = 5
"""Frames of 20 ms that a key is down for."""
END_PACKETS = 3
RESEND_S = 0.5
GUARD_S = 0.2
"""What a listener waits for at most before it counts a key as lost, beyond the time between keys."""


class Walk(NamedTuple):
    """What callers do."""

    calls: int
    server: str
    """Where the switch listens, ``host:port``."""
    number: str
    rate: float
    """New calls a second."""
    key_every: float
    """Seconds from key to key of one caller."""
    sounds: tuple[int, ...]
    """The byte of each prompt, in mu-law; a key leads from each to the next."""


class Told(NamedTuple):
    """What callers have noted in one window."""

    calls: int
    """Those that were up."""
    packets: int
    late_ms: list[float]
    """How far each packet lies behind the steady rhythm of its leg."""
    start_ms: list[float]
    """From the end of a key to the first packet of the next prompt."""
    cut_ms: list[float]
    """From the beginning of a key to the last packet of the prompt that it cuts."""
    keys: int
    lost_keys: int
    """Those that no new prompt came after."""
    holes: int
    """Sequence numbers that never came."""
    ended: int
    """Calls that the switch has ended, which it never should."""


class _Leg:
    """One caller."""

    def __init__(self, number: int, walk: Walk, port_of: socket.socket) -> None:
        self.number, self.rtp = number, port_of
        self.tag = f"c{number}"
        self.call_id = f"walk-{number}-{id(self)}"
        self.to = ""
        self.remote: tuple[str, int] | None = None
        self.invited_at = 0.0
        self.answered = False
        self.frame = 0
        self.down = -1
        """Frames since the key went down; -1 for no key."""
        self.key_at = 0.0
        self.pressed: list[tuple[float, float]] = []
        self.heard: list[tuple[float, int, int, int]] = []


def _run(pipe: Connection, walk: Walk) -> None:
    raise_descriptor_limit()
    _Callers(pipe, walk).run()


class _Callers:
    def __init__(self, pipe: Connection, walk: Walk) -> None:
        self.pipe, self.walk = pipe, walk
        host, _, port = walk.server.partition(":")
        self.server = (host, int(port))
        self.sip = stamped_socket(CALLER_HOST, 1 << 20)
        self.sip_port = self.sip.getsockname()[1]
        self.legs = [_Leg(number, walk, stamped_socket(CALLER_HOST, 1 << 20)) for number in range(walk.calls)]
        self.by_fd = {leg.rtp.fileno(): leg for leg in self.legs}
        self.by_call = {leg.call_id: leg for leg in self.legs}
        self.poller = select.epoll()
        for leg in self.legs:
            self.poller.register(leg.rtp.fileno(), select.EPOLLIN)
        self.watching = False
        self.ended = 0

    def run(self) -> None:
        """Call, walk and listen until told to stop."""
        begin = drain_at = time.monotonic()
        sent, started, resend_at = 0, 0, begin + RESEND_S
        total = len(self.legs)
        while True:
            now = time.monotonic()
            due = min(int((now - begin) / FRAME_S * total) - sent, MAX_BURST)
            for _ in range(due):
                leg = self.legs[sent % total]
                sent += 1
                if leg.remote is not None:
                    self._speak(leg)
            if now < drain_at:
                continue
            drain_at = now + DRAIN_S
            while started < total and (now - begin) * self.walk.rate > started:
                self._invite(self.legs[started])
                started += 1
            if now >= resend_at:
                resend_at = now + RESEND_S
                for leg in self.legs[:started]:
                    if not leg.answered and now - leg.invited_at > RESEND_S:
                        self._invite(leg)
            self._take_sip()
            for fd, _ in self.poller.poll(0):
                self._listen(self.by_fd[fd])
            if self.pipe.poll():
                word = self.pipe.recv()
                if word == "stop":
                    return
                if word == "up":
                    self.pipe.send(sum(leg.remote is not None for leg in self.legs))
                elif word == "watch":
                    self.watching = True
                else:
                    self.pipe.send(self._tell())
                    self._leave()

    # -- sound ---------------------------------------------------------------------------------------------

    def _speak(self, leg: _Leg) -> None:
        """Send one frame of audio, or of a key."""
        assert leg.remote is not None
        at = time.time()
        frame, leg.frame = leg.frame, leg.frame + 1
        if leg.down < 0 and at >= leg.key_at:
            if leg.key_at and self.watching:
                leg.pressed.append((at, at + KEY_FRAMES * FRAME_S))
            leg.down = 0 if leg.key_at else -1
            leg.key_at = at + self.walk.key_every if leg.key_at else at + self._first_key(leg)
        if leg.down >= 0:
            self._press(leg, frame)
            return
        header = HEADER.pack(0x80, 0, frame & 0xFFFF, frame * 160 & 0xFFFFFFFF, leg.number + 1)
        leg.rtp.sendto(header + b"\xff" * 160, leg.remote)

    def _first_key(self, leg: _Leg) -> float:
        return self.walk.key_every * (0.5 + leg.number / max(1, self.walk.calls))

    def _press(self, leg: _Leg, frame: int) -> None:
        assert leg.remote is not None
        began = frame - leg.down
        over = leg.down >= KEY_FRAMES
        if leg.down == KEY_FRAMES and leg.pressed:
            leg.pressed[-1] = (leg.pressed[-1][0], time.time())
        duration = min(leg.down + 1, KEY_FRAMES) * 160
        header = HEADER.pack(
            0x80,
            EVENTS | (0x80 if leg.down == 0 else 0),
            frame & 0xFFFF,
            began * 160 & 0xFFFFFFFF,
            leg.number + 1,
        )
        leg.rtp.sendto(
            header + bytes([1, 0x8A if over else 0x0A, duration >> 8, duration & 0xFF]), leg.remote
        )
        leg.down += 1
        if leg.down == KEY_FRAMES + END_PACKETS:
            leg.down = -1

    def _listen(self, leg: _Leg) -> None:
        for data, at in drain(leg.rtp):
            if self.watching and data[1] & 0x7F == 0 and len(data) >= 172:
                sequence, timestamp = data[2] << 8 | data[3], int.from_bytes(data[4:8], "big")
                leg.heard.append((at, timestamp, sequence, data[92]))

    # -- signalling ----------------------------------------------------------------------------------------

    def _invite(self, leg: _Leg) -> None:
        leg.invited_at = time.monotonic()
        port = leg.rtp.getsockname()[1]
        body = (
            f"v=0\r\no=- 1 1 IN IP4 {CALLER_HOST}\r\ns=-\r\nc=IN IP4 {CALLER_HOST}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0 {EVENTS}\r\na=rtpmap:0 PCMU/8000\r\n"
            f"a=rtpmap:{EVENTS} telephone-event/8000\r\na=fmtp:{EVENTS} 0-16\r\na=ptime:20\r\n"
        )
        self._send(leg, "INVITE", 1, "-i", body)

    def _send(self, leg: _Leg, method: str, cseq: int, branch: str, body: str = "") -> None:
        target = f"sip:{self.walk.number}@{self.walk.server}"
        lines = [
            f"{method} {target} SIP/2.0",
            f"Via: SIP/2.0/UDP {CALLER_HOST}:{self.sip_port};rport;branch=z9hG4bK{leg.call_id}{branch}",
            f"From: <sip:1380013{leg.number:04d}@{CALLER_HOST}>;tag={leg.tag}",
            f"To: <{target}>{leg.to}",
            f"Call-ID: {leg.call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:1380013{leg.number:04d}@{CALLER_HOST}:{self.sip_port}>",
            "Max-Forwards: 70",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
            "",
            body,
        ]
        self.sip.sendto("\r\n".join(lines).encode(), self.server)

    def _take_sip(self) -> None:
        while True:
            try:
                text = self.sip.recv(65_536).decode()
            except BlockingIOError:
                return
            leg = self.by_call.get(_header(text, "Call-ID"))
            if leg is None:
                continue
            if text.startswith("SIP/2.0 "):
                self._response(leg, text)
            elif not text.startswith("ACK "):
                copied = re.findall(r"(?im)^(?:via|from|to|call-id|cseq):[^\r\n]*", text)
                answer = "\r\n".join(["SIP/2.0 200 OK", *copied, "Content-Length: 0", "", ""])
                self.sip.sendto(answer.encode(), self.server)
                if text.startswith("BYE "):
                    leg.remote = None
                    self.ended += 1

    def _response(self, leg: _Leg, text: str) -> None:
        leg.answered = True
        if not _header(text, "CSeq").endswith("INVITE") or not text.startswith("SIP/2.0 200"):
            if text.startswith("SIP/2.0 100") or "INVITE" not in _header(text, "CSeq"):
                return
            if text[8] in "3456":
                raise SystemExit(f"a call was refused: {text.splitlines()[0]}")
            return
        found = re.search(r";tag=[^\s;>]+", _header(text, "To"))
        leg.to = found[0] if found is not None else ""
        self._send(leg, "ACK", 1, "-a")
        media = re.search(r"(?m)^m=audio (\d+)", text)
        if media is not None and leg.remote is None:
            leg.remote = (self.server[0], int(media[1]))

    def _leave(self) -> None:
        for leg in self.legs:
            if leg.remote is not None:
                self._send(leg, "BYE", 2, "-b")
                leg.remote = None

    # -- what was heard ------------------------------------------------------------------------------------

    def _tell(self) -> Told:
        late: list[float] = []
        start: list[float] = []
        cut: list[float] = []
        keys = lost = holes = packets = 0
        for leg in self.legs:
            heard = leg.heard
            packets += len(heard)
            if len(heard) < 2:
                continue
            offsets = [at - timestamp / 8000 for at, timestamp, _, _ in heard]
            usual = median(offsets)
            late += [1000 * (offset - usual) for offset in offsets]
            span = (heard[-1][2] - heard[0][2]) & 0xFFFF
            holes += max(0, span + 1 - len(heard))
            for began, ended in leg.pressed:
                if ended + self.walk.key_every / 2 > heard[-1][0] or began < heard[0][0] + FRAME_S:
                    continue
                keys += 1
                found = _change(heard, self.walk.sounds, began, ended + self.walk.key_every / 2)
                if found is None:
                    lost += 1
                    continue
                cut.append(1000 * (found[0] - began))
                start.append(1000 * (found[1] - ended))
        up = sum(bool(leg.heard) for leg in self.legs)
        return Told(up, packets, late, start, cut, keys, lost, holes, self.ended)


def _change(
    heard: list[tuple[float, int, int, int]], sounds: tuple[int, ...], began: float, until: float
) -> tuple[float, float] | None:
    """When the last packet of the prompt came that was heard at `began`, and the first of another one."""
    before = next((one[3] for one in reversed(heard) if one[0] <= began and one[3] in sounds), None)
    if before is None:
        return None
    last = began
    for at, _, _, sound in heard:
        if at <= began:
            continue
        if at > until:
            break
        if sound == before:
            last = at
        elif sound in sounds:
            return last, at
    return None


def _header(text: str, name: str) -> str:
    found = re.search(rf"(?im)^{name}:[ \t]*([^\r\n]*)", text)
    return found[1].strip() if found is not None else ""


class Callers:
    """The process, as the measuring process sees it."""

    def __init__(self, walk: Walk) -> None:
        self._pipe, theirs = processes.Pipe()
        self._process: Any = processes.Process(target=_run, args=(theirs, walk), daemon=True)
        self._process.start()
        assert self._process.pid is not None
        pin(self._process.pid, LOAD_CORE)

    def up(self) -> int:
        """How many calls are up."""
        self._pipe.send("up")
        return int(self._pipe.recv())

    def watch(self) -> None:
        """Take note of what is heard from now on."""
        self._pipe.send("watch")

    def tell(self) -> Told:
        """What was noted; the callers hang up then."""
        self._pipe.send("tell")
        told: Told = self._pipe.recv()
        return told

    def stop(self) -> None:
        """End the process."""
        self._pipe.send("stop")
        self._process.join(5)
