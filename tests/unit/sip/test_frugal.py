from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.sip.auth import DigestServer, parse_auth
from sipcc.sip.build import response
from sipcc.sip.frugal import FACTOR, shortened
from sipcc.sip.message import METHODS, Request, Response
from sipcc.sip.parser import parse_datagram

SERVER = DigestServer("pbx.example.com", b"0123456789abcdef", algorithms=("SHA-512-256", "SHA-256", "MD5"))
SHORT = DigestServer("192.0.2.1", b"0123456789abcdef", algorithms=("SHA-256", "MD5"))


def minimal(method: str, extra: int = 0) -> bytes:
    """About the shortest request that is valid, and so many bytes more."""
    return (
        f"{method} sip:192.0.2.1 SIP/2.0\r\n"
        "Via: SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bK776asdhds;rport\r\n"
        "From: <sip:1001@192.0.2.1>;tag=a73kszlfl\r\nTo: <sip:1001@192.0.2.1>\r\n"
        f"Call-ID: 843817637684230@998sdasdh09\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n"
        f"X: {'x' * extra}\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def refusal(data: bytes, server: DigestServer, status: int = 401) -> Response:
    request = parse_datagram(data)
    assert isinstance(request, Request)
    headers = [("WWW-Authenticate", value) for value in server.challenge(source="203.0.113.9", now=9e5)]
    answer = response(request, status, to_tag="0123456789", headers=[*headers, ("Server", "sipcc")])
    via = request.via.with_params(received="203.0.113.9", rport="5060")
    answer.replace_via(via)
    return answer


@pytest.mark.parametrize("method", sorted(METHODS - {"ACK"}))
@pytest.mark.parametrize("server", [SERVER, SHORT])
def test_no_answer_is_an_amplifier(method: str, server: DigestServer) -> None:
    for extra in range(0, 600, 25):
        data = minimal(method, extra)
        short = shortened(refusal(data, server), len(data))
        assert short is not None
        assert len(bytes(short)) <= FACTOR * len(data)
        assert short.status == (401 if "WWW-Authenticate" in short.headers else 403)


def test_the_more_room_the_more_algorithms() -> None:
    counts = []
    for extra in range(0, 600, 25):
        data = minimal("REGISTER", extra)
        short = shortened(refusal(data, SERVER), len(data))
        assert short is not None
        found = [parse_auth(value)[1] for value in short.headers.get_all("WWW-Authenticate")]
        counts.append(len(found))
        assert [each.get("algorithm", "MD5") for each in found] == ["SHA-512-256", "SHA-256", "MD5"][
            3 - len(found) :
        ]
    assert counts == sorted(counts)
    assert 1 in counts[:3]  # a Contact of 40 bytes is enough
    assert counts[-1] == 3


def test_what_has_room_stays_as_it_is() -> None:
    data = minimal("REGISTER", 1000)
    answer = refusal(data, SERVER)
    assert shortened(answer, len(data)) is answer


def test_there_is_an_end_to_frugality() -> None:
    assert shortened(refusal(minimal("REGISTER"), SERVER), 100) is None


def test_allow_goes_after_the_luxuries() -> None:
    request = parse_datagram(minimal("PUBLISH", 30))
    assert isinstance(request, Request)
    allow = "INVITE, ACK, BYE, CANCEL, OPTIONS"
    answer = response(request, 405, headers=[("Server", "x" * 150), ("Allow", allow)])
    short = shortened(answer, len(bytes(request)))
    assert short is not None
    assert "Server" not in short.headers
    assert short.headers.get("Allow") == allow
    tiny = shortened(answer, 200)
    assert tiny is not None
    assert "Allow" not in tiny.headers


@given(st.integers(0, 2000), st.sampled_from([401, 403, 405, 481, 503]))
def test_never_more_than_the_factor(size: int, status: int) -> None:
    short = shortened(refusal(minimal("INVITE"), SERVER, status), size)
    assert short is None or len(bytes(short)) <= FACTOR * size
