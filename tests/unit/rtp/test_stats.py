from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.rtp.emodel import OF_CODEC, estimate_mos, rate
from sipcc.rtp.flow import CodecName
from sipcc.rtp.stats import (
    Arrived,
    Playout,
    ReceiveStats,
    ReportBlock,
    SendStats,
    ntp_middle,
    ntp_of_wall,
    summarize,
    voip_metrics,
)


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


def test_quality_of_a_burst_trace() -> None:
    """20 s with three bursts: lost to the packet, and rated as the model has it for what the ear does."""
    received, sent = ReceiveStats(), SendStats()
    lost = {*range(200, 206), *range(400, 402), 404, *range(700, 710), 850}
    feed(received, [number for number in range(1000) if number not in lost])
    sent.receive_report(ReportBlock(9, 32, 17, 4000, 80, 0x10000, 0), ntp_middle=0x10000 + 65536 // 5)
    stats = summarize(received, sent, playout=Playout(60.0, 400, 7, plays=True))
    assert stats.lost == len(lost) == 20
    assert stats.burst_packets == pytest.approx((6 + 5 + 10) / 3)
    assert stats.burst_density == pytest.approx(19 / 21)
    assert stats.gap_density == pytest.approx(1 / (999 - 21))
    assert (stats.discarded, stats.concealed_ms, stats.codec) == (7, 400, "PCMU")
    ratio = 20 / 5 * (1 - 20 / 999)
    for delay_ms, mos in ((60, stats.mos), (160, stats.mos_cq)):
        assert mos == pytest.approx(estimate_mos(loss=20 / 999, delay_ms=delay_ms, burst_ratio=ratio))
    assert stats.r_factor == pytest.approx(rate(loss=20 / 999, delay_ms=160, burst_ratio=ratio))
    assert (stats.remote_lost, stats.remote_jitter_ms, stats.remote_lost_fraction) == (17, 10.0, 0.125)


@pytest.mark.parametrize("codec", ["PCMU", "G722", "opus", "G729"])
def test_each_codec_is_rated_by_its_own_figures(codec: CodecName) -> None:
    received = ReceiveStats()
    received.configure(codec, 48000 if codec == "opus" else 8000)
    for number in range(500):
        received.receive(1, number, number * (960 if codec == "opus" else 160), 20, now=0.02 * number)
    stats = summarize(received, SendStats())
    assert stats.codec == codec
    assert stats.jitter_ms == pytest.approx(0.0, abs=1e-6)
    assert stats.mos == pytest.approx(estimate_mos(loss=0, delay_ms=0, codec=OF_CODEC[codec]))


def test_a_change_of_clock_keeps_the_largest_jitter() -> None:
    received = ReceiveStats()
    received.receive(1, 1, 0, 160, now=0.0)
    received.receive(1, 2, 160, 160, now=0.12)
    worst = received.max_jitter_ms
    received.configure("opus", 48000)
    assert (received.jitter_ms, received.max_jitter_ms) == (0.0, worst)


def test_what_an_extended_report_says() -> None:
    received, sent = ReceiveStats(), SendStats()
    assert voip_metrics(received, sent) is None
    feed(received, [number for number in range(400) if number not in {100, 101, 102, 103}])
    sent.rtt_ms = 80.0
    metrics = voip_metrics(received, sent, playout=Playout(40.0, 80, 2, plays=True))
    assert metrics is not None
    assert (metrics.ssrc, metrics.loss_rate, metrics.discard_rate) == (1, 256 * 4 // 399, 256 * 2 // 399)
    assert (metrics.burst_density, metrics.burst_ms, metrics.gap_density) == (255, 80, 0)
    assert (metrics.round_trip_ms, metrics.end_system_ms, metrics.gmin) == (80, 60, 16)
    assert (metrics.buffer_nominal_ms, metrics.buffer_maximum_ms) == (40, 200)
    assert metrics.rx_config >> 6 == 3  # standard concealment
    assert 30 < metrics.mos_cq <= metrics.mos_lq < 45
    relayed = voip_metrics(received, sent)
    assert relayed is not None
    assert (relayed.rx_config, relayed.buffer_maximum_ms, relayed.end_system_ms) == (0, 0, 0)


def test_reports_of_packets_that_do_not_come() -> None:
    received = ReceiveStats()
    now = feed(received, list(range(100)))
    received.note_sender_report(1, 1, now=now, packets=100)
    assert received.unheard_at < 0
    received.note_sender_report(1, 2, now=now + 5, packets=100)  # it is silent
    assert received.unheard_at < 0
    received.note_sender_report(1, 3, now=now + 10, packets=350)
    assert received.unheard_at == now + 10


def test_reports_that_nothing_of_ours_comes() -> None:
    sent = SendStats()
    block = ReportBlock(9, 0, 0, 500, 0, 0, 0)
    sent.receive_report(block, ntp_middle=0, now=1.0)
    sent.receive_report(block, ntp_middle=0, now=6.0)
    assert sent.unheard_since is None  # we sent nothing meanwhile
    sent.packets += 250
    sent.receive_report(block, ntp_middle=0, now=11.0)
    assert sent.unheard_since == 11.0
    sent.packets += 250
    sent.receive_report(block, ntp_middle=0, now=16.0)
    assert sent.unheard_since == 11.0
    sent.receive_report(block._replace(highest_sequence=501), ntp_middle=0, now=21.0)
    assert sent.unheard_since is None
    sent.receive_nothing(now=22.0)
    assert sent.unheard_since is None
    sent.packets += 250
    sent.receive_nothing(now=27.0)
    assert sent.unheard_since == 27.0


_HEADERS = st.tuples(
    st.integers(1, 2),  # a source
    st.sampled_from([1, 1, 1, 1, 1, 2, 5, 0, -1, -3, 300, 4000, -2000]),  # how far its number leaps
    st.sampled_from([160, 160, 160, 0, 320, 90000, -400]),  # and its timestamp
    st.sampled_from([0, 0, 0, 0, 101]),  # payload type
)


@given(st.lists(_HEADERS, max_size=120), st.integers(0, 65535))
def test_packets_counted_together_give_what_they_give_one_by_one(
    steps: list[tuple[int, int, int, int]], sequence: int
) -> None:
    arrivals: list[Arrived] = []
    timestamp = 1000
    for number, (ssrc, leap, moved, kind) in enumerate(steps):
        sequence, timestamp = (sequence + leap) & 0xFFFF, (timestamp + moved) & 0xFFFFFFFF
        marked = kind | 0x80 if number % 7 == 0 else kind
        arrivals.append(((0x80, marked, sequence, timestamp, ssrc), 160, number * 0.0201))
    together, singly = ReceiveStats(), ReceiveStats()
    for start in range(0, len(arrivals), 50):
        together.receive_all(arrivals[start : start + 50], 0)
    for (_, second, number, stamp, ssrc), size, now in arrivals:
        singly.receive(ssrc, number, stamp, size, now=now, sampled=second & 0x7F == 0)
    assert summarize(together, SendStats()) == summarize(singly, SendStats())
    assert together.report_block(now=9.0) == singly.report_block(now=9.0)
