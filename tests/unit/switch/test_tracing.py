from __future__ import annotations

import re
import socket
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from sipcc.bus import Bus
from sipcc.call.events import CallResumed, CallStarted, Decision, LegStarted
from sipcc.clock import LoopClock
from sipcc.errors import ConfigError
from sipcc.events import Event
from sipcc.records.eventlog import REGISTRY
from sipcc.sip import session
from sipcc.sip.capture import file_header
from sipcc.sip.trace import TraceSettings
from sipcc.sip.transport.base import Address
from sipcc.switch import tracing as module
from sipcc.switch.tracing import TIMERS, PcapFile, Tracing, told
from sipcc.testing.wires import MemoryUdpFlow

pytestmark = pytest.mark.realtime

_SET_DUE = re.compile(r'set_due\(\s*"(\w+)"')
FLOW = MemoryUdpFlow(None, Address("127.0.0.1", 5060), Address("127.0.0.2", 5060))  # type: ignore[arg-type]
INVITE = b'INVITE sip:a SIP/2.0\r\nCall-ID: a@x\r\nAuthorization: Digest response="beef"\r\n\r\n'


class Tapped:
    """What a trace wants of an endpoint."""

    def __init__(self) -> None:
        self.on_message = None
        self.on_timer = None

    def watch_timers(self, tell: object) -> None:
        self.on_timer = tell  # type: ignore[assignment]


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def tracing(**settings: object) -> tuple[Tracing, Tapped, Bus]:
    endpoint, bus = Tapped(), Bus()
    made = Tracing(
        msgspec.convert(settings, TraceSettings),
        endpoint=endpoint,  # type: ignore[arg-type]
        bus=bus,
        clock=LoopClock(wall=0.0),
    )
    return made, endpoint, bus


async def test_a_trace_that_keeps_nothing_or_never_started_stops_in_peace() -> None:
    for started in (True, False):
        made, endpoint, _bus = tracing(calls=0)
        if started:
            made.start()
        assert endpoint.on_message is None
        await made.stop()


async def test_events_timers_and_messages_meet_in_one_ladder() -> None:
    made, endpoint, bus = tracing()
    made.start()
    endpoint.on_message("in", INVITE, FLOW, 1.0)  # type: ignore[misc]
    bus.emit(
        CallStarted(
            at=1.0, call="c", caller="1", called="2", trunk="t", sip_call_id="a@x", source="127.0.0.2:5060"
        )
    )
    bus.emit(LegStarted(at=1.1, call="c", leg="l", target="sip:b", agent="ann", sip_call_id="b@x"))
    endpoint.on_timer("b@x", "A INVITE", 1.6, FLOW)  # type: ignore[misc]
    endpoint.on_timer("b@x", "D INVITE", 1.7, FLOW)  # type: ignore[misc]  # forgets a transaction only
    endpoint.on_timer("a@x", "ack", 1.8, FLOW)  # type: ignore[misc]
    bus.emit(Decision(at=2.0, call="c", what="route: echo", why="number 2"))
    ladder = made.trace.ladder("c")
    assert ladder is not None
    assert [(rung.kind, rung.label, rung.why) for rung in ladder.rungs] == [
        ("message", "INVITE", ""),
        ("decision", "call from 1 to 2", "trunk t, 127.0.0.2:5060"),
        ("decision", "rings ann", "sip:b"),
        ("timer", "timer A: INVITE sent again", ""),
        ("timer", "timer ack: 2xx without ACK", ""),
        ("decision", "route: echo", "number 2"),
    ]
    await made.stop()
    bus.emit(Decision(at=3.0, call="c", what="late"))
    assert len(ladder.rungs) == 6


async def test_a_call_of_an_earlier_process_is_listed_with_its_parties_its_start_and_its_legs() -> None:
    made, _endpoint, bus = tracing()
    made.start()
    bus.emit(
        CallStarted(at=95.0, call="new", caller="3", called="4", trunk="t", sip_call_id="n@x", source="")
    )
    bus.emit(
        CallResumed(
            at=100.0,
            call="c",
            caller="13800138000",
            called="4008123456",
            seconds=30.0,
            sip_call_ids=("a@x", "b@x"),
        )
    )
    newer, resumed = made.trace.calls()
    assert newer.call == "new"
    assert (resumed.caller, resumed.called, resumed.legs) == ("13800138000", "4008123456", 2)
    assert newer.started - resumed.started == pytest.approx(25.0)
    ladder = made.trace.ladder("b@x")
    assert ladder is not None
    assert (ladder.caller, ladder.called) == ("13800138000", "4008123456")
    assert ladder.sip_call_ids == ["a@x", "b@x"]
    assert [rung.label for rung in ladder.rungs] == ["the process before died: the talk goes on"]
    await made.stop()


