"""SIP by hand over UDP: just enough to bring up bridged calls whose RTP is somebody else's."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence

from tests.faults.rtp_crowd import Seat
from tests.faults.rtp_probe import Party


class Line:
    """One UDP socket that says and hears SIP."""

    def __init__(self, host: str, port: int, switch: tuple[str, int]) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, port))
        self.socket.settimeout(5.0)
        self.host, self.port = self.socket.getsockname()
        self.switch = switch

    def send(self, text: str) -> None:
        """Send a message, whose lines end in LF here."""
        self.socket.sendto(text.replace("\n", "\r\n").encode(), self.switch)

    def wait(self, start: str) -> str:
        """The next message that begins so; what comes before it is passed over."""
        while True:
            text = self.socket.recv(65536).decode()
            if text.startswith(start):
                return text

    def invite(self, number: str, party: Party | Seat, name: int) -> None:
        """Call a number; `party` is where audio goes."""
        body = describe(party)
        self.send(
            f"INVITE sip:{number}@{self.switch[0]} SIP/2.0\n"
            f"Via: SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bK-kill-{name}\n"
            f"Max-Forwards: 70\nFrom: <sip:13800138000@{self.host}>;tag=c{name}\n"
            f"To: <sip:{number}@{self.switch[0]}>\nCall-ID: kill-{name}\nCSeq: 1 INVITE\n"
            f"Contact: <sip:c@{self.host}:{self.port}>\nContent-Type: application/sdp\n"
            f"Content-Length: {len(body)}\n\n" + body.replace("\r\n", "\n")
        )

    def answer(self, invite: str, party: Party | Seat, name: int) -> None:
        """Answer an INVITE with 200."""
        kept = re.findall(r"(?im)^(?:via|from|call-id|cseq|record-route):.*?\r\n", invite)
        to = header(invite, "To")
        body = describe(party)
        self.send(
            "SIP/2.0 200 OK\n" + "".join(kept).replace("\r\n", "\n") + f"To: {to};tag=a{name}\n"
            f"Contact: <sip:a@{self.host}:{self.port}>\nContent-Type: application/sdp\n"
            f"Content-Length: {len(body)}\n\n" + body.replace("\r\n", "\n")
        )

    def acknowledge(self, answer: str, number: str, name: int) -> None:
        """ACK a 200."""
        target = re.search(r"<(.*?)>", header(answer, "Contact"))
        assert target is not None
        self.send(
            f"ACK {target[1]} SIP/2.0\nVia: SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bK-ack-{name}\n"
            f"Max-Forwards: 70\nFrom: <sip:13800138000@{self.host}>;tag=c{name}\n"
            f"To: {header(answer, 'To')}\nCall-ID: kill-{name}\nCSeq: 1 ACK\nContent-Length: 0\n\n"
        )


def header(text: str, name: str) -> str:
    """The value of a header."""
    found = re.search(rf"(?im)^{name}:\s*(.*?)\r\n", text)
    assert found is not None, text
    return found[1]


def describe(party: Party | Seat) -> str:
    """SDP for the socket of a party."""
    return (
        f"v=0\r\no=- 1 1 IN IP4 {party.host}\r\ns=-\r\nc=IN IP4 {party.host}\r\nt=0 0\r\n"
        f"m=audio {party.port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
    )


def media_of(text: str) -> tuple[str, int]:
    """Where the SDP of a message wants audio."""
    host = re.search(r"c=IN IP4 (\S+)", text)
    port = re.search(r"m=audio (\d+)", text)
    assert host is not None
    assert port is not None
    return host[1], int(port[1])


def bridge_calls(caller: Line, callee: Line, parties: Sequence[Party | Seat], number: str) -> None:
    """Bring up a call for each two parties; they know then where to speak to."""
    for name, (one, two) in enumerate(zip(parties[::2], parties[1::2], strict=True)):
        caller.invite(number, one, name)
        offered = callee.wait("INVITE ")
        two.to = media_of(offered)
        callee.answer(offered, two, name)
        answered = caller.wait("SIP/2.0 200")
        one.to = media_of(answered)
        caller.acknowledge(answered, number, name)
        callee.wait("ACK ")
