"""Peers that behave badly, as whole flows: C05, C08, C10 of reliability.md §1.3; A05, B04, B05 on streams.

A05, A06, B01-B05 over UDP stand in test_guard.py; A06 also in tests/flow/test_identity.py, A09 in
tests/flow/test_transfer.py, A10 in tests/flow/test_trunk_routes.py and test_identity.py; what B09 costs in
benchmarks/bombs.py.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.faults.rogue import DESCRIPTION, EVERYWHERE, ROGUE, TRUNK, Place, Rogue
from tests.flow.centre import Centre

from sipcc import Call
from sipcc.clock import LoopClock
from sipcc.ids import Ids
from sipcc.sip import Endpoint, InviteSession, Request, Response, SessionEvents, SipSettings
from sipcc.sip import response as build_response
from sipcc.sip.message import METHODS
from sipcc.sip.transport.base import Flow, TransportName
from sipcc.testing.network import MemoryNetwork
from sipcc.testing.phone import Answer

STREAMS = ["tcp", "tls", "ws", "wss"]
GUARDED = "\n[sip.guard]\ntrusted = []\n"
REFUSED = {401, 403, 405, 481, 501}
PAYING = f"""
[[trunks]]
name = "rogue"
addresses = ["{ROGUE}"]
username = "we"
password = "our-password"
[[numbers]]
number = "4008100007"
to = "dial:rogue/13800138000"
"""


async def rings(call: Call) -> None:
    await call.ring()
    await call.wait(60)


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[Centre]:
    made = Centre(tmp_path, config=EVERYWHERE, extra=TRUNK + GUARDED, apps={"bench": rings})
    async with made:
        yield made
        counters = made.switch.endpoint.counters
        assert (counters["crashes"], counters["handler_crashes"]) == (0, 0)


def left(centre: Centre) -> tuple[int, int, int, int]:
    """Transactions, sessions, calls and media ports."""
    switch = centre.switch
    return (
        len(switch.endpoint.layer),
        switch.endpoint.sessions,
        len(switch.calls),
        switch.engine.open_ports,
    )


# -- A05, B05: strangers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["udp", *STREAMS])
async def test_no_method_of_a_stranger_makes_any_state(centre: Centre, transport: TransportName) -> None:
    for number, method in enumerate([*sorted(METHODS), "DANCE"]):
        rogue = await Rogue(centre.network, transport, f"198.51.100.{number}").open()
        data = rogue.place("1001").request(method)
        statuses, closed = await rogue.throw(data)
        assert left(centre) == (0, 0, 0, 0), method
        assert not closed
        assert statuses == [] if method == "ACK" else set(statuses) <= REFUSED, method
        assert len(statuses) == (method != "ACK"), method
        if transport == "udp":
            assert rogue.heard_bytes <= 1.3 * len(data), method
    assert centre.told("CallStarted") == []


# -- C05: connections that end while calls are being made ----------------------------------------------------


@pytest.mark.parametrize(
    ("number", "seconds"),
    [
        ("4008000001", 75.0),  # 64*T1 for the ACK, and again for the answer to our BYE
        ("4008000002", 130.0),  # as much after a minute of ringing
        ("4008000005", 75.0),
    ],
)
@pytest.mark.parametrize("transport", ["tcp", "wss"])
@pytest.mark.parametrize("how", ["at once", "on the way", "after all"])
async def test_c05_a_burst_of_calls_and_a_sudden_end(
    centre: Centre, transport: TransportName, number: str, seconds: float, how: str
) -> None:
    await centre.phone("1001", Answer(after=5.0))
    rogue = await Rogue(centre.network, transport).open()
    for _ in range(20):
        rogue.post(rogue.place(number).request("INVITE", body=DESCRIPTION))
    if how != "at once":
        await asyncio.sleep(0.0 if how == "on the way" else 0.5)
    await rogue.leave()
    again = await Rogue(centre.network, "udp", "127.0.0.2").open()
    assert await again.place("4008000001").send("INVITE", body=DESCRIPTION) == 200
    await asyncio.sleep(seconds)
    assert left(centre) == (0, 0, 0, 0)


# -- B04: calls that nobody acknowledges ---------------------------------------------------------------------


async def test_b04_answers_that_are_not_acknowledged_end_their_calls(centre: Centre) -> None:
    rogue = await Rogue(centre.network, "udp").open()
    for _ in range(100):
        rogue.post(rogue.place("4008000001").request("INVITE", body=DESCRIPTION))
    await asyncio.sleep(1.0)
    assert centre.switch.endpoint.sessions == 100
    await asyncio.sleep(100.0)  # 64*T1 for the ACK, and again for the answer to our BYE
    assert left(centre) == (0, 0, 0, 0)


async def test_b04_a_storm_of_cancels_keeps_nothing_and_harms_nobody(centre: Centre) -> None:
    rogue = await Rogue(centre.network, "udp").open()
    ringing = rogue.place("4008000002")
    ringing.kept = True
    assert await ringing.send("INVITE", body=DESCRIPTION) == 180
    for number in range(300):
        rogue.post(rogue.place("4008000002").request("CANCEL", cseq=1, branch=f"none{number}"))
    statuses, _ = await rogue.throw(b"\r\n")
    assert statuses == [481] * 300
    assert len(centre.switch.endpoint.layer) == 1
    assert await rogue.place("4008000001").send("OPTIONS") == 200
    branch = f"{ringing.call_id}n1"
    for _ in range(300):
        rogue.post(ringing.request("CANCEL", cseq=2, branch=branch))
    statuses, _ = await rogue.throw(b"\r\n")
    assert sorted(set(statuses)) == [200, 487]
    await rogue.settle()
    await asyncio.sleep(40.0)
    assert left(centre) == (0, 0, 0, 0)


async def test_b04_a_refused_call_costs_seven_kilobytes_until_timer_h() -> None:
    """The catalogue wants 4 KiB: the request with its headers, the session and its parts are more."""
    network = MemoryNetwork()
    endpoint = Endpoint(
        SipSettings(listen=("udp:127.0.0.1:5060",)),
        network=network.host("127.0.0.1"),
        clock=LoopClock(),
        ids=Ids(random.Random(4)),
    )
    endpoint.on_invite = lambda session: session.reject(486)
    await endpoint.start()
    rogue = await Rogue(network, "udp").open()

    async def refuse(count: int) -> None:
        for _ in range(count):
            rogue.post(Place(rogue, "4008000001", f"c{next(numbers)}").request("INVITE", body=DESCRIPTION))
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        network.captured.clear()
        rogue.forget()
        gc.collect()

    numbers = itertools.count()
    await refuse(200)  # what is made once is made
    before, held = len(endpoint.layer), 1000
    tracemalloc.start()
    try:
        first = tracemalloc.get_traced_memory()[0]
        await refuse(held)
        grown = tracemalloc.get_traced_memory()[0] - first
    finally:
        tracemalloc.stop()
    assert len(endpoint.layer) - before == held
    assert grown / held <= 7 * 1024
    await asyncio.sleep(40.0)
    assert (len(endpoint.layer), endpoint.sessions) == (0, 0)
    await endpoint.stop()


# -- C08, C10: challenges ------------------------------------------------------------------------------------


class Verdict:
    """A refusal, as `Endpoint.admit` gives it."""

    def __init__(self, response: Response) -> None:
        self.response = response


def challenger(realm: str) -> Callable[[Request], Verdict]:
    """Challenges everything, each time with a new nonce."""
    count = itertools.count()

    def challenge(request: Request) -> Verdict:
        value = f'Digest realm="{realm}", nonce="n{next(count)}", algorithm=MD5, qop="auth"'
        headers = [("WWW-Authenticate", value), ("Proxy-Authenticate", value)]
        return Verdict(build_response(request, 401, to_tag="t", headers=headers))

    return challenge


async def test_c08_a_carrier_that_always_has_another_nonce(tmp_path: Path) -> None:
    async with Centre(tmp_path, config=EVERYWHERE, extra=PAYING, apps={"bench": rings}) as centre:
        carrier = Endpoint(
            SipSettings(listen=(f"udp:{ROGUE}:5060",)),
            network=centre.network.host(ROGUE),
            clock=LoopClock(),
            ids=Ids(random.Random(8)),
        )
        challenge = challenger("carrier")
        carrier.admit = lambda request, _flow: challenge(request)
        await carrier.start()
        caller = await centre.carrier.call("4008100007")
        await caller.ended()
        assert caller.status >= 400
        tries = centre.network.sent(b"INVITE", source="127.0.0.1")
        assert len(tries) == 3  # without proof, and two nonces
        assert sum(b"uthorization: " in packet.data for packet in tries) == 2
        await asyncio.sleep(40.0)
        assert left(centre) == (0, 0, 0, 0)
        await carrier.stop()


@pytest.mark.parametrize("realm", ["carrier", "rogue", "pbx.example.com", ROGUE])
async def test_c10_no_phone_gets_proof_of_a_password_of_ours(tmp_path: Path, realm: str) -> None:
    """Neither for a call to it, nor for a request in its dialog, whatever realm it names."""
    async with Centre(tmp_path, config=EVERYWHERE, extra=PAYING, apps={"bench": rings}) as centre:
        alice = await centre.phone("1001", Answer(after=0.2))
        challenge = challenger(realm)

        def in_dialog(request: Request, _flow: Flow, _usage: object) -> Verdict | None:
            return None if request.method == "ACK" else challenge(request)

        alice.endpoint.admit_in_dialog = in_dialog
        caller = await centre.carrier.call("4008000005")
        await (await alice.next_call()).answered()
        await caller.answered()
        await caller.hangup()
        await asyncio.sleep(40.0)
        assert left(centre) == (0, 0, 0, 0)
        alice.endpoint.admit = lambda request, _flow: challenge(request)
        refused = await centre.carrier.call("4008000005")
        await refused.ended()
        told = [packet.data for packet in centre.network.sent(source="127.0.0.1")]
        assert sum(data.startswith((b"BYE ", b"INVITE ")) for data in told) >= 2
        assert not any(b"uthorization: " in data for data in told)
        await asyncio.sleep(40.0)
        assert left(centre) == (0, 0, 0, 0)


# -- digits that only Python takes for digits ---------------------------------------------------------------


@pytest.mark.parametrize(
    "digits", ["%D9%A1%D9%A0%D9%A0%D9%A2", "%C2%B2%C2%B2", "+%EF%BC%91%EF%BC%90%EF%BC%90"]
)
async def test_digits_of_other_scripts_are_no_number(centre: Centre, digits: str) -> None:
    alice = await centre.phone("1001", Answer(after=0.2))
    caller = await centre.carrier.call("4008000005")
    talk = await alice.next_call()
    await caller.answered()
    assert await talk.refer(f"sip:{digits}@pbx.example.com") == 404
    called = await alice.call(digits)
    await called.ended()
    assert called.status == 404
    assert caller.state == "answered"
    await caller.hangup()


# -- an answer whose connection has gone -------------------------------------------------------------------


@pytest.mark.parametrize("transport", STREAMS)
async def test_an_answer_finds_its_caller_on_a_new_connection(transport: TransportName) -> None:
    """The caller's connection breaks while it rings; on the next one it sends a request in the dialog."""
    network = MemoryNetwork()
    sessions: list[InviteSession] = []
    endpoint = Endpoint(
        SipSettings(
            listen=("tcp:127.0.0.1:5060", "tls:127.0.0.1:5061", "ws:127.0.0.1:8080", "wss:127.0.0.1:8443")
        ),
        network=network.host("127.0.0.1"),
        clock=LoopClock(),
        ids=Ids(random.Random(5)),
    )

    def ring(session: InviteSession) -> None:
        session.listener = SessionEvents()
        session.ring(180)
        sessions.append(session)

    endpoint.on_invite = ring
    await endpoint.start()
    rogue = await Rogue(network, transport).open()
    place = rogue.place("4008000001")
    place.kept = True
    assert await place.send("INVITE", body=DESCRIPTION) == 180
    await rogue.leave()
    await asyncio.sleep(0.1)
    rogue.callable = False
    await rogue.open()
    assert await place.send("OPTIONS") == 200
    sessions[0].accept(DESCRIPTION)
    assert await rogue.throw(b"\r\n\r\n") == ([200], False)
    await rogue.settle()
    assert await place.send("BYE") == 200
    await endpoint.stop()
