from __future__ import annotations

import pytest

from sipcc.rtp.stats import (
    G711_PLAIN,
    Impairment,
    ReceiveStats,
    ReportBlock,
    SendStats,
    estimate_mos,
    ntp_middle,
    ntp_of_wall,
    summarize,
)


@pytest.mark.parametrize(
    ("loss", "delay_ms", "mos"), [(0.0, 20, 4.40), (0.01, 50, 4.30), (0.03, 50, 4.09), (0.05, 100, 3.82)]
)
def test_mos_check_values(loss: float, delay_ms: float, mos: float) -> None:
    assert round(estimate_mos(loss=loss, delay_ms=delay_ms), 2) == mos


@pytest.mark.parametrize(("loss", "delay_ms"), [(1.0, 0), (5.0, 4000), (0.2, 600), (0.9, 300), (1.0, 500)])
def test_mos_never_leaves_its_range(loss: float, delay_ms: float) -> None:
    assert 1.0 <= estimate_mos(loss=loss, delay_ms=delay_ms) < 1.7


def test_a_fraction_outside_0_to_1_is_taken_as_its_end() -> None:
    assert estimate_mos(loss=-1.0, delay_ms=20) == estimate_mos(loss=0.0, delay_ms=20)
    assert estimate_mos(loss=5.0, delay_ms=20) == estimate_mos(loss=1.0, delay_ms=20)


def test_mos_above_r_100_is_the_best_there_is() -> None:
    assert estimate_mos(loss=0.0, delay_ms=0.0, codec=Impairment(-20.0, 4.3)) == 4.5


def test_loss_hurts_more_without_concealment_and_in_bursts() -> None:
    concealed = estimate_mos(loss=0.03, delay_ms=20)
    assert estimate_mos(loss=0.03, delay_ms=20, codec=G711_PLAIN) < concealed - 1.0
    assert estimate_mos(loss=0.03, delay_ms=20, burst_ratio=2.0) < concealed


def feed(stats: ReceiveStats, sequences: list[int], *, ssrc: int = 1, start: float = 0.0) -> float:
    now = start
    for index, sequence in enumerate(sequences):
        now = start + 0.02 * index
        stats.receive(ssrc, sequence, 160 * sequence, 160, now=now)
    return now


def test_before_the_first_packet() -> None:
    stats = summarize(ReceiveStats(), SendStats())
    assert stats.mos is None
    assert (stats.packets_received, stats.lost, stats.jitter_ms, stats.rtt_ms) == (0, 0, 0.0, None)
    assert ReceiveStats().report_block(now=1.0) is None


def test_summary() -> None:
    received, sent = ReceiveStats(), SendStats()
    feed(received, [1, 2, 3, 5, 6, 6])
    sent.send(160)
    sent.send(4)
    stats = summarize(received, sent, foreign_packets=3, malformed_packets=2)
    assert (stats.packets_received, stats.bytes_received, stats.lost) == (6, 960, 1)
    assert (stats.packets_sent, stats.bytes_sent) == (2, 164)
    assert (stats.foreign_packets, stats.malformed_packets, stats.ssrc_changes) == (3, 2, 0)
    assert stats.mos is not None
    assert stats.mos < 4.0


def test_loss_is_summed_over_sources() -> None:
    received = ReceiveStats()
    feed(received, [1, 2, 4])
    feed(received, [900, 901, 903, 905], ssrc=2, start=1.0)
    assert (received.lost, received.ssrc_changes, received.ssrc) == (3, 1, 2)
    assert received.expected == 3 + 5


def test_a_new_source_does_not_inherit_jitter_but_the_maximum_stays() -> None:
    received = ReceiveStats()
    received.receive(1, 1, 0, 160, now=0.0)
    received.receive(1, 2, 160, 160, now=0.12)
    worst = received.jitter_ms
    feed(received, [7, 8, 9], ssrc=2, start=1.0)
    assert worst > 5
    assert received.jitter_ms == pytest.approx(0.0, abs=1e-6)
    assert received.max_jitter_ms == worst


def test_events_count_for_loss_and_not_for_jitter() -> None:
    received = ReceiveStats()
    feed(received, [1, 2, 3])
    for step in range(8):
        received.receive(1, 4 + step, 480, 4, now=0.06 + 0.02 * step, sampled=False)
    received.receive(1, 12, 160 * 12, 160, now=0.22)
    assert received.lost == 0
    assert received.jitter_ms == pytest.approx(0.0, abs=1e-6)


def test_report_block_speaks_of_the_time_since_the_last() -> None:
    received = ReceiveStats()
    feed(received, [65534, 65535, 0, 1, 3])
    received.note_sender_report(1, 0xABCD0000, now=5.0)
    received.note_sender_report(99, 0x11110000, now=5.1)
    block = received.report_block(now=5.5)
    assert block is not None
    assert (block.ssrc, block.cumulative_lost, block.highest_sequence) == (1, 1, 65536 + 3)
    assert block.fraction_lost == 256 // 5
    assert (block.last_sr, block.delay_since_last_sr) == (0xABCD0000, 32768)
    feed(received, [4, 5], start=6.0)
    again = received.report_block(now=7.0)
    assert again is not None
    assert (again.fraction_lost, again.cumulative_lost) == (0, 1)


def test_no_report_about_a_source_on_probation() -> None:
    received = ReceiveStats()
    received.receive(1, 1, 0, 160, now=0.0)
    assert received.report_block(now=1.0) is None


@pytest.mark.parametrize(
    ("last_sr", "delay", "arrival", "rtt_ms"),
    [
        (0xB7052000, 0x00054000, 0xB7108000, 6125.0),  # the figures of RFC 3550 figure 2
        (0, 0, 0xB7108000, None),
        (0xFFFFF000, 0, 0x00001000, 125.0),
        (0xB7108000, 0x00010000, 0xB7108000, None),  # negative: a lie
    ],
)
def test_round_trip(last_sr: int, delay: int, arrival: int, rtt_ms: float | None) -> None:
    sent = SendStats()
    sent.receive_report(ReportBlock(1, 64, 0, 0, 0, last_sr, delay), ntp_middle=arrival)
    assert sent.rtt_ms == rtt_ms
    assert sent.remote_lost_fraction == 0.25


def test_ntp() -> None:
    assert ntp_of_wall(0.5) == (2_208_988_800 << 32) + (1 << 31)
    assert ntp_middle(0x1122334455667788) == 0x33445566
