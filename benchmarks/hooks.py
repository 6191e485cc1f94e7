"""Time of one step of a web application: from an answer by keys to the next question, over loopback.

    python -m benchmarks.hooks [--smoke] [--calls N] [--steps N] [--json FILE]

An application in another process answers each key with the next question: the report is written, sent,
answered, read, and made into a step. One caller types at once; of several, which go on at the same time on
one core, each waits 0.2 s before a key. The floor, in the same run, is a step of a Python program on the same
session, without a hook. The aim is a p99 of 50 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection

from benchmarks._report import pin, show
from sipcc.call.destination import Destination
from sipcc.call.digits import LengthMatcher
from sipcc.ivr.fetchhttp import HttpFetcher
from sipcc.ivr.hooks.door import Door
from sipcc.ivr.hooks.http import HttpDoor
from sipcc.ivr.hooks.run import Runner
from sipcc.ivr.hooks.settings import WebAppSettings
from sipcc.ivr.hooks.ws import WsDoor
from sipcc.ivr.session import Session
from sipcc.ivr.sim import SimSession
from sipcc.ivr.steps import Gather, Gathered, spoken

THINK_S = 0.2

GATHER = {"verb": "gather", "numDigits": 1, "actionHook": "/key", "say": {"text": "Press a key."}}
JSON = json.dumps([GATHER]).encode()
XML = (
    b'<?xml version="1.0"?><Response><Gather numDigits="1" action="/key"><Say>Press a key.</Say></Gather>'
    b"</Response>"
)


class Quiet(BaseHTTPRequestHandler):
    """Answers each question with the next one."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        """Answer in the language of the question."""
        self.rfile.read(int(self.headers["Content-Length"]))
        body = JSON if "json" in self.headers["Content-Type"] else XML
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def application(pipe: Connection) -> None:
    """The application: HTTP in threads, and a WebSocket."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    server.daemon_threads = True
    asyncio.run(_serve(server, pipe))


async def _serve(server: ThreadingHTTPServer, pipe: Connection) -> None:
    from websockets.asyncio.server import ServerConnection, serve
    from websockets.typing import Subprotocol

    async def answer(socket: ServerConnection) -> None:
        async for message in socket:
            asked = json.loads(message)
            if asked["type"] in ("session:new", "verb:hook"):
                await socket.send(json.dumps({"type": "ack", "msgid": asked["msgid"], "data": [GATHER]}))

    loop = asyncio.get_running_loop()
    loop.run_in_executor(None, server.serve_forever)
    async with serve(answer, "127.0.0.1", 0, subprotocols=[Subprotocol("ws.jambonz.org")]) as sockets:
        port = next(iter(sockets.sockets)).getsockname()[1]
        pipe.send((server.server_address[1], port))
        await loop.run_in_executor(None, pipe.recv)
    server.shutdown()


class Typist(SimSession):
    """A caller who types a key, notes how long it takes until the next question, and at last hangs up."""

    def __init__(self, steps: int, pause: float) -> None:
        super().__init__("", answered=True)
        self._pause = pause
        self.times: list[float] = []
        self._left = steps
        self._typed: float | None = None

    async def gather(self, step: Gather) -> Gathered:
        """Type."""
        now = time.perf_counter()
        if self._typed is not None:
            self.times.append(now - self._typed)
        self._left -= 1
        if self._left < 0:
            await self.hangup()
            self._verb()
        if self._pause:
            await asyncio.sleep(self._pause)
        self._typed = time.perf_counter()
        return Gathered(outcome="keys", keys="1")


async def python(session: Session) -> None:
    """A program without a hook."""
    while True:
        await session.gather(Gather(prompts=spoken("Press a key."), keys=LengthMatcher(1)))


async def one(
    way: str, ports: tuple[int, int], fetcher: HttpFetcher, steps: int, pause: float
) -> list[float]:
    """The times of one call, in seconds."""
    session = Typist(steps, pause)
    if way == "python":
        try:
            await python(session)
        except Exception:  # the end of the call
            return session.times
    url = f"ws://127.0.0.1:{ports[1]}/" if way == "socket" else f"http://127.0.0.1:{ports[0]}/"
    kind = "twiml" if way == "twiml" else "jambonz"
    settings = WebAppSettings(name="app", url=url, kind=kind, fallback="hangup")  # type: ignore[arg-type]  # is one
    door: Door = HttpDoor(settings, fetcher, wall=time.time, choose=lambda count: 0)
    if way == "socket":
        door = WsDoor(settings, choose=lambda count: 0, web=door)
    failures: list[str] = []
    await Runner(
        session,
        door,
        fallback=Destination("hangup"),
        account="sipcc",
        application="app",
        on_failed=lambda kind, why: failures.append(why),
    ).run()
    assert not failures, failures
    return session.times


async def measure(way: str, ports: tuple[int, int], calls: int, steps: int) -> dict[str, object]:
    """One row."""
    fetcher = HttpFetcher()
    fetcher.allow(f"http://127.0.0.1:{ports[0]}/")
    await one(way, ports, fetcher, 5, 0.0)  # connections and TLS are there
    began = time.perf_counter()
    found = await asyncio.gather(
        *(one(way, ports, fetcher, steps, THINK_S if calls > 1 else 0.0) for _ in range(calls))
    )
    took = time.perf_counter() - began
    await fetcher.close()
    times = sorted(one_time * 1000 for times in found for one_time in times)
    return {
        "way": way,
        "calls": calls,
        "steps": len(times),
        "steps/s": len(times) / took,
        "p50 ms": times[len(times) // 2],
        "p99 ms": times[len(times) * 99 // 100],
        "max ms": times[-1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--smoke", action="store_true", help="one short run, to see that it works")
    parser.add_argument("--json", help="also write the JSON here")
    options = parser.parse_args()
    calls, steps = (2, 5) if options.smoke else (options.calls, options.steps)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=application, args=(theirs,), daemon=True)
    process.start()
    ports = ours.recv()
    assert process.pid is not None
    pin(0, 0)
    pin(process.pid, 1)
    rows = [
        asyncio.run(measure(way, ports, count, steps))
        for way in ("python", "jambonz", "twiml", "socket")
        for count in dict.fromkeys((1, calls))
    ]
    ours.send("over")
    process.join(5)
    show("a step of a web application, p99 aim 50 ms", rows, json_path=options.json)


if __name__ == "__main__":
    main()
