"""What does it cost to read a SIP message strictly and to find its transaction and dialog?

The message is a carrier's INVITE with SDP, 20 headers, 1.1 KB. Each figure is the best of several runs, in
microseconds, and as a ratio to the floor of the same run: cutting the same bytes into head, body and lines,
which no reader in Python can undercut.

    python -m benchmarks.parse
    python -m benchmarks.parse --smoke --json parse.json
"""

from __future__ import annotations

import argparse
import timeit
from collections.abc import Callable

from benchmarks._report import show
from sipcc.sip.build import response
from sipcc.sip.message import Request, dialog_key, transaction_key
from sipcc.sip.parser import StreamParser, parse_datagram
from sipcc.sip.sdp import SessionDescription

SDP = b"""\
v=0\r
o=- 20518 20518 IN IP4 192.0.2.33\r
s=-\r
c=IN IP4 192.0.2.33\r
t=0 0\r
m=audio 30104 RTP/AVP 8 0 18 101\r
a=rtpmap:8 PCMA/8000\r
a=rtpmap:0 PCMU/8000\r
a=rtpmap:18 G729/8000\r
a=fmtp:18 annexb=no\r
a=rtpmap:101 telephone-event/8000\r
a=fmtp:101 0-15\r
a=ptime:20\r
a=sendrecv\r
"""

INVITE = (
    b"""\
INVITE sip:4008123456@192.0.2.10:5060;user=phone SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK0a1b2c3d4e5f6071;rport\r
Via: SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bK9f8e7d6c5b4a;received=192.0.2.77\r
Record-Route: <sip:192.0.2.1:5060;lr>\r
Max-Forwards: 68\r
From: "13800138000" <sip:13800138000@192.0.2.77>;tag=SD4f2a01-1c2d\r
To: <sip:4008123456@192.0.2.10>\r
Call-ID: SD7k1p301-5fa1b2c3d4e5f60718293a4b5c6d7e8f-v3000i1@192.0.2.1\r
CSeq: 10394 INVITE\r
Contact: <sip:13800138000@192.0.2.1:5060;transport=udp>\r
Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, INFO, REFER, NOTIFY\r
Supported: timer, 100rel, precondition\r
Session-Expires: 1800;refresher=uac\r
Min-SE: 90\r
P-Asserted-Identity: <sip:13800138000@ims.example.net;user=phone>\r
Privacy: none\r
User-Agent: Carrier-SBC/9.3\r
P-Early-Media: supported\r
Content-Type: application/sdp\r
Content-Length: %d\r
\r
"""
    % len(SDP)
    + SDP
)


def microseconds(work: Callable[[], object], *, run_s: float, repeat: int) -> float:
    """Least time of one call of `work`, over `repeat` runs of about `run_s` seconds."""
    timer = timeit.Timer(work)
    timer.timeit(100)  # warm: the cache of header names belongs to normal running
    calls = max(1, round(100 * run_s / timer.timeit(100)))
    return min(timer.repeat(repeat, calls)) / calls * 1e6


def cut() -> list[bytes]:
    """The floor: no reader can do without this."""
    head, _, _ = INVITE.partition(b"\r\n\r\n")
    return head.split(b"\r\n")


def read_and_key() -> object:
    """What the endpoint does for each message before it can be handed to somebody."""
    message = parse_datagram(INVITE)
    return transaction_key(message), dialog_key(message)


def read_all_views() -> object:
    """What an INVITE for a new call costs in addition, when every typed view is asked for."""
    message = parse_datagram(INVITE)
    assert isinstance(message, Request)
    return message.uri, message.from_, message.to, message.vias, message.contacts, message.record_routes


def measure(*, run_s: float, repeat: int) -> list[dict[str, object]]:
    """All rows: what, microseconds, ratio to the floor."""
    message = parse_datagram(INVITE)
    assert isinstance(message, Request)
    stream = StreamParser()
    works: list[tuple[str, Callable[[], object]]] = [
        ("cut head, body and lines (floor)", cut),
        ("parse_datagram", lambda: parse_datagram(INVITE)),
        ("parse_datagram + transaction key + dialog key", read_and_key),
        ("the same on a stream", lambda: stream.receive(INVITE)),
        ("parse_datagram + all typed views", read_all_views),
        ("read the SDP", lambda: SessionDescription.parse(SDP)),
        ("write the INVITE again", lambda: bytes(message)),
        ("make and write a 180", lambda: bytes(response(message, 180, to_tag="a1b2c3d4e5f60718"))),
    ]
    times = [(what, microseconds(work, run_s=run_s, repeat=repeat)) for what, work in works]
    floor = times[0][1]
    return [{"what": what, "us": us, "of_floor": us / floor} for what, us in times]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="a run of two seconds, for a smoke test")
    parser.add_argument("--json", metavar="FILE", help="also write the JSON here")
    arguments = parser.parse_args()
    rows = measure(run_s=0.02 if arguments.smoke else 0.2, repeat=5 if arguments.smoke else 15)
    show(f"Reading a carrier's INVITE of {len(INVITE)} bytes", rows, json_path=arguments.json)


if __name__ == "__main__":
    main()
