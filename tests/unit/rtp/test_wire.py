from __future__ import annotations

import pytest

from sipcc.rtp import wire
from sipcc.rtp.events import AudioTapped, DigitBegan, PlayCleared, PlayMarked, WorkerLost
from sipcc.rtp.flow import PlayFile, PlayTone, RtpStats, StreamParams
from sipcc.rtp.pool import split_ports
from sipcc.rtp.settings import MediaSettings

PARAMS = StreamParams(
    remote_host="127.0.0.1", remote_port=4000, remote_rtcp_port=4001, codec="PCMA", payload_type=8
)
COMMANDS = [
    wire.Open("a"),
    wire.Configure("a", PARAMS),
    wire.Play("a", (PlayFile("x.wav"), PlayTone((440.0,), 100)), True, False, 7),
    wire.StopPlaying("a"),
    wire.MarkPlaying("a", 7, "m"),
    wire.ClearPlaying("a", 7),
    wire.Tap("a", True, True),
    wire.Bridge("a", "b"),
    wire.Unbridge("a"),
    wire.Echo("a"),
    wire.Record("a", "x.wav"),
    wire.StopRecording("a"),
    wire.SendDigits("a", "1", 100, 100),
    wire.Close("a"),
    wire.Quit(),
]
EVENTS = [
    wire.Opened("a", "127.0.0.1", 4000),
    wire.OpenFailed("a", "none"),
    wire.Closed("a", RtpStats()),
    wire.StatsNow({"a": RtpStats(lost=1)}),
    DigitBegan("a", "1"),
    WorkerLost("a"),
    PlayMarked("a", 7, "m", True, 20),
    PlayCleared("a", 7, 20, 40),
    AudioTapped("a", b"1", b"2", "PCMU"),
]


@pytest.mark.parametrize(("kind", "messages"), [(wire.ToWorker, COMMANDS), (wire.FromWorker, EVENTS)])
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_messages_survive_any_cut(kind: object, messages: list[object], step: int) -> None:
    stream = b"".join(wire.frame(message) for message in messages)
    framing = wire.Framing(kind)
    got = [
        message
        for start in range(0, len(stream), step)
        for message in framing.receive(stream[start : start + step])
    ]
    assert got == messages


def framed(body: bytes) -> bytes:
    """Any bytes behind the head of a message of ours."""
    head = wire.frame(None)[: wire.HEAD.size]
    size, masked = wire.HEAD.unpack(head)
    return wire.HEAD.pack(len(body), masked ^ size ^ len(body)) + body


NONSENSE = [b"\xff" * 8, bytes(8), b"\x00\x00\x00\x01\xc1\xc1\xc1\xc1", framed(b"\xc1"), framed(b"\x80")]


@pytest.mark.parametrize("data", NONSENSE)
def test_nonsense_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        wire.Framing(wire.ToWorker).receive(data)


def test_split_ports() -> None:
    assert split_ports((20000, 29999), 2) == [(20000, 24999), (25000, 29999)]
    assert split_ports((20001, 20008), 3) == [(20002, 20003), (20004, 20005), (20006, 20007)]
    with pytest.raises(ValueError, match="too few"):
        split_ports((20000, 20003), 3)


@pytest.mark.parametrize(
    "wrong", [{"clock_ms": 3}, {"ports": (20001, 20001)}, {"codecs": ()}], ids=["clock", "ports", "codecs"]
)
def test_settings_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        MediaSettings(**wrong)  # type: ignore[arg-type]


def test_public_host() -> None:
    assert MediaSettings().public_host == "127.0.0.1"
    assert MediaSettings(advertise="192.0.2.1").public_host == "192.0.2.1"
