from __future__ import annotations

from typing import Literal

from sipcc.bus import Bus
from sipcc.call.events import CallStarted, LegStarted
from sipcc.cli import ladder
from sipcc.cli.ladder import Ladder, Rung, label_of
from sipcc.sip.transport.base import Address, Flow
from sipcc.testing.wires import MemoryUdpFlow

CARRIER = Address("127.0.0.2", 5060)
AGENT = Address("127.0.0.3", 5070)
US = Address("127.0.0.1", 5060)


def message(start: str, call_id: str, cseq: str = "1 INVITE", body: str = "") -> bytes:
    return f"{start}\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\n\r\n{body}".encode()


def flow(peer: Address) -> Flow:
    return MemoryUdpFlow(None, US, peer)  # type: ignore[arg-type]  # nothing is sent


def test_labels() -> None:
    assert label_of(message("INVITE sip:4008123456@example.com SIP/2.0", "a", body="v=0\r\n")) == (
        "INVITE 4008123456 SDP"
    )
    assert label_of(message("SIP/2.0 180 Ringing", "a")) == "180 Ringing (INVITE)"
    assert label_of(b"REGISTER sip:example.com SIP/2.0\r\n\r\n") == "REGISTER"
    assert label_of(b"SIP/2.0 200 OK\r\n\r\n") == "200 OK"


def test_both_legs_of_a_call_are_one_ladder() -> None:
    names = {CARRIER: "carrier", AGENT: "ann"}
    drawn = Ladder(name_of=lambda address: names[address])
    bus = Bus()

    class Tapped:
        on_message = None

    endpoint = Tapped()
    drawn.attach(endpoint, bus)  # type: ignore[arg-type]  # only the tap is used
    assert drawn.text() == "No SIP message of a call was seen yet."
    steps: list[tuple[Literal["in", "out"], str, str, Address]] = [
        ("in", "INVITE sip:4008123456@example.com SIP/2.0", "a", CARRIER),
        ("out", "SIP/2.0 100 Trying", "a", CARRIER),
        ("out", "INVITE sip:1001@127.0.0.3 SIP/2.0", "b", AGENT),
        ("in", "SIP/2.0 603 Decline for a very long reason", "b", AGENT),
    ]
    for at, (direction, start, call_id, peer) in enumerate(steps):
        drawn.saw(direction, message(start, call_id), flow(peer), 100 + at / 10)
    drawn.saw("in", b"\r\n\r\n", flow(CARRIER), 101.0)
    bus.emit(
        CallStarted(
            at=100.0,
            call="call-1",
            caller="13800138000",
            called="4008123456",
            trunk=None,
            sip_call_id="a",
            source=str(CARRIER),
        )
    )
    bus.emit(LegStarted(at=100.2, call="call-1", leg="leg-1", target="sip:1001@127.0.0.3", sip_call_id="b"))
    assert drawn.text().splitlines() == [
        "Call call-1",
        "                        carrier                        sipcc                          ann",
        "    0.000 s                |--INVITE 4008123456--------->|                             |",
        "    0.100 s                |<-------100 Trying (INVITE)--|                             |",
        "    0.200 s                |                             |--INVITE 1001--------------->|",
        "    0.300 s                |                             |<-603 Decline for a very l~--|",
    ]


def test_what_is_kept_is_bounded() -> None:
    drawn = Ladder()
    for _ in range(ladder.MAX_MESSAGES + 5):
        drawn.saw("in", message("OPTIONS sip:a@example.com SIP/2.0", "x"), flow(CARRIER), 1.0)
    assert drawn.overflowed == 5
    for number in range(ladder.MAX_CALLS * 5):
        drawn.join(f"call-{number}", f"{number}")
        drawn.saw("in", message("OPTIONS sip:a@example.com SIP/2.0", f"{number}"), flow(CARRIER), 1.0)
    assert drawn.last_call == f"call-{ladder.MAX_CALLS * 5 - 1}"
    assert len(drawn._legs) == ladder.MAX_CALLS
    assert len(drawn._dialogs) == 4 * ladder.MAX_CALLS
    assert "No SIP message" in drawn.text("call-0")


def test_an_arrow_may_pass_another_column() -> None:
    third = Address("127.0.0.4", 5080)
    rungs = [
        Rung(0.0, CARRIER, "in", "INVITE"),
        Rung(0.1, AGENT, "out", "INVITE"),
        Rung(0.2, third, "out", "INVITE"),
    ]
    last = ladder.draw(rungs).splitlines()[-1]
    assert last.count("|") == 3
    assert last.endswith("->|")
