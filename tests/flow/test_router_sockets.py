"""A routing service on real sockets: SIP over UDP in, HTTP to the service, and its answer to the caller."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from sipcc import Switch
from sipcc.acd.events import RoutingFailed
from sipcc.config import Config, load

CONFIG = """
[sip]
listen = ["udp:127.0.0.1:0"]
[media]
address = "127.0.0.1"
workers = 0
[records]
database = ":memory:"
recordings = "recordings"
[[trunks]]
name = "carrier"
addresses = ["127.0.0.1"]
[[routers]]
name = "crm"
url = "http://127.0.0.1:PORT/route"
default = "reject:606"
timeout = 5.0
authorization = "Bearer abc"
[[numbers]]
number = "4008123456"
to = "router:crm"
"""

INVITE = """\
INVITE sip:4008123456@{host} SIP/2.0
Via: SIP/2.0/UDP {me};branch=z9hG4bK{n};rport
Max-Forwards: 70
From: <sip:13800138000@example.com>;tag=t{n}
To: <sip:4008123456@example.com>
Call-ID: call-{n}@example.com
CSeq: 1 INVITE
Contact: <sip:13800138000@{me}>
Content-Length: 0

"""


class Client(asyncio.DatagramProtocol):
    """A carrier that sends bare INVITEs and waits for the final answer."""

    def __init__(self) -> None:
        self.finals: dict[bytes, asyncio.Future[int]] = {}

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        status = int(data.split(b" ", 2)[1])
        for call, final in self.finals.items():  # answers are sent again, for nobody acknowledges them
            if call in data and status >= 200 and not final.done():
                final.set_result(status)


class Service:
    """The stub; it keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if line)
            headers = {name.lower(): value for name, value in lines.items()}
            body = json.loads(await reader.readexactly(int(headers["content-length"])))
            self.asked.append((headers["authorization"], body))
            answer = b'{"reject": 603}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)


def written(folder: Path, port: int) -> Config:
    path = folder / "sipcc.toml"
    path.write_text(CONFIG.replace("PORT", str(port)))
    return load(path)


@pytest.mark.realtime
async def test_the_service_decides_and_when_it_is_gone_the_default(tmp_path: Path) -> None:
    service = Service()
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    switch = Switch(written(tmp_path, server.sockets[0].getsockname()[1]))
    failed: list[RoutingFailed] = []
    switch.bus.on(RoutingFailed, failed.append)
    await switch.start()
    transport, client = await asyncio.get_running_loop().create_datagram_endpoint(
        Client, local_addr=("127.0.0.1", 0)
    )
    me = "{}:{}".format(*transport.get_extra_info("sockname"))
    local = switch.endpoint.listeners[0].local

    async def call(number: int) -> int:
        text = INVITE.format(host=local, me=me, n=number).replace("\n", "\r\n")
        transport.sendto(text.encode(), (local.host, local.port))
        final = asyncio.get_running_loop().create_future()
        client.finals[f"call-{number}@".encode()] = final
        return await asyncio.wait_for(final, 10.0)

    try:
        assert await call(1) == 603
        ((authorization, body),) = service.asked
        assert authorization == "Bearer abc"
        assert (body["caller"], body["called"], body["trunk"]) == ("13800138000", "4008123456", "carrier")
        server.close()
        for writer in service.writers:
            writer.close()
        assert await call(2) == 606
        assert [(event.router, event.to) for event in failed] == [("crm", "reject:606")]
        assert len(service.asked) == 1
    finally:
        transport.close()
        server.close()
        await switch.stop()
