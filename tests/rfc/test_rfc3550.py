"""RFC 3550: the rules of the text and of its appendix A, one by one."""

from __future__ import annotations

import random
import struct

import pytest

from sipcc.rtp import packet, rtcp
from sipcc.rtp.packet import Flaw, Kind, RtpPacket
from sipcc.rtp.rtcp import ReceiverReport, SenderReport, SourceDescription
from sipcc.rtp.sequence import MAX_DROPOUT, MAX_MISORDER, Arrival, SequenceTracker
from sipcc.rtp.stats import ReceiveStats, SendStats, ntp_middle, ntp_of_wall


def test_section_5_1_fixed_header_fields_lie_where_the_figure_has_them() -> None:
    data = bytes.fromhex("80 88 1234 89abcdef 01020304".replace(" ", "")) + b"payload"
    assert packet.parse(data) == RtpPacket(8, 0x1234, 0x89ABCDEF, 0x01020304, True, b"payload")


@pytest.mark.parametrize("count", range(16))
def test_section_5_1_csrc_count(count: int) -> None:
    data = bytes([0x80 | count]) + bytes(11) + bytes(4 * count) + b"x"
    read = packet.parse(data)
    assert isinstance(read, RtpPacket)
    assert read.payload == b"x"
    assert packet.parse(data[: 12 + 4 * count - 1]) is (Flaw.CSRC if count else Flaw.SHORT)


def test_section_5_1_padding_counts_itself() -> None:
    data = b"\xa0" + bytes(11) + b"voice" + b"\x00\x00\x00\x04"
    read = packet.parse(data)
    assert isinstance(read, RtpPacket)
    assert read.payload == b"voice"


def test_section_5_3_1_extension_length_excludes_its_header_and_zero_is_valid() -> None:
    read = packet.parse(b"\x90" + bytes(11) + b"\x10\x00\x00\x00" + b"voice")
    assert isinstance(read, RtpPacket)
    assert read.payload == b"voice"


def test_section_6_1_each_compound_begins_with_a_report_and_names_its_sender() -> None:
    for sender in (None, SenderReport(5, 1, 2, 3, 4)):
        data = rtcp.build_report(5, "switch@example.com", sender=sender)
        first, second = rtcp.parse(data).packets
        assert isinstance(first, ReceiverReport if sender is None else SenderReport)
        assert second == SourceDescription(5, "switch@example.com")
        assert packet.classify(data) is Kind.RTCP


def test_section_6_1_lengths_of_a_compound_add_up() -> None:
    data = rtcp.build_bye(5, "x" * 33, reason="done")
    offset = 0
    while offset < len(data):
        assert data[offset] >> 6 == 2
        offset += 4 + 4 * struct.unpack_from("!H", data, offset + 2)[0]
    assert offset == len(data)


def test_section_6_3_1_interval_is_spread_evenly_over_half_to_one_and_a_half() -> None:
    rng = random.Random(7)
    drawn = [rtcp.report_interval(random=rng.random, we_sent=True, initial=False) for _ in range(5000)]
    compensation = 2.718281828459045 - 1.5
    assert 2.5 / compensation <= min(drawn) < 2.6 / compensation
    assert 7.4 / compensation < max(drawn) < 7.5 / compensation
    assert sum(drawn) / len(drawn) == pytest.approx(5 / compensation, rel=0.02)


def test_section_6_4_1_round_trip_of_figure_2() -> None:
    """The SR left at 0xb705.2000, the report about it came 6.125 s of round trip later."""
    sender, receiver = SendStats(), ReceiveStats()
    receiver.receive(1, 1, 0, 160, now=0.0)
    receiver.receive(1, 2, 160, 160, now=0.02)
    receiver.note_sender_report(1, 0xB7052000, now=10.0)
    block = receiver.report_block(now=15.25)
    assert block is not None
    assert block.delay_since_last_sr == 0x00054000
    sender.receive_report(block, ntp_middle=0xB7108000)
    assert sender.rtt_ms == 6125.0


def test_section_4_ntp_timestamp_of_the_unix_epoch() -> None:
    assert ntp_of_wall(0.0) == 2_208_988_800 << 32
    assert ntp_middle(0xB44D_B705_2000_0000) == 0xB7052000


def test_appendix_a1_a_large_forward_jump_is_believed_only_twice() -> None:
    tracker = SequenceTracker(100)
    for sequence in (100, 101):
        tracker.receive(sequence)
    assert tracker.receive(101 + MAX_DROPOUT - 1) is Arrival.GAP
    at = tracker.highest
    assert tracker.receive((at + MAX_DROPOUT) & 0xFFFF) is Arrival.JUMP
    assert tracker.receive((at + MAX_DROPOUT + 1) & 0xFFFF) is Arrival.RESTARTED


def test_appendix_a1_a_backward_jump_within_misorder_is_late() -> None:
    tracker = SequenceTracker(1000)
    for sequence in (1000, 1001, 1201):
        tracker.receive(sequence)
    assert tracker.receive(1201 - MAX_MISORDER) is Arrival.LATE
    assert tracker.receive(1201 - MAX_MISORDER - 1) is Arrival.JUMP


def test_appendix_a3_fraction_and_cumulative_loss() -> None:
    stats = ReceiveStats()
    for sequence in [*range(1, 101), *range(111, 202)]:  # ten lost of 2..201
        stats.receive(9, sequence, 160 * sequence, 160, now=0.02 * sequence)
    block = stats.report_block(now=5.0)
    assert block is not None
    assert block.cumulative_lost == 10
    assert block.fraction_lost == 10 * 256 // 200
    assert block.highest_sequence == 201


def test_appendix_a3_duplicates_do_not_make_the_fraction_negative() -> None:
    stats = ReceiveStats()
    for sequence in range(1, 51):
        for _ in range(3):
            stats.receive(9, sequence, 160 * sequence, 160, now=0.02 * sequence)
    block = stats.report_block(now=5.0)
    assert block is not None
    assert (block.fraction_lost, block.cumulative_lost) == (0, 0)


def test_appendix_a8_jitter_of_a_path_with_two_delays() -> None:
    """Packets in turn 0 and 10 ms late differ by 80 units each time: the estimate tends to 80."""
    stats = ReceiveStats()
    for index in range(300):
        stats.receive(9, index, 160 * index, 160, now=0.02 * index + (0.010 if index % 2 else 0.0))
    block = stats.report_block(now=9.0)
    assert block is not None
    assert block.jitter in (79, 80)
    assert stats.jitter_ms == pytest.approx(10.0, abs=0.1)


def test_rfc_5761_payload_types_that_look_like_rtcp_are_rtcp() -> None:
    for second in range(256):
        expected = Kind.RTCP if 192 <= second <= 223 else Kind.RTP
        assert packet.classify(bytes([0x80, second]) + bytes(10)) is expected
