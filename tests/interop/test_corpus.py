"""The shapes of tests/faults/corpus.py against the running daemon, over real sockets; calls go on."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from tests.faults.corpus import SHAPES
from tests.faults.rogue import Place
from tests.interop.centre import Centre
from tests.interop.test_bad_input import CALLER_HZ, carrier_of
from websockets.sync.client import connect

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

_STATUS = re.compile(rb"(?m)^SIP/2\.0 ([2-6][0-9]{2}) ")


class Line:
    """One socket of a stranger, whatever it speaks."""

    def __init__(
        self,
        transport: str,
        near: tuple[str, int],
        send: Callable[[bytes], object],
        read: Callable[[], bytes],
    ) -> None:
        self.transport = transport
        self.host, self.port = near
        self._send, self._read = send, read

    def ask(self, data: bytes, wanted: list[str]) -> list[str]:
        """Send; as many statuses as are wanted, and whether the stream was closed if that is wanted."""
        self._send(data)
        said: list[str] = []
        try:
            while len(said) < len(wanted) or not wanted:
                found = self._read()
                said += [status.decode() for status in _STATUS.findall(found)] or ["closed"] * (not found)
                if not found:
                    break
        except TimeoutError:
            pass
        return said


@contextmanager
def line_of(centre: Centre, transport: str, host: str, patience: float) -> Iterator[Line]:
    """A new connection of the stranger at `host`, or its socket."""
    near, far = (host, 0), centre.host
    if transport == "udp":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(near)
            sock.connect((far, centre.port))
            sock.settimeout(patience)
            yield Line(transport, sock.getsockname(), sock.send, lambda: sock.recv(65536))
        return
    port = {"tcp": centre.port, "tls": centre.tls_port, "ws": centre.ws_port}[transport]
    with socket.create_connection((far, port), timeout=5, source_address=near) as plain:
        mine = plain.getsockname()
        if transport == "ws":
            with connect(f"ws://{far}:{port}/ws", sock=plain, subprotocols=["sip"]) as wire:  # type: ignore[list-item]
                yield Line(transport, mine, wire.send, lambda: _bytes(wire.recv(timeout=patience)))
            return
        if transport == "tls":
            context = ssl.create_default_context(cafile=str(centre.folder / "trusted.pem"))
            plain = context.wrap_socket(plain, server_hostname=far)
        with plain:
            plain.settimeout(patience)
            yield Line(transport, mine, plain.sendall, lambda: plain.recv(65536))


def _bytes(message: str | bytes) -> bytes:
    return message.encode() if isinstance(message, str) else message


def throw(centre: Centre, transport: str) -> dict[str, tuple[str, str]]:
    """Send all shapes, each from a host of its own; those that were answered otherwise than in memory."""
    wrong = {}
    for number, shape in enumerate(SHAPES):
        verdict = shape.verdict("stranger", transport)
        wanted = [] if verdict.startswith("-") else verdict.split(" ")  # nobody waits here for what is late
        with line_of(centre, transport, f"127.0.9.{number}", 2.0 if wanted else 0.02) as line:
            place = Place(line, "4008123453", f"{transport}{number}")
            said = line.ask(shape.make(place), wanted)
        if said != wanted:
            wrong[shape.name] = (" ".join(said), verdict)
    return wrong


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls", "ws"])
async def test_a_call_does_not_notice_the_corpus(start: Callable[..., Centre], transport: str) -> None:
    centre = start(secure=True, extra="\n[sip.guard]\ntrusted = []\n")
    async with carrier_of(centre) as carrier:
        call = await carrier.call("4008123453")
        await call.answered()
        await call.hears(CALLER_HZ)
        wrong = await asyncio.to_thread(throw, centre, transport)
        await call.hears(CALLER_HZ)
        await call.hangup()
    centre.stop()
    assert wrong == {}
