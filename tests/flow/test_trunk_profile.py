"""The same sloppy bytes from a tolerant carrier, from a strict one, and from a stranger."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.flow.centre import Centre

from sipcc.sip import Response
from sipcc.sip.parser import parse_datagram
from sipcc.sip.transport.base import Address

TRUNKS = """
[[trunks]]
name = "sloppy"
addresses = ["127.0.3.1"]
profile = "tolerant"
[[trunks]]
name = "neat"
addresses = ["127.0.3.2"]
"""

SDP = (
    b"v=0\no=- 1 1 IN IP4 {host}\ns=-\nc=IN IP4 {host}\nt=0 0\n"
    b"m=audio 40000 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n"
)
INVITE = (
    b"INVITE sip:4008000003@127.0.0.1 SIP/2.0\n"
    b"Via: SIP/2.0/UDP {host}:5060;branch=z9hG4bKsloppy\n"
    b"From: Smith, John <sip:13800138000@{host}>;;tag=1\n"
    b"To: <sip:4008000003@127.0.0.1>\n"
    b"Call-ID: sloppy@{host}\n"
    b"CSeq: 1 INVITE\n"
    b"Content-Type: application/sdp\n"
    b"Content-Length: 9999\n"
    b"\n"
) + SDP


class Wire:
    """A host that sends bytes as they are and keeps what comes back."""

    def __init__(self, centre: Centre, host: str) -> None:
        self.got: list[Response] = []
        self.address = Address(host, 5060)
        self._network = centre.network
        self._server = centre.server
        centre.network.bind(self.address, self._arrived)

    def _arrived(self, data: bytes, source: Address) -> None:
        message = parse_datagram(data)
        if isinstance(message, Response):
            self.got.append(message)

    async def send(self, data: bytes) -> list[int]:
        """The statuses that came back."""
        self._network.send_datagram(self.address, self._server, data)
        await asyncio.sleep(0.3)
        return [response.status for response in self.got]


@pytest.mark.parametrize(
    ("host", "statuses"), [("127.0.3.1", [100, 486]), ("127.0.3.2", []), ("127.0.3.3", [])]
)
async def test_one_sloppy_call(tmp_path: Path, host: str, statuses: list[int]) -> None:
    async with Centre(tmp_path, extra=TRUNKS) as centre:
        wire = Wire(centre, host)
        got = await wire.send(INVITE.replace(b"{host}", host.encode()))
        assert got[: len(statuses)] == statuses
        assert set(got) <= {*statuses, 400}
        counters = centre.switch.endpoint.counters
        assert counters["mended"] == (1 if statuses else 0)
        assert counters["malformed"] == (0 if statuses else 1)
        started = centre.told("CallStarted")
        assert [event.trunk for event in started] == (["sloppy"] if statuses else [])  # type: ignore[attr-defined]
        if statuses:
            ack = f"ACK sip:4008000003@127.0.0.1 SIP/2.0\nVia: {wire.got[-1].headers.get('Via')}\n"
            ack += "From: <sip:x@example.com>;tag=1\n" + f"To: {wire.got[-1].to}\nCall-ID: sloppy@{host}\n"
            wire.got.clear()
            await wire.send((ack + "CSeq: 1 ACK\n\n").encode())
            await asyncio.sleep(40)
            assert wire.got == []
            assert len(centre.switch.endpoint.layer) == 0


async def test_a_sloppy_answer_from_a_carrier_that_we_call(tmp_path: Path) -> None:
    """A 200 with bare LF, without To tag and without Contact, and a BYE to where the INVITE went."""
    extra = TRUNKS + '[[numbers]]\nnumber = "4008200001"\nto = "dial:sloppy/13800138000"\n'
    async with Centre(tmp_path, extra=extra) as centre:
        seen: list[bytes] = []
        sloppy = Address("127.0.3.1", 5060)

        def answer(data: bytes, source: Address) -> None:
            seen.append(data.partition(b" ")[0])
            lines = data.partition(b"\r\n\r\n")[0].split(b"\r\n")
            kept = [line for line in lines if line.startswith((b"Via", b"From", b"To", b"Call-ID", b"CSeq"))]
            body = SDP.replace(b"{host}", b"127.0.3.1") if seen[-1] == b"INVITE" else b""
            kind = [b"Content-Type: application/sdp", b"Content-Length: 9999"] if body else []
            if seen[-1] != b"ACK":
                text = b"\n".join([b"SIP/2.0 200 OK", *kept, *kind, b"", body])
                centre.network.send_datagram(sloppy, source, text)

        centre.network.bind(sloppy, answer)
        call = await centre.carrier.call("4008200001")
        await call.answered()
        await asyncio.sleep(1)
        await call.hangup()
        await asyncio.sleep(1)
        assert seen == [b"INVITE", b"ACK", b"BYE"]
        assert centre.switch.endpoint.counters["mended"] == 2
        await asyncio.sleep(40)
        assert centre.switch.endpoint.sessions == 0
