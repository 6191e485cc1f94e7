"""RFC 4475: each torture message sent to an endpoint, as a datagram and as a stream."""

from __future__ import annotations

import asyncio
import json
import random
import re
from pathlib import Path

import pytest

from sipcc.clock import LoopClock
from sipcc.ids import Ids
from sipcc.sip import Address, Endpoint, InboundRequest, InviteSession, SipSettings
from sipcc.sip import response as build_response
from sipcc.sip.transport.base import Flow, TransportName
from sipcc.testing.link import Link
from sipcc.testing.network import MemoryNetwork


class Bystander:
    """Sends bytes and reads the statuses of what comes back."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.closed = False

    def blocked(self, host: str) -> bool:
        return False

    def datagram_received(self, data: bytes, flow: Flow) -> None:
        self.stream_received(data, flow)

    def stream_received(self, data: bytes, flow: Flow) -> None:
        # an answer to a broken request repeats its broken headers, so only the first line is read here
        self.statuses += [int(status) for status in re.findall(rb"(?m)^SIP/2\.0 ([1-6][0-9]{2}) ", data)]

    message_received = stream_received

    def flow_closed(self, flow: Flow, error: Exception | None) -> None:
        self.closed = True


PORTS: dict[str, int] = {"udp": 5060, "tcp": 5060, "tls": 5061, "ws": 8080, "wss": 8443}


def on_request(inbound: InboundRequest) -> None:
    inbound.respond(build_response(inbound.request, 200, to_tag="t"))


def on_invite(session: InviteSession) -> None:
    session.ring()


async def answers_to(
    data: bytes, transport: TransportName, *, step: int = 0
) -> tuple[list[int], Endpoint, bool]:
    network = MemoryNetwork()
    network.set_link(Link(segment_bytes=step), source="10.0.0.1")
    host = "10.0.0.2"
    endpoint = Endpoint(
        SipSettings(listen=tuple(f"{name}:{host}:{port}" for name, port in PORTS.items())),
        network=network.host(host),
        clock=LoopClock(wall=0.0),
        ids=Ids(random.Random(1)),
    )
    endpoint.on_request = {"REGISTER": on_request, "MESSAGE": on_request}
    endpoint.on_invite = on_invite
    await endpoint.start()
    peer = Bystander()
    far = Address(host, PORTS[transport])
    if transport == "udp":
        # answers go to the port of the Via when that names the source, and the corpus names no port often
        listener = await network.listen("udp", Address("10.0.0.1", 5060), peer)
        listener.flow_to(far).send(data)
    else:
        flow = await network.connect(far, peer, transport=transport, local_host="10.0.0.1")
        flow.send(data)
    await asyncio.sleep(0.4)
    await endpoint.stop()
    return peer.statuses, endpoint, peer.closed


def is_allowed(statuses: list[int], allowed: list[object]) -> bool:
    finals = [status for status in statuses if status >= 200]
    said: list[object] = [*finals] if finals else ["pending" if statuses else "silence"]
    if len(set(finals)) > 1:
        return False
    outcome = said[0]
    for rule in allowed:
        if rule == outcome or (rule == "lenient" and outcome != "silence" and outcome not in (500,)):
            return True
        if isinstance(rule, str) and rule.startswith("!") and outcome not in (int(rule[1:]), "silence"):
            return True
    return False


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls", "ws", "wss"])
async def test_answers(torture: Path, transport: TransportName) -> None:
    """Each message gets an answer that the RFC allows, and nothing crashes over it."""
    wrong = {}
    for case in json.loads((torture / "expectations.json").read_text()):
        statuses, endpoint, closed = await answers_to((torture / case["file"]).read_bytes(), transport)
        crashes = endpoint.counters["crashes"] + endpoint.counters["handler_crashes"]
        # a stream without a usable Content-Length is closed (RFC 3261 §18.3)
        excused = transport in ("tcp", "tls") and closed and set(statuses) <= {400}
        if crashes or not (excused or is_allowed(statuses, case["uas_allowed"])):
            wrong[case["file"]] = (statuses, case["uas_allowed"], crashes)
    assert wrong == {}


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_streams_that_come_byte_by_byte_get_the_same_answers(
    torture: Path, transport: TransportName
) -> None:
    for case in json.loads((torture / "expectations.json").read_text()):
        data = (torture / case["file"]).read_bytes()
        whole, _endpoint, closed = await answers_to(data, transport)
        bytewise, endpoint, closed_too = await answers_to(data, transport, step=1)
        assert (case["file"], bytewise, closed_too) == (case["file"], whole, closed)
        assert endpoint.counters["crashes"] == 0
