"""RFC 4733: telephone events as the text has them, and the complaints that its readers gave rise to."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import pytest

from sipcc.rtp import packet
from sipcc.rtp.dtmf import DigitReceiver, DigitSender, KeyBegan, KeyEnded
from sipcc.rtp.packet import RtpPacket

EVENTS, AUDIO = 101, 0


@dataclass
class Stream:
    """One outgoing stream as a leg makes it: audio and events share sequence, timestamp line and SSRC."""

    sender: DigitSender
    sequence: int = 65530
    timestamp: int = 2**32 - 800

    def tick(self) -> RtpPacket:
        frame = self.sender.tick(self.timestamp)
        if frame is None:
            data = packet.build(
                bytes(160), payload_type=AUDIO, sequence=self.sequence, timestamp=self.timestamp, ssrc=5
            )
        else:
            data = packet.build(
                frame.payload,
                payload_type=EVENTS,
                sequence=self.sequence,
                timestamp=frame.timestamp,
                ssrc=5,
                marker=frame.marker,
            )
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + 160) & 0xFFFFFFFF
        read = packet.parse(data)
        assert isinstance(read, RtpPacket)
        return read


def make(digits: str, *, ticks: int, duration_ms: int = 100, gap_ms: int = 100) -> list[RtpPacket]:
    stream = Stream(DigitSender())
    before = [stream.tick() for _ in range(3)]
    stream.sender.send(digits, duration_ms=duration_ms, gap_ms=gap_ms)
    return before + [stream.tick() for _ in range(ticks)]


def events_of(packets: list[RtpPacket]) -> list[RtpPacket]:
    return [each for each in packets if each.payload_type == EVENTS]


def test_section_2_3_payload_fields() -> None:
    first = events_of(make("#", ticks=20))[0]
    assert first.payload == struct.pack("!BBH", 11, 10, 160)


def test_section_2_5_1_1_marker_only_on_the_first_packet_of_each_event() -> None:
    found = events_of(make("12", ticks=40))
    assert [each.marker for each in found] == ([True] + [False] * 6) * 2


def test_section_2_5_1_2_start_timestamp_on_all_packets_and_growing_duration() -> None:
    found = events_of(make("1", ticks=20))
    assert len({each.timestamp for each in found}) == 1
    durations = [struct.unpack("!H", each.payload[2:])[0] for each in found]
    assert durations == [160, 320, 480, 640, 800, 800, 800]


def test_section_2_5_1_4_the_end_is_sent_three_times() -> None:
    found = events_of(make("1", ticks=20))
    assert [each.payload[1] >> 7 for each in found] == [0, 0, 0, 0, 1, 1, 1]


def test_section_2_5_1_4_end_copies_are_a_packet_time_apart_and_not_back_to_back() -> None:
    packets = make("1", ticks=20)
    ends = [
        index for index, each in enumerate(packets) if each.payload_type == EVENTS and each.payload[1] & 0x80
    ]
    assert ends == [ends[0], ends[0] + 1, ends[0] + 2]  # one a tick of 20 ms


def test_sequence_numbers_run_on_over_audio_and_events() -> None:
    sequences = [each.sequence for each in make("12", ticks=40)]
    assert sequences == [(65530 + index) & 0xFFFF for index in range(43)]


def test_audio_after_a_digit_goes_on_as_if_time_had_passed() -> None:
    packets = make("12", ticks=40)
    for index, each in enumerate(packets):
        if each.payload_type == AUDIO:
            assert each.timestamp == (2**32 - 800 + 160 * index) & 0xFFFFFFFF


def test_the_next_event_begins_after_the_end_of_the_one_before() -> None:
    found = events_of(make("11", ticks=40, gap_ms=0))
    first, second = sorted({each.timestamp for each in found}, key=lambda stamp: (stamp + 800) % 2**32)
    assert (second - first) & 0xFFFFFFFF >= 800 + 480


@pytest.mark.parametrize("digits", ["0123456789*#ABCD", "1111", "4008123456"])
def test_what_is_sent_is_received(digits: str) -> None:
    receiver = DigitReceiver()
    results = []
    for index, each in enumerate(make(digits, ticks=12 * len(digits))):
        if each.payload_type == EVENTS:
            results += receiver.receive(each.ssrc, each.timestamp, each.payload, now=0.02 * index)
    assert [key.digit for key in results if isinstance(key, KeyBegan)] == list(digits)
    assert [key for key in results if isinstance(key, KeyEnded)] == [KeyEnded(digit, 100) for digit in digits]


@pytest.mark.parametrize("lost", range(7))
def test_any_one_packet_may_be_lost(lost: int) -> None:
    found = events_of(make("7", ticks=20))
    del found[lost]
    receiver = DigitReceiver()
    results = []
    for index, each in enumerate(found):
        results += receiver.receive(each.ssrc, each.timestamp, each.payload, now=0.02 * index)
    assert results == [KeyBegan("7"), KeyEnded("7", 100)]


@pytest.mark.parametrize("kept", range(7))
def test_any_one_packet_is_enough(kept: int) -> None:
    each = events_of(make("7", ticks=20))[kept]
    receiver = DigitReceiver()
    results = receiver.receive(each.ssrc, each.timestamp, each.payload, now=0.0)
    results += receiver.expire(now=1.0)
    assert [type(key) for key in results] == [KeyBegan, KeyEnded]


def test_the_marker_is_never_needed() -> None:
    """Two presses of one key whose packets all lack the marker are two digits."""
    receiver = DigitReceiver()
    results = []
    for index, each in enumerate(events_of(make("77", ticks=40))):
        results += receiver.receive(each.ssrc, each.timestamp, each.payload, now=0.02 * index)
    assert [key.digit for key in results if isinstance(key, KeyEnded)] == ["7", "7"]


def test_section_2_5_1_3_a_long_press_in_segments_is_one_digit() -> None:
    receiver = DigitReceiver()
    results = []
    for segment in range(3):
        for step in range(1, 411):
            duration = min(160 * step, 0xFFFF)
            last = segment == 2 and step == 410
            payload = struct.pack("!BBH", 5, 0x8A if last else 0x0A, duration)
            now = (segment * 0xFFFF + duration) / 8000
            results += receiver.receive(5, segment * 0xFFFF, payload, now=now)
    assert [type(key) for key in results] == [KeyBegan, KeyEnded]
    assert results[1] == KeyEnded("5", round(3 * 0xFFFF / 8))