def test_every_event_of_a_call_can_be_told_in_words() -> None:
    """No event makes it raise, whatever its fields are; events of nobody's call say nothing."""

    def made(kind: type[Event]) -> Event:
        values: dict[str, object] = {}
        for field in msgspec.inspect.type_info(kind).fields:  # type: ignore[union-attr]
            if field.required:
                name = type(field.type).__name__
                values[field.encode_name] = {
                    "StrType": "x", "FloatType": 1.0, "IntType": 1, "BoolType": True,
                    "LiteralType": getattr(field.type, "values", ("",))[0],
                }.get(name)  # fmt: skip
        return kind(**values)  # type: ignore[arg-type]

    said = {tag: told(made(decoder.type)) for tag, decoder in REGISTRY._decoders.items()}
    assert said["OfferMade"] == ("offered to x", "queue x")
    assert said["CallEnded"] is not None
    assert said["AgentStateChanged"] is None


async def test_nothing_is_done_when_nothing_is_wanted() -> None:
    made, endpoint, _bus = tracing(calls=0)
    made.start()
    assert (endpoint.on_message, endpoint.on_timer) == (None, None)
    await made.stop()


async def test_hep_goes_out_with_credentials_masked_and_a_missing_server_is_counted() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        made, endpoint, _bus = tracing(hep=f"127.0.0.1:{server.getsockname()[1]}", hep_id=7, calls=0)
        made.start()
        endpoint.on_message("in", INVITE, FLOW, 1.0)  # type: ignore[misc]
        packet = server.recv(65536)
    assert packet.startswith(b"HEP3")
    assert b"a@x" in packet
    assert b"beef" not in packet
    for _ in range(3):
        endpoint.on_message("out", INVITE, FLOW, 1.0)  # type: ignore[misc]
    assert made.counters["hep_dropped"] >= 1
    assert made.counters["hep_sent"] + made.counters["hep_dropped"] == 4
    await made.stop()


async def test_no_way_to_the_capture_server_is_a_clear_error() -> None:
    made, _endpoint, _bus = tracing(hep="255.255.255.255:9")
    with pytest.raises(ConfigError, match=r"sip\.trace\.hep"):
        made.start()
    await made.stop()


async def test_the_capture_file_rotates(tmp_path: Path) -> None:
    counters: Counter[str] = Counter()
    path = tmp_path / "all.pcap"
    for number in range(5):
        file = PcapFile(path, 100, 3, counters)
        file.put(bytes([number]) * 200)
        await file.close()
    assert names(tmp_path) == ["all.pcap", "all.pcap.1", "all.pcap.2"]
    assert path.read_bytes() == file_header() + b"\x04" * 200
    assert (tmp_path / "all.pcap.2").read_bytes() == file_header() + b"\x02" * 200
    assert counters["pcap_written"] == 5


async def test_a_file_is_appended_to_below_its_limit_and_what_waits_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PCAP_WAITING_BYTES", 1000)
    made, endpoint, _bus = tracing(pcap=str(tmp_path / "all.pcap"))
    made.start()
    for _ in range(20):
        endpoint.on_message("in", INVITE, FLOW, 1.0)  # type: ignore[misc]
    await made.stop()
    written = (tmp_path / "all.pcap").read_bytes()
    assert written.count(b"INVITE sip:a") == made.counters["pcap_written"] > 0
    assert made.counters["pcap_written"] + made.counters["pcap_dropped"] == 20
    assert b"beef" not in written
    assert (tmp_path / "all.pcap").stat().st_mode & 0o777 == 0o600


async def test_a_folder_that_is_missing_costs_records_not_calls(tmp_path: Path) -> None:
    counters: Counter[str] = Counter()
    file = PcapFile(tmp_path / "none" / "all.pcap", 100, 3, counters)
    file.put(b"x")
    await file.close()
    assert counters["pcap_failed"] == 1


def test_each_timer_of_a_session_has_a_meaning() -> None:
    folder = Path(session.__file__).parent
    used = {name for path in folder.glob("*.py") for name in _SET_DUE.findall(path.read_text())}
    assert used
    assert used == {name for name in TIMERS if name.islower()}
