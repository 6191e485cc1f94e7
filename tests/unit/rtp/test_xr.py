from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.rtp import rtcp, xr
from sipcc.rtp.stats import ReceiveStats
from sipcc.rtp.xr import GMIN, BurstMeter, VoipMetrics

FULL = VoipMetrics(
    0x11223344, 12, 3, 85, 9, 120, 2600, 55, 63, 0xEC, 0xC4, 40, 16, 82, 127, 41, 39, 0xF5, 40, 80, 200
)


def test_a_block_is_read_back() -> None:
    data = xr.build(7, FULL)
    assert len(data) == 8 + 36
    assert data[:4] == b"\x80\xcf\x00\x0a"  # 11 words, less one
    assert data[8:12] == b"\x07\x00\x00\x08"
    compound = rtcp.parse(data)
    assert compound.packets == (rtcp.ExtendedReport(7, (FULL,)),)


def test_the_words_of_a_block() -> None:
    """Field by field against the drawing of RFC 3611 §4.7."""
    words = struct.unpack("!9I", xr.build(7, FULL)[8:])
    assert words == (
        0x07000008,
        0x11223344,
        0x0C035509,
        120 << 16 | 2600,
        55 << 16 | 63,
        0xECC42810,
        82 << 24 | 127 << 16 | 41 << 8 | 39,
        0xF5 << 24 | 40,
        80 << 16 | 200,
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x07",
        b"\x07\x00\x00\x08",
        b"\x07\x00\x00\x07" + bytes(28),
        b"\x07\x00\xff\xff" + bytes(32),
        b"\x04\x00\x00\x02" + bytes(8),
        b"\x00\x00\x00\x00" * 200,
    ],
)
def test_other_blocks_and_lies_are_passed_over(body: bytes) -> None:
    assert xr.parse_blocks(body) == ()


def test_a_block_behind_others_is_found() -> None:
    block = xr.build(7, FULL)[8:]
    other = b"\x04\x00\x00\x02" + bytes(8)
    assert xr.parse_blocks(other + block + other + block[:20]) == (FULL,)


@given(st.binary(max_size=200))
def test_nothing_raises(body: bytes) -> None:
    xr.parse_blocks(body)


def measure(pattern: str) -> tuple[ReceiveStats, xr.Bursts]:
    """Play a pattern of received (1) and missing (0) packets; 64 more that came settle it."""
    stats = ReceiveStats()
    start = 65_500  # so that longer patterns wrap
    now = 0.0
    for index, came in enumerate("11" + pattern):
        if came == "1":
            sequence = (start + index) & 0xFFFF
            stats.receive(1, sequence, 160 * index, 160, now=now + 0.02 * index)
    return stats, stats.bursts()


def test_the_example_of_the_standard() -> None:
    """RFC 3611 §4.7.2: 64 packets, one burst of 12 with 4 lost, two gaps with 2 lost; Gmin is 16."""
    pattern = "11110111111111111111111011101011110111111111111111111011111111111"[:64]
    meter = BurstMeter()
    for index, came in enumerate(pattern):
        if came == "0":
            meter.miss(index, index)
    meter.settle(64)
    bursts = meter.figures(64)
    assert bursts.burst_packets == 12
    assert bursts.burst_density == pytest.approx(4 / 12)
    assert bursts.gap_packets == pytest.approx((23 + 29) / 2)
    assert bursts.gap_density == pytest.approx(2 / 52)


