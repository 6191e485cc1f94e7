"""What the way to a bot and back adds: an echo bot behind a WebSocket on loopback, real engine, real RTP.

    python -m benchmarks.bot [--smoke] [--calls N] [--json FILE]

Each packet of a caller says in its audio when it was sent. It goes through a media worker, over a WebSocket
of Twilio's Media Streams to a bot in another process that sends it back at once, and through the worker to
the caller. The floor, in the same run, is an anchored call: the jitter buffer and the 20 ms clock without a
bot; `socket` is the WebSocket there and back alone. In `clear` the bot has said a minute of sound at once
when it clears: `silent` is from its word to the end of the last packet that sounds, `heard off` how far the
milliseconds that it is told are from those that the caller got.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import Any

from benchmarks._load import FRAME_S, LOST, SUBJECT_CORE, Plan, params_for, processes, settings_for
from benchmarks._probe import MARKS, ROUNDS, Probe, Trace, delays_ms, mark_of
from benchmarks._report import TooBusyError, pin, show
from benchmarks.delay import all_delays, of_worker, share
from sipcc.call.playing import Player
from sipcc.call.tapping import AudioTap
from sipcc.ivr.bots.links import connect
from sipcc.ivr.bots.serve import WirePeer
from sipcc.ivr.bots.talk import Conversation
from sipcc.ivr.bots.twilio import TwilioPlatform
from sipcc.ivr.bots.words import Facts
from sipcc.rtp import WorkerPool
from sipcc.rtp.events import AudioTapped, MediaEvent
from sipcc.rtp.flow import MediaPort
from sipcc.tasks import TaskScope

AIM = "the bot adds under 80 ms at p99; silent within 40 ms of its word, told within 20 ms what was heard"
AHEAD_FRAMES = 3000


def echo_bot(pipe: Connection) -> None:
    """The bots: a process that answers each conversation, and tells when it has cleared."""
    asyncio.run(_serve(pipe))


async def _serve(pipe: Connection) -> None:
    from websockets.asyncio.server import ServerConnection, serve
    from websockets.exceptions import ConnectionClosed

    told: dict[int, dict[str, float]] = {}

    async def clear(socket: ServerConnection, leg: int, after: float) -> None:
        await socket.send('{"event":"sipcc","sipcc":{"type":"hello"}}')
        sound = b"".join(mark_of(frame % ROUNDS, MARKS) for frame in range(AHEAD_FRAMES))
        await socket.send(
            json.dumps({"event": "media", "media": {"payload": base64.b64encode(sound).decode()}})
        )
        await asyncio.sleep(after)
        told[leg] = {"at": time.time()}
        await socket.send('{"event":"clear"}')

    async def talk(socket: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            await speak(socket)

    async def speak(socket: ServerConnection) -> None:
        leg, echoing = 0, True
        clearing = None
        async for message in socket:
            read = json.loads(message)
            if read["event"] == "start":
                parameters = read["start"]["customParameters"]
                leg, echoing = int(parameters["leg"]), not parameters["clear"]
                if not echoing:
                    clearing = asyncio.ensure_future(clear(socket, leg, float(parameters["clear"])))
            elif read["event"] == "media" and echoing:
                await socket.send(
                    json.dumps({"event": "media", "media": {"payload": read["media"]["payload"]}})
                )
            elif read["event"] == "sipcc":
                told[leg]["heard_ms"] = read["sipcc"]["heardMs"]
        if clearing is not None:
            await clearing

    async with serve(talk, "127.0.0.1", 0, compression=None) as server:
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
        pipe.send(told)


class Caller:
    """As much of a call as a conversation with a bot needs: a port, what plays there, and who listens."""

    ended = is_lent = False
    language = "en"

    def __init__(self, port: MediaPort, scope: TaskScope) -> None:
        self.id = port.id
        self.media, self.taps = port, list[AudioTap]()
        self.player = Player(port)
        self.context = SimpleNamespace(scope=scope)
        port.on_event = self.take

    def take(self, event: MediaEvent) -> None:
        """An event of the port."""
        if isinstance(event, AudioTapped):
            for tap in self.taps:
                tap.put(event)
        else:
            self.player.on_event(event)

    async def answer(self) -> None:
        """It is answered."""

    def stop_playing(self) -> None:
        """Nothing plays."""

    def listen_keys(self, sink: Callable[..., None]) -> None:
        """It presses none."""

    def unlisten_keys(self, sink: Callable[..., None]) -> None:
        """It presses none."""

    def tap(self, *, coded: bool) -> AudioTap:
        """Who listens in."""
        return AudioTap(self, coded=coded)  # type: ignore[arg-type]  # it is its own leg


async def converse(caller: Caller, leg: int, port: int, clear_after: float) -> None:
    """One caller with its bot, until it is cancelled."""
    link = await connect(f"ws://127.0.0.1:{port}/", protocols=(), headers={}, timeout=10)
    parameters = {"leg": str(leg), "clear": str(clear_after) if clear_after else ""}
    wire = TwilioPlatform(Facts(call=caller.id, stream=caller.id, parameters=parameters))
    session: Any = SimpleNamespace(call=caller, services=SimpleNamespace(voice=None))
    await Conversation(session, WirePeer(link, wire)).run()


async def run(
    plan: Plan, subject: str, *, seconds: float, warm_up: float
) -> tuple[list[Trace], dict[int, Any]]:
    """What the callers sent and heard, and what the bots tell."""
    loop = asyncio.get_running_loop()
    ours, theirs = processes.Pipe()
    bots = processes.Process(target=echo_bot, args=(theirs,), daemon=True)
    bots.start()
    bot_port = await loop.run_in_executor(None, ours.recv)
    probe = await loop.run_in_executor(None, Probe, plan)
    pool = WorkerPool(settings_for(plan.legs))
    await pool.start()
    [pid] = pool.pids
    pin(pid, SUBJECT_CORE)
    ports: list[MediaPort] = [await pool.open() for _ in range(plan.legs)]
    probe.begin([port.port for port in ports])
    scope = TaskScope("bots")
    for leg, port in enumerate(ports):
        port.configure(params_for(plan, leg, probe.ports[leg]))
    talks: list[asyncio.Future[None]] = []
    if subject == "clear":
        probe.watch()
    for leg, port in enumerate(ports):
        after = seconds + 0.013 * leg if subject == "clear" else 0.0
        talks.append(asyncio.ensure_future(converse(Caller(port, scope), leg, bot_port, after)))
    await asyncio.sleep(warm_up)
    if subject != "clear":
        probe.watch()
    await asyncio.sleep(seconds + (1.0 + 0.013 * plan.legs if subject == "clear" else 0.0))
    traces = await loop.run_in_executor(None, probe.tell)
    if pool.pids != [pid]:
        raise TooBusyError(LOST)
    ours.send("tell")
    told = await loop.run_in_executor(None, ours.recv)
    for talk in talks:
        talk.cancel()
    await asyncio.gather(*talks, return_exceptions=True)
    await scope.join()
    probe.stop()
    await pool.stop()
    bots.join(5)
    return traces, told


def of_delays(subject: str, delays: list[float], floor: list[float]) -> dict[str, object]:
    """Delays from a mouth to an ear, and what they have beyond those of the floor."""
    return {
        "subject": subject,
        "packets": len(delays),
        "p50 ms": share(delays, 0.5),
        "p99 ms": share(delays, 0.99),
        "max ms": share(delays, 1.0),
        "of floor": share(delays, 0.5) / share(floor, 0.5),
        "added p99 ms": share(delays, 0.99) - share(floor, 0.99) if subject == "bot" else None,
    }


async def of_socket(seconds: float) -> list[float]:
    """How long a message of 20 ms takes to a bot and back."""
    loop = asyncio.get_running_loop()
    ours, theirs = processes.Pipe()
    bots = processes.Process(target=echo_bot, args=(theirs,), daemon=True)
    bots.start()
    link = await connect(
        f"ws://127.0.0.1:{await loop.run_in_executor(None, ours.recv)}/", protocols=(), headers={}, timeout=10
    )
    wire = TwilioPlatform(Facts(call="socket", parameters={"leg": "0", "clear": ""}))
    for message in wire.begin():
        await link.send(message)
    delays: list[float] = []
    for _ in range(int(seconds / FRAME_S)):
        began = time.perf_counter()
        await link.send(wire.hear(bytes(160), b"", 0)[0])
        await link.receive()
        delays.append(1000 * (time.perf_counter() - began))
        await asyncio.sleep(FRAME_S)
    await link.close()
    ours.send("tell")
    bots.join(5)
    return delays


def of_clearing(traces: list[Trace], told: dict[int, Any]) -> dict[str, object]:
    """How long sound went on after a bot had cleared, and how well it was told what was heard."""
    silent, off = [], []
    for leg, trace in enumerate(traces):
        if "heard_ms" not in told.get(leg, {}):
            raise TooBusyError("a bot was not told in time what was heard")
        sounding = [arrival.at for arrival in trace.heard if arrival.mark >= 0]
        silent.append(1000 * (sounding[-1] + FRAME_S - told[leg]["at"]))
        off.append(abs(20 * len(sounding) - told[leg]["heard_ms"]))
    return {
        "subject": "clear",
        "silent p50": share(silent, 0.5),
        "silent max": share(silent, 1.0),
        "heard off max": share(off, 1.0),
    }


def measure(calls: int, *, seconds: float, warm_up: float) -> list[dict[str, object]]:
    plan = Plan(calls)
    anchored = Plan(2 * calls, codecs=("PCMU", "PCMA"))
    floor = all_delays(of_worker(anchored, seconds, warm_up))
    traces, _ = asyncio.run(run(plan, "echo", seconds=seconds, warm_up=warm_up))
    delays = {
        "floor": floor,
        "socket": asyncio.run(of_socket(min(seconds, 4.0))),
        "bot": [delay for trace in traces for delay in delays_ms(trace, trace)],
    }
    rows = [{"calls": calls, **of_delays(subject, found, floor)} for subject, found in delays.items()]
    traces, told = asyncio.run(run(plan, "clear", seconds=min(seconds, 2.0), warm_up=0.0))
    rows.append({"calls": calls, **of_clearing(traces, told)})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--smoke", action="store_true", help="one short run, to see that it works")
    parser.add_argument("--json", help="also write the JSON here")
    options = parser.parse_args()
    warm_up = 8.0  # an ear watches a new stream for five seconds before it waits less
    if options.smoke:
        options.calls, options.seconds, warm_up = 2, 0.5, 0.3
    rows = measure(options.calls, seconds=options.seconds, warm_up=warm_up)
    show(f"bot: what the way to a bot and back adds (aim: {AIM})", rows, json_path=options.json)


if __name__ == "__main__":
    main()
