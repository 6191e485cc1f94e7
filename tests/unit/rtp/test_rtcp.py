from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.rtp import rtcp
from sipcc.rtp.packet import Flaw
from sipcc.rtp.rtcp import Goodbye, ReceiverReport, ReportTimer, SenderReport, SourceDescription
from sipcc.rtp.stats import ReportBlock

BLOCK = ReportBlock(0xAAAA, 25, -3, 0x10005, 42, 0x11112222, 65536)
SENDER = SenderReport(1, 0x1122334455667788, 160, 100, 16000)


def test_a_sender_report_is_read_back() -> None:
    data = rtcp.build_report(1, "leg@example.com", sender=SENDER, block=BLOCK)
    assert len(data) % 4 == 0
    compound = rtcp.parse(data)
    assert compound.flaw is None
    assert compound.packets == (SENDER._replace(blocks=(BLOCK,)), SourceDescription(1, "leg@example.com"))


@pytest.mark.parametrize("cname", ["", "a", "ab", "abc", "abcd", "号码@example.com", "x" * 255])
def test_a_receiver_report_with_cnames_of_each_length(cname: str) -> None:
    assert rtcp.parse(rtcp.build_report(7, cname)).packets == (ReceiverReport(7), SourceDescription(7, cname))


@pytest.mark.parametrize("reason", ["", "a", "ab", "abc", "call over"])
def test_a_bye_goes_in_a_compound(reason: str) -> None:
    data = rtcp.build_bye(7, "c", reason=reason, block=BLOCK)
    assert rtcp.parse(data).packets == (
        ReceiverReport(7, (BLOCK,)),
        SourceDescription(7, "c"),
        Goodbye((7,), reason),
    )


def test_counters_that_wrapped_are_sent_modulo() -> None:
    data = rtcp.build_report(1, "c", sender=SENDER._replace(packets=2**32 + 1, octets=2**33 + 2))
    report = rtcp.parse(data).packets[0]
    assert isinstance(report, SenderReport)
    assert (report.packets, report.octets) == (1, 2)


@pytest.mark.parametrize("lost", [0, 1, 0x7FFFFF, -1, -0x800000])
def test_cumulative_loss_is_signed_24_bit(lost: int) -> None:
    report = rtcp.parse(rtcp.build_report(1, "c", block=BLOCK._replace(cumulative_lost=lost))).packets[0]
    assert isinstance(report, ReceiverReport)
    assert report.blocks[0].cumulative_lost == lost


RR = struct.pack("!BBHI", 0x80, 201, 1, 9)


@pytest.mark.parametrize(
    ("data", "count", "flaw"),
    [
        (b"", 0, Flaw.SHORT),
        (b"\x80\xc9", 0, Flaw.SHORT),
        (RR[:7], 0, Flaw.SHORT),
        (b"\x40" + RR[1:], 0, Flaw.VERSION),
        (RR + b"\x00\x01\x02\x03", 1, Flaw.VERSION),
        (RR + b"\x81", 1, Flaw.SHORT),
        (RR + b"\x81\xca\xff\xff", 1, Flaw.SHORT),
        (b"\x80\xc9\x00\x00", 0, None),  # an RR of length zero, without an SSRC
        (b"\x80\xc8\x00\x01\x00\x00\x00\x01", 0, None),  # an SR too short for its sender info
        (b"\x80\xc9\x00\x00" * 300, 0, None),
        (RR * 50, 50, None),
        (RR + struct.pack("!BBHI4s", 0x80, 204, 2, 9, b"name") + RR, 2, None),  # APP is stepped over
        (RR + struct.pack("!BBHI", 0x80, 207, 1, 9) + RR, 2, None),  # an XR without metrics as well
        (b"\xa0\xc9\x00\x01\x00\x00\x00\x00", 0, Flaw.PADDING),
        (b"\xa0\xc9\x00\x01\x00\x00\x00\x09", 0, Flaw.PADDING),
        (b"\xa0\xc9\x00\x00", 0, Flaw.PADDING),
        (b"\xa0\xc9\x00\x02\x00\x00\x00\x09\x00\x00\x00\x04", 1, None),
    ],
)
def test_lies_and_lengths(data: bytes, count: int, flaw: Flaw | None) -> None:
    compound = rtcp.parse(data)
    assert (len(compound.packets), compound.flaw) == (count, flaw)