@pytest.mark.parametrize(
    ("pattern", "bursts", "burst_packets", "density"),
    [
        ("1" * 400, 0, 0, 0),
        ("1" * 50 + "0" + "1" * 300, 0, 0, 0),
        ("1" * 50 + "00" + "1" * 300, 1, 2, 1.0),
        ("1" * 50 + "0" + "1" * (GMIN - 1) + "0" + "1" * 300, 1, GMIN + 1, 2 / (GMIN + 1)),
        ("1" * 50 + "0" + "1" * GMIN + "0" + "1" * 300, 0, 0, 0),
        ("1" * 50 + "0000" + "1" * 50 + "01010" + "1" * 300, 2, 4.5, 7 / 9),
    ],
)
def test_bursts_in_arrivals(pattern: str, bursts: int, burst_packets: float, density: float) -> None:
    stats, found = measure(pattern)
    assert stats.lost == pattern.count("0")
    assert found.burst_packets == pytest.approx(burst_packets)
    assert found.burst_density == pytest.approx(density)
    expected = len(pattern) + 1
    gap = (expected - burst_packets * bursts) / (bursts + 1)
    assert found.gap_packets == pytest.approx(gap)


def test_a_late_packet_is_no_loss() -> None:
    stats = ReceiveStats()
    order = [*range(1, 30), 31, 33, 30, 32, *range(34, 300)]
    for index, sequence in enumerate(order):
        stats.receive(1, sequence, 160 * sequence, 160, now=0.02 * index)
    assert stats.lost == 0
    assert stats.bursts() == xr.Bursts(gap_packets=stats.expected)


def test_random_loss_has_a_ratio_of_one_and_runs_have_more() -> None:
    _, alone = measure(("1" * 19 + "0") * 100 + "1" * 200)
    assert alone.burst_ratio == pytest.approx(1.0, abs=0.06)
    _, runs = measure(("1" * 190 + "0" * 10) * 10 + "1" * 200)
    assert runs.burst_ratio > 5


def test_a_new_source_begins_a_new_row() -> None:
    stats = ReceiveStats()
    for ssrc, sequences in ((1, [1, 2, 3, 5, 7, 8]), (2, [1000, 1001, 1003, 1005, *range(1006, 1050)])):
        for sequence in sequences:
            stats.receive(ssrc, sequence, 160 * sequence, 160, now=0.02 * sequence)
    assert stats.lost == 4
    assert stats.bursts().burst_packets == 3
    assert stats.bursts().burst_density == pytest.approx(2 / 3)


def test_holes_without_end_take_no_memory() -> None:
    meter = BurstMeter()
    for index in range(10_000):
        meter.miss(2 * index, 2 * index)
    assert len(meter._holes) <= xr.MAX_HOLES


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60))
def test_against_a_plain_count(runs: list[int]) -> None:
    """Any row of losses with runs of received packets between them, sorted by the definition itself."""
    pattern = "".join("1" * run + "0" for run in runs) + "1" * 200
    _, found = measure("1" * GMIN + pattern)
    clusters: list[list[int]] = []
    position = -1
    for run in runs:
        position += run + 1
        if clusters and run < GMIN:
            clusters[-1].append(position)
        else:
            clusters.append([position])
    real = [cluster for cluster in clusters if len(cluster) > 1]
    packets = sum(cluster[-1] - cluster[0] + 1 for cluster in real)
    lost = sum(len(cluster) for cluster in real)
    assert found.burst_density == pytest.approx(lost / packets if packets else 0.0)
    assert found.burst_packets == pytest.approx(packets / len(real) if real else 0.0)


@pytest.mark.parametrize(
    ("mos", "wire"), [(None, 127), (0.0, 10), (1.0, 10), (4.404, 44), (4.5, 45), (9.0, 50)]
)
def test_mos_on_the_wire(mos: float | None, wire: int) -> None:
    assert xr.of_mos(mos) == wire


@pytest.mark.parametrize(("wire", "mos"), [(127, None), (0, None), (9, None), (51, None), (44, 4.4)])
def test_mos_from_the_wire(wire: int, mos: float | None) -> None:
    assert xr.mos_of(wire) == mos


def test_fractions_and_times_are_capped() -> None:
    assert [xr.of_256(x) for x in (0.0, 0.5, 1.0, 2.0)] == [0, 128, 255, 255]
    assert [xr.of_ms(x) for x in (-1.0, 1.5, 1e9)] == [0, 2, 0xFFFF]
