from __future__ import annotations

import msgspec
import pytest

from sipcc.rtp import wire
from sipcc.rtp.events import PlayEnded, RecordingEnded
from sipcc.rtp.flow import PlayTone, StreamParams
from sipcc.rtp.journal import (
    COPY_BYTES,
    LineRecord,
    Memory,
    PortBook,
    PortRecord,
    in_order,
    line_at,
    memory_bytes,
)

PARAMS = StreamParams(
    remote_host="127.0.0.1", remote_port=4000, remote_rtcp_port=4001, codec="PCMA", payload_type=8
)
LINE = LineRecord(ssrc=1, sequence=65_500, timestamp=2**32 - 100, due_at=10.0, started=True, packet_ms=20)


def record(port: str = "a", number: int = 20000, *, at: float = 10.0, **changes: object) -> PortRecord:
    values: dict[str, object] = {"cname": "c", "line": LINE, **changes}
    return PortRecord(port=port, number=number, at=at, **values)  # type: ignore[arg-type]


def play(token: int = 1) -> wire.Play:
    return wire.Play("a", (PlayTone((440,), 100),), False, False, token)


def names(book: PortBook, port: str) -> list[str]:
    return [type(command).__name__ for command in book.commands(port)]


@pytest.mark.parametrize(
    ("commands", "left"),
    [
        ([wire.Configure("a", PARAMS)], ["Configure"]),
        ([play(), wire.Configure("a", PARAMS)], ["Configure", "Play"]),
        ([play(), wire.StopPlaying("a")], []),
        ([play(), wire.PausePlaying("a", True)], ["Play", "PausePlaying"]),
        ([play(), wire.PausePlaying("a", True), wire.PausePlaying("a", False)], ["Play"]),
        ([play(), wire.PausePlaying("a", True), play(2)], ["Play"]),
        ([wire.Record("a", "x"), wire.PauseRecording("a", True, False)], ["Record", "PauseRecording"]),
        ([wire.Record("a", "x"), wire.StopRecording("a")], []),
        ([wire.Bridge("a", "b")], ["Bridge"]),
        ([wire.Bridge("b", "a")], []),
        ([wire.Bridge("a", "b"), wire.Unbridge("b")], []),
        ([wire.Bridge("a", "b"), wire.Bridge("b", "c")], []),
        ([wire.Bridge("a", "b"), wire.Echo("a")], ["Echo"]),
        ([wire.Bridge("a", "b"), wire.Close("b")], []),
        ([wire.Tap("a", True), wire.Tap("a", False)], []),
        ([wire.SendDigits("a", "1", 100, 100)], []),
        ([wire.Configure("a", PARAMS), wire.Close("a")], []),
    ],
)
def test_the_verbs_in_force(commands: list[wire.Command], left: list[str]) -> None:
    book = PortBook()
    for command in commands:
        book.note(command)
    assert names(book, "a") == left


def test_what_ended_by_itself_is_not_begun_again() -> None:
    book = PortBook()
    book.note(play(2))
    book.note(wire.Record("a", "x"))
    book.told(PlayEnded("a", 1, "replaced", 10))
    book.told(RecordingEnded("a", "other", 1.0, "stopped"))
    assert names(book, "a") == ["Record", "Play"]
    book.told(PlayEnded("a", 2, "done", 100))
    book.told(RecordingEnded("a", "x", 1.0, "error: No space left on device"))
    assert names(book, "a") == []
    book.told(PlayEnded("unknown", 2, "done", 100))


def test_ports_are_bridged_when_both_stand() -> None:
    one = record("a", commands=(wire.Configure("a", PARAMS), wire.Bridge("a", "b")))
    two = record("b", commands=(wire.Configure("b", PARAMS),))
    order = [(type(command).__name__, command.port) for command in in_order([one, two])]
    assert order == [("Configure", "a"), ("Configure", "b"), ("Bridge", "a")]


@pytest.mark.parametrize("since", [0.0, 0.001, 0.019, 0.020, 0.5, 1.0])
def test_a_number_is_never_used_twice(since: float) -> None:
    """A leg that sends by the clock has sent a packet each 20 ms since its record."""
    line = line_at(record(), 10.0 + since)
    ahead = (line.sequence - LINE.sequence) & 0xFFFF
    sent = int(since / 0.020 + 1e-9)
    assert sent <= ahead <= sent + 2
    assert (line.timestamp - LINE.timestamp) & 0xFFFFFFFF == ahead * 160


def test_a_line_of_another_clock_goes_on_at_its_own_rate() -> None:
    params = msgspec.structs.replace(PARAMS, codec="opus", clock_rate_hz=48_000)
    opus = record(commands=(wire.Configure("a", params),))
    line = line_at(opus, 10.5)
    ahead = (line.sequence - LINE.sequence) & 0xFFFF
    assert (line.timestamp - LINE.timestamp) & 0xFFFFFFFF == ahead * 960
    assert line.due_at - LINE.due_at == pytest.approx(ahead * 0.020)


def test_a_line_that_is_silent_stays() -> None:
    quiet = record(line=msgspec.structs.replace(LINE, packet_ms=0))
    assert line_at(quiet, 12.0) == quiet.line


class TestMemory:
    def test_records_are_read_back(self) -> None:
        memory = Memory(bytearray(memory_bytes(4)))
        assert memory.read(range(4)) == []
        memory.write(1, record())
        memory.write(1, record(at=11.0))
        memory.write(3, record("b", 20006))
        memory.write(9, record("no such place"))
        assert memory.read(range(10)) == [record(at=11.0), record("b", 20006)]
        memory.clear(1)
        assert memory.read(range(4)) == [record("b", 20006)]

    def test_another_process_goes_on_writing(self) -> None:
        buffer = bytearray(memory_bytes(1))
        for at in range(5):
            Memory(buffer).write(0, record(at=float(at)))
            assert Memory(buffer).read([0]) == [record(at=float(at))]

    def test_a_torn_write_leaves_the_record_before(self) -> None:
        buffer = bytearray(memory_bytes(1))
        memory = Memory(buffer)
        memory.write(0, record(at=1.0))
        before = bytes(buffer)
        memory.write(0, record(at=2.0))
        after = bytes(buffer)
        changed = [at for at in range(len(before)) if before[at] != after[at]]
        for end in range(changed[0], changed[-1] + 1):
            torn = bytearray(after[:end] + before[end:])
            assert Memory(torn).read([0]) in ([record(at=1.0)], [record(at=2.0)])

    def test_any_damage_is_no_error(self) -> None:
        buffer = bytearray(memory_bytes(1))
        Memory(buffer).write(0, record())
        for at in range(len(buffer) - 2 * COPY_BYTES, len(buffer) - COPY_BYTES + 400, 7):
            damaged = bytearray(buffer)
            damaged[at] ^= 0xFF
            Memory(damaged).read([0])

    def test_a_record_that_is_too_long_leaves_out_what_plays(self) -> None:
        memory = Memory(bytearray(memory_bytes(1)))
        long = wire.Play("a", (PlayTone((440,), 100),) * 500, False, False, 1)
        memory.write(0, record(commands=(wire.Configure("a", PARAMS), long)))
        [kept] = memory.read([0])
        assert kept.commands == (wire.Configure("a", PARAMS),)

    def test_beat_and_orders(self) -> None:
        memory = Memory(bytearray(memory_bytes(1)))
        memory.beat(12.5)
        memory.orders = (7, 8)
        assert memory.last_beat == 12.5
        assert memory.orders == (7, 8)