def test_a_count_that_lies_yields_the_blocks_that_are_there() -> None:
    data = bytearray(rtcp.build_report(1, "c", block=BLOCK))
    data[0] = 0x9F  # 31 report blocks
    report = rtcp.parse(data).packets[0]
    assert isinstance(report, ReceiverReport)
    assert report.blocks == (BLOCK,)


def test_extra_reports_of_one_packet_are_all_read() -> None:
    other = BLOCK._replace(ssrc=2)
    one = rtcp.build_report(1, "c", block=BLOCK)[8:32]
    two = rtcp.build_report(1, "c", block=other)[8:32]
    data = struct.pack("!BBHI", 0x82, 201, 13, 1) + one + two
    report = rtcp.parse(data).packets[0]
    assert isinstance(report, ReceiverReport)
    assert report.blocks == (BLOCK, other)


def test_a_bye_with_a_reason_longer_than_itself() -> None:
    assert rtcp.parse(struct.pack("!BBHIB3s", 0x81, 203, 2, 9, 255, b"abc")).packets == (
        Goodbye((9,), "abc"),
    )


def test_a_bye_without_any_ssrc() -> None:
    assert rtcp.parse(b"\x80\xcb\x00\x00").packets == (Goodbye(()),)
    assert rtcp.parse(b"\x9f\xcb\x00\x00").packets == (Goodbye(()),)


def test_sdes_chunks_and_items() -> None:
    # Two chunks: a NAME before the CNAME; a chunk that runs over the end.
    body = struct.pack("!I", 1) + b"\x02\x02Jo\x01\x03a@b\x00\x00\x00" + struct.pack("!I", 2) + b"\x01\xffxy"
    data = struct.pack("!BBH", 0x82, 202, len(body) // 4) + body
    assert rtcp.parse(data).packets == (SourceDescription(1, "a@b"), SourceDescription(2, "xy"))


@given(st.binary(max_size=200), st.integers(0, 255), st.integers(192, 223))
def test_nothing_from_the_network_raises(data: bytes, first: int, kind: int) -> None:
    rtcp.parse(data)
    rtcp.parse(bytes([first | 0x80, kind]) + struct.pack("!H", len(data) // 4) + data)


def interval(random: float, *, initial: bool = False, members: int = 2, senders: int = 2) -> float:
    return rtcp.report_interval(
        random=lambda: random, we_sent=True, initial=initial, members=members, senders=senders
    )


def test_interval_of_a_call_is_half_to_one_and_a_half_of_five_seconds() -> None:
    e = 2.718281828459045
    assert interval(0.0) == pytest.approx(2.5 / (e - 1.5))
    assert interval(1.0) == pytest.approx(7.5 / (e - 1.5))
    assert interval(0.0, initial=True) == pytest.approx(interval(0.0) / 2)


def test_interval_grows_with_the_members() -> None:
    assert interval(0.5, members=1000, senders=1000) > 100
    few = rtcp.report_interval(random=lambda: 0.5, we_sent=False, initial=False, members=1000, senders=2)
    sender = rtcp.report_interval(random=lambda: 0.5, we_sent=True, initial=False, members=1000, senders=2)
    assert few > 100 > sender


def test_timer_spaces_reports_by_the_interval() -> None:
    timer = ReportTimer(random=lambda: 0.5, now=100.0)
    sent, now = [], 100.0
    while len(sent) < 4:
        assert not timer.expire(now=timer.deadline - 0.001, we_sent=True)
        now = timer.deadline
        if timer.expire(now=now, we_sent=True):
            sent.append(now)
            timer.note_size(100)
    step = 5.0 / (2.718281828459045 - 1.5)
    assert sent == pytest.approx([100 + step / 2, *(100 + step / 2 + step * n for n in (1, 2, 3))])


def test_timer_reconsiders() -> None:
    draws = iter([0.0, 1.0, 0.5, 0.5])
    timer = ReportTimer(random=lambda: next(draws), now=0.0)
    first = timer.deadline
    assert not timer.expire(now=first, we_sent=True)  # drew a longer interval this time
    assert timer.deadline > first
    assert timer.expire(now=timer.deadline, we_sent=True)
