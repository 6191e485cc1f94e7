from __future__ import annotations

import pytest

from sipcc.errors import ParseError
from sipcc.sip.fields import CSeq, MediaType, RAck, Reason, Via, delta_seconds


def test_via() -> None:
    via = Via.parse(b"SIP / 2.0 / UDP  192.0.2.1 : 5070 ; branch = z9hG4bKx ;rport=1024;received=192.0.2.9")
    assert (via.transport, via.host, via.port, via.branch) == ("UDP", "192.0.2.1", 5070, "z9hG4bKx")
    assert (via.rport, via.received, via.wants_rport) == (1024, "192.0.2.9", True)
    assert str(via) == "SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKx;rport=1024;received=192.0.2.9"
    assert bytes(via) == str(via).encode()


def test_via_ipv6_and_copies() -> None:
    via = Via.parse("SIP/2.0/TCP [2001:db8::1];branch=z9hG4bKx;rport")
    assert (via.host, via.sent_by, via.rport, via.wants_rport) == ("2001:db8::1", "[2001:db8::1]", None, True)
    noted = via.with_params(rport="5062", received="192.0.2.1", branch=None)
    assert (noted.rport, noted.received, noted.branch) == (5062, "192.0.2.1", "")
    assert via.branch == "z9hG4bKx"


@pytest.mark.parametrize("value", ["0", "65536", "99999", "1_0", "٥", "-1", "x"])
def test_via_rport_is_a_port_or_nothing(value: str) -> None:
    assert Via("UDP", "h", None, {"rport": value}).rport is None


BAD_VIAS = [
    b"", b"SIP/2.0/UDP", b"SIP/2.0/UDP 192.0.2.15;;,;,,", b"SIP/7.0/UDP h", b"SIP/2.0/UDP h:0",
    b"SIP/2.0/UDP h:65536", b"SIP/2.0/UDP h:99999999999", b"SIP/2.0/\x16UD~PTo :::]", b"SIP/2.0/UDP :::]",
    b"SIP/2.0/UDP h;branch=a;branch=b", b"SIP/2.0/UDP h;branch=", b"SIP/2.0/UDP h x", b"SIP/2.0UDP h",
]  # fmt: skip


@pytest.mark.parametrize("raw", BAD_VIAS)
def test_bad_via(raw: bytes) -> None:
    with pytest.raises(ParseError) as caught:
        Via.parse(raw)
    assert caught.value.layer == "header:Via"


def test_via_with_much_white_space_is_refused_at_once() -> None:
    with pytest.raises(ParseError):
        Via.parse(b"SIP/2.0/UDP h" + b" " * 8000 + b"x")


def test_cseq() -> None:
    assert CSeq.parse(b"0009 \t INVITE") == CSeq(9, "INVITE")
    assert str(CSeq(2**31 - 1, "BYE")) == "2147483647 BYE"


BAD_CSEQS = [
    b"", b"1", b"INVITE", b"1 a b", b"2147483648 INVITE", b"1_0 INVITE", b"-1 INVITE", b"1\x0bINVITE",
    "٣ INVITE".encode(), b"1 IN\x00VITE",
]  # fmt: skip


@pytest.mark.parametrize("raw", BAD_CSEQS)
def test_bad_cseq(raw: bytes) -> None:
    with pytest.raises(ParseError):
        CSeq.parse(raw)


def test_rack() -> None:
    assert RAck.parse(b"776656 1 INVITE") == RAck(776656, 1, "INVITE")
    assert str(RAck(1, 2, "INVITE")) == "1 2 INVITE"
    for raw in (b"1 INVITE", b"4294967296 1 INVITE", b"1 2 (", b"1 2 3 4"):
        with pytest.raises(ParseError):
            RAck.parse(raw)


def test_media_type() -> None:
    assert MediaType.parse(b"Application/SDP ; charset=utf-8") == ("application", "sdp", {"charset": "utf-8"})
    assert str(MediaType("a", "b", {"x": "1"})) == "a/b;x=1"
    for raw in (b"", b"sdp", b"a/", b"/b", b"a b/c", b"a/b;=1"):
        with pytest.raises(ParseError):
            MediaType.parse(raw)


def test_reason() -> None:
    reasons = Reason.parse_all(b'Q.850;cause=16;text="normal, clearing", SIP ;cause=200')
    assert reasons == [Reason("Q.850", 16, "normal, clearing"), Reason("SIP", 200, "")]
    assert Reason.parse_all(b"preemption") == [Reason("preemption", None, "")]
    with pytest.raises(ParseError):
        Reason.parse_all(b"SIP;cause=1_0")


DELTAS = [
    (None, None), (b"", None), (b"60", 60), (b"0", 0), (b"-1", None), (b"1_0", None), ("٥".encode(), None),
    (b"18000;duration=3600", 18000), (b"120 (busy)", 120), (b"1" + b"0" * 100, 2**32 - 1),
    (b"00000000000007", 7), (b"5x", None),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "seconds"), DELTAS)
def test_delta_seconds(raw: bytes | None, seconds: int | None) -> None:
    assert delta_seconds(raw) == seconds
