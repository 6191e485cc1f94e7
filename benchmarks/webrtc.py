"""CPU of a leg to a browser for 20 ms both ways, and of setting one up, against aiortc in the same run.

    python -m benchmarks.webrtc [--smoke] [--json FILE]

Each call is a browser that is bridged with a plain telephone of G.711, on one worker process: packets of the
browser are opened and relayed, those of the telephone are relayed and protected. So a row counts both legs
of its call. With Opus all audio is transcoded besides. `set-up` is ICE, DTLS and the shield of one browser.
aiortc is measured in pairs of its peers in one process; a row is one peer that sends and receives.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing as mp
import os
import time
from collections.abc import Callable
from fractions import Fraction
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import uvloop

from benchmarks._load import ENGINE_HOST, FRAME_S, LOAD_CORE, PARTY_HOST, SUBJECT_CORE
from benchmarks._report import cpu_seconds, median, pin, show
from sipcc import stun
from sipcc.rtp import BrowserParams, CodecName, Identity, MediaSettings, StreamParams, WorkerPool
from sipcc.rtp.codec import make_encoder
from sipcc.rtp.dtls import DtlsEndpoint, make_identity
from sipcc.rtp.packet import HEADER
from sipcc.rtp.srtp import Shield
from sipcc.rtp.udp import UdpSockets

AIM = "PCMU 40 us, Opus 110 us; set-up 60 ms"
OURS, THEIRS = make_identity(wall=time.time()), make_identity(wall=time.time())
CODECS: dict[str, tuple[CodecName, int, int, int]] = {
    "PCMU": ("PCMU", 0, 8000, 160),
    "Opus": ("opus", 111, 48000, 960),
}
"""Name, payload type, clock and its units in 20 ms."""

_processes = mp.get_context("spawn")


class Far:
    """A browser: checks, shakes hands, protects."""

    def __init__(self, sockets: UdpSockets, identity: Identity, ours: tuple[str, str]) -> None:
        self.handle = sockets.open(PARTY_HOST, 0)
        self.target = (ENGINE_HOST, 0)
        self.shield: Shield | None = None
        self._send = sockets.send
        self._dtls = DtlsEndpoint(identity, (ours,), active=True)

    def check(self) -> None:
        """Ask our engine whether it is there, as the pair that media takes."""
        body = stun.attribute(stun.USERNAME, b"ours:them") + stun.attribute(0x0024, bytes(4))
        body += stun.attribute(0x0025, b"")
        question = stun.seal(stun.REQUEST, os.urandom(12), body, key=b"our-password-of-22-chars")
        self._send(self.handle, question, self.target)

    def take(self, data: bytes, now: float) -> bool:
        """Take a datagram that came while the call is set up; True when there are keys."""
        waiting = self._dtls.begin(now=now) if data[0] < 4 else []
        if 20 <= data[0] <= 63:
            waiting = self._dtls.receive(data, now=now)
        for answer in waiting:
            self._send(self.handle, answer, self.target)
        if self.shield is None and self._dtls.keys is not None:
            self.shield = Shield(self._dtls.keys)
        return self.shield is not None


def sound(codec: CodecName) -> list[bytes]:
    """A second of noisy tone as payloads."""
    noise = np.random.default_rng(1).normal(0, 400, 8000)
    samples = (6000 * np.sin(np.arange(8000) / 8000 * 2 * np.pi * 440) + noise).astype(np.int16)
    encoder = make_encoder(codec)
    return [encoder.encode(samples[at : at + 160]) for at in range(0, 8000, 160)]


def generate(pipe: Connection, calls: int, codec: str, identity: Identity, ours: tuple[str, str]) -> None:
    """The browsers and the telephones: says the telephones' ports, sets all up, then sends for ever."""
    name, payload_type, _, units = CODECS[codec]
    sockets = UdpSockets()
    browsers = [Far(sockets, identity, ours) for _ in range(calls)]
    phones = [sockets.open(PARTY_HOST, 0) for _ in range(calls)]
    pipe.send([sockets.port_of(handle) for handle in phones])
    targets = [(ENGINE_HOST, port) for port in pipe.recv()]
    by_handle = {browser.handle: browser for browser in browsers}
    for browser, target in zip(browsers, targets[::2], strict=True):
        browser.target = target
        browser.check()
        end = time.monotonic() + 5
        while time.monotonic() < end:
            keyed = [by_handle[handle].take(data, time.monotonic()) for handle, data, _ in sockets.drain()]
            if True in keyed:
                break
    pipe.send(sum(browser.shield is not None for browser in browsers))
    payloads, law = sound(name), bytes(range(160))

    def send(leg: int, rounds: int) -> None:
        if leg % 2:
            packet = HEADER.pack(0x80, 0, rounds & 0xFFFF, rounds * 160, leg + 1) + law
            sockets.send(phones[leg // 2], packet, targets[leg])
            return
        browser = browsers[leg // 2]
        header = HEADER.pack(0x80, payload_type, rounds & 0xFFFF, rounds * units & 0xFFFFFFFF, leg + 1)
        assert browser.shield is not None
        closed = browser.shield.protect(header + payloads[rounds % len(payloads)])
        sockets.send(browser.handle, closed or b"", targets[leg])

    _send_for_ever(pipe, sockets, 2 * calls, send)


def _send_for_ever(
    pipe: Connection, sockets: UdpSockets, legs: int, send: Callable[[int, int], None]
) -> None:
    begin = drain_at = time.monotonic()
    rounds = leg = sent = received = 0
    while True:
        now = time.monotonic()
        if now >= begin + (rounds + leg / legs) * FRAME_S:
            send(leg, rounds)
            sent, leg = sent + 1, leg + 1
            if leg == legs:
                leg, rounds = 0, rounds + 1
        elif now >= drain_at:
            drain_at = now + 0.002
            received += sum(data[0] > 127 and not 192 <= data[1] <= 223 for _, data, _ in sockets.drain())
            if pipe.poll():
                if pipe.recv() == "stop":
                    return
                pipe.send((sent, received))


async def ours(calls: int, codec: str, seconds: float) -> dict[str, float]:
    """One worker with `calls` calls: microseconds for 20 ms of one, share of the core, loss, set-up."""
    pool = WorkerPool(MediaSettings(address=ENGINE_HOST, ports=(40000, 40099 + 8 * calls), workers=1))
    await pool.start()
    loop = asyncio.get_running_loop()
    pipe, theirs = _processes.Pipe()
    load = _processes.Process(
        target=generate, args=(theirs, calls, codec, THEIRS, OURS.fingerprint), daemon=True
    )
    load.start()
    assert load.pid is not None
    pin(load.pid, LOAD_CORE)
    phones = await loop.run_in_executor(None, pipe.recv)
    worker = pool.pids[0]
    pin(worker, SUBJECT_CORE)
    ports = await _bridge(pool, phones, codec)
    await asyncio.sleep(0.5)
    cpu, idle = cpu_seconds(worker), time.monotonic()
    pipe.send(ports)
    shaken = await loop.run_in_executor(None, pipe.recv)
    assert shaken == calls, f"{shaken} of {calls} browsers have keys"
    set_up = (cpu_seconds(worker) - cpu) / calls
    set_up_wall = (time.monotonic() - idle) / calls
    await asyncio.sleep(1)
    pipe.send("count")
    sent, received = await loop.run_in_executor(None, pipe.recv)
    cpu, begin = cpu_seconds(worker), time.monotonic()
    await asyncio.sleep(seconds)
    pipe.send("count")
    sent_then, received_then = await loop.run_in_executor(None, pipe.recv)
    cpu, wall = cpu_seconds(worker) - cpu, time.monotonic() - begin
    pipe.send("stop")
    await pool.stop()
    load.join(5)
    return {
        "us/20 ms": cpu / (wall / FRAME_S) / calls * 1e6,
        "core %": 100 * cpu / wall,
        "lost %": max(0.0, 100 - 100 * (received_then - received) / max(1, sent_then - sent)),
        "set-up ms": 1000 * set_up,
        "set-up wall ms": 1000 * set_up_wall,
    }


async def _bridge(pool: WorkerPool, phones: list[int], codec: str) -> list[int]:
    """A port for each browser and one beside it for its telephone."""
    name, payload_type, clock, _ = CODECS[codec]
    browser = BrowserParams(
        "ours", "our-password-of-22-chars", "them", "", (THEIRS.fingerprint,), OURS, "passive"
    )
    ports = []
    for phone in phones:
        near = await pool.open()
        common: dict[str, Any] = {"remote_host": PARTY_HOST, "remote_rtcp_port": 0}
        near.configure(
            StreamParams(
                **common,
                remote_port=9,
                codec=name,
                clock_rate_hz=clock,
                payload_type=payload_type,
                rtcp_mux=True,
                browser=browser,
            )
        )
        far = await pool.open(near=near)
        far.configure(StreamParams(**common, remote_port=phone, codec="PCMU", payload_type=0))
        far.bridge(near)
        ports += [near.port, far.port]
    return ports


def aiortc_pairs(pipe: Connection, pairs: int, codec: str) -> None:
    """Pairs of aiortc's peers that talk to each other, in one process."""
    uvloop.run(_talk(pipe, pairs, codec))


async def _talk(pipe: Connection, pairs: int, codec: str) -> None:
    from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender
    from aiortc.contrib.media import MediaBlackhole
    from aiortc.mediastreams import AudioStreamTrack
    from av import AudioFrame

    rate = CODECS[codec][2]
    samples = np.random.default_rng(1).normal(0, 400, (1, rate // 50)).astype(np.int16)

    class Track(AudioStreamTrack):
        at = 0
        begin = 0.0

        async def recv(self) -> AudioFrame:
            self.begin = self.begin or time.monotonic()
            await asyncio.sleep(max(0.0, self.begin + self.at / rate - time.monotonic()))
            frame = AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, self.at, Fraction(1, rate)
            self.at += rate // 50
            return frame

    mime = f"audio/{codec}".lower()
    wanted = [each for each in RTCRtpSender.getCapabilities("audio").codecs if each.mimeType.lower() == mime]
    holes = []
    begin = time.process_time()
    for _ in range(pairs):
        peers = [RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2)]
        for peer in peers:
            hole = MediaBlackhole()
            holes.append((peer, hole))
            peer.on("track", hole.addTrack)
            peer.addTrack(Track())
        for transceiver in peers[0].getTransceivers():
            transceiver.setCodecPreferences(wanted)
        await peers[0].setLocalDescription(await peers[0].createOffer())
        await peers[1].setRemoteDescription(peers[0].localDescription)
        await peers[1].setLocalDescription(await peers[1].createAnswer())
        await peers[0].setRemoteDescription(peers[1].localDescription)
        for peer in peers:
            while peer.connectionState != "connected":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    set_up = (time.process_time() - begin) / (2 * pairs)
    for _, hole in holes:
        await hole.start()
    pipe.send(set_up)
    await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
    for peer, _ in holes:
        await peer.close()


def theirs(pairs: int, codec: str, seconds: float) -> dict[str, float]:
    """The same figures of aiortc."""
    pipe, far = _processes.Pipe()
    subject = _processes.Process(target=aiortc_pairs, args=(far, pairs, codec), daemon=True)
    subject.start()
    assert subject.pid is not None
    pin(subject.pid, SUBJECT_CORE)
    set_up = pipe.recv()
    time.sleep(1)
    cpu, begin = cpu_seconds(subject.pid), time.monotonic()
    time.sleep(seconds)
    cpu, wall = cpu_seconds(subject.pid) - cpu, time.monotonic() - begin
    pipe.send("stop")
    subject.join(10)
    return {
        "us/20 ms": cpu / (wall / FRAME_S) / (2 * pairs) * 1e6,
        "core %": 100 * cpu / wall,
        "set-up ms": 1000 * set_up,
    }


def measure(codec: str, calls: int, *, pairs: int, seconds: float, runs: int) -> list[dict[str, object]]:
    """The rows of one codec: aiortc, then us, with the share of its cost that ours is."""
    found: dict[str, list[dict[str, float]]] = {"aiortc": [], "sipcc": []}
    for _ in range(runs):
        found["aiortc"].append(theirs(pairs, codec, seconds))
        found["sipcc"].append(uvloop.run(ours(calls, codec, seconds)))
    rows: list[dict[str, object]] = []
    floor = 0.0
    for subject, results in found.items():
        middle = {key: round(median([each[key] for each in results]), 2) for key in results[0]}
        floor = floor or middle["us/20 ms"]
        size = {"codec": codec, "peers": 2 * pairs if subject == "aiortc" else calls, "subject": subject}
        rows.append({**size, **middle, "of aiortc": round(middle["us/20 ms"] / floor, 3)})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pcmu", type=int, default=200, help="calls of browsers with PCMU")
    parser.add_argument("--opus", type=int, default=90, help="calls of browsers with Opus")
    parser.add_argument("--pairs", type=int, default=5, help="pairs of aiortc's peers")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="one short run, to see that it works")
    parser.add_argument("--json", help="also write the JSON here")
    options = parser.parse_args()
    if options.smoke:
        options.pcmu, options.opus, options.pairs, options.seconds, options.runs = 4, 2, 1, 0.3, 1
    common = {"pairs": options.pairs, "seconds": options.seconds, "runs": options.runs}
    rows = [*measure("PCMU", options.pcmu, **common), *measure("Opus", options.opus, **common)]
    show(f"browsers: CPU of one for 20 ms both ways (aim: {AIM})", rows, json_path=options.json)


if __name__ == "__main__":
    main()
