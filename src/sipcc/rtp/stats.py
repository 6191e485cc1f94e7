"""What one port received and sent: the counters of RFC 3550, bursts of loss, and how it all sounds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sipcc.rtp import xr
from sipcc.rtp.emodel import OF_CODEC, mos_of, rate
from sipcc.rtp.flow import CodecName, RtpStats
from sipcc.rtp.sequence import Arrival, JitterEstimator, SequenceTracker
from sipcc.rtp.xr import BurstMeter, Bursts, VoipMetrics

Arrived = tuple[tuple[int, int, int, int, int], int, float]
"""Header of an accepted packet as it came, bytes of payload, and when it came."""

NTP_UNIX_OFFSET_S = 2_208_988_800
"""Seconds from 1900 (NTP) to 1970 (Unix)."""
_MAX_CUMULATIVE_LOST = 0x7FFFFF  # signed 24 bit
MIN_UNHEARD = 25
"""Packets sent between two reports of the peer that must have moved what it reports: half a second."""


class ReportBlock(NamedTuple):
    """One reception report (RFC 3550 §6.4.1)."""

    ssrc: int
    """Whose packets this is about."""
    fraction_lost: int
    """Of 256, since the last report."""
    cumulative_lost: int
    """Signed, 24 bit."""
    highest_sequence: int
    jitter: int
    """In clock units."""
    last_sr: int
    """Middle 32 bits of the NTP time of the last SR that we had from `ssrc`; 0 for none."""
    delay_since_last_sr: int
    """In 1/65536 s."""


class Playout(NamedTuple):
    """What the ear of a party did with its packets; all zero where packets are only passed on."""

    delay_ms: float = 0.0
    """How long a packet waits in the jitter buffer."""
    concealed_ms: int = 0
    """Audio that was made up for what did not come in time."""
    discarded: int = 0
    """Packets that came and were of no use: too late, or too many."""
    plays: bool = False
    """True while the ear plays at all."""
    maximum_ms: int = 200
    """How far the jitter buffer may grow."""


RELAYED = Playout()


class ReceiveStats:
    """Counts what a port receives, over all SSRCs that came after one another."""

    def __init__(self, *, clock_rate_hz: int = 8000) -> None:
        self.codec: CodecName = "PCMU"
        self.packets = 0
        self.bytes = 0
        self.ssrc: int | None = None
        """The source heard last."""
        self.ssrc_changes = 0
        self.tracker: SequenceTracker | None = None
        self._rate = clock_rate_hz
        self._jitter = JitterEstimator(clock_rate_hz)
        self._highest_jitter_ms = 0.0
        self._expected_before = 0
        self._lost_before = 0
        self._reported = (0, 0)
        self._last_sr = 0
        self._last_sr_at = 0.0
        self._bursts = BurstMeter()
        self._row_before = 0
        self._told: tuple[int, int] | None = None
        self.unheard_at = float("-inf")
        """When the peer last told that it had sent packets of which none had come."""

    def configure(self, codec: CodecName, clock_rate_hz: int) -> None:
        """The audio is coded so from now on."""
        self.codec = codec
        if clock_rate_hz != self._rate:
            self._highest_jitter_ms = self.max_jitter_ms
            self._rate = clock_rate_hz
            self._jitter = JitterEstimator(clock_rate_hz)

    def receive(
        self, ssrc: int, sequence: int, timestamp: int, size: int, *, now: float, sampled: bool = True
    ) -> Arrival:
        """Count one accepted packet with `size` bytes of payload.

        `sampled` is False for telephone events, whose timestamp is that of their start, not of their
        sampling: they count for loss but not for jitter.
        """
        self.packets += 1
        self.bytes += size
        tracker = self.tracker
        if ssrc != self.ssrc or tracker is None:
            tracker = self._change_source(ssrc, sequence)
        if sampled:
            self._jitter.receive(timestamp, now=now)
        highest = tracker.highest
        arrival = tracker.receive(sequence)
        if arrival is not Arrival.IN_ORDER:
            self._note(tracker, arrival, highest, sequence)
        return arrival

    def receive_all(self, arrivals: Iterable[Arrived], audio: int) -> None:
        """Count accepted packets in the order of their coming; those of payload type `audio` are sampled."""
        row: list[tuple[int, float]] = []
        size_of_row = 0
        tracker, source = self.tracker, self.ssrc
        follows = -1 if tracker is None else tracker.next_in_row
        for (_, second, sequence, timestamp, ssrc), size, now in arrivals:
            if sequence == follows and ssrc == source and second & 0x7F == audio:  # nearly always
                row.append((timestamp, now))
                size_of_row += size
                follows += 1
                continue
            self._receive_row(row, size_of_row)
            row, size_of_row = [], 0
            self.receive(ssrc, sequence, timestamp, size, now=now, sampled=second & 0x7F == audio)
            tracker, source = self.tracker, self.ssrc
            follows = -1 if tracker is None else tracker.next_in_row
        self._receive_row(row, size_of_row)

    def _receive_row(self, row: list[tuple[int, float]], size: int) -> None:
        if row and self.tracker is not None:
            self.packets += len(row)
            self.bytes += size
            self.tracker.receive_row(len(row))
            self._jitter.receive_row(row)

    def _note(self, tracker: SequenceTracker, arrival: Arrival, highest: int, sequence: int) -> None:
        """Take down what is missing, or what came after all."""
        row = self._row_before + tracker.extended_highest
        if arrival is Arrival.GAP:
            missing = (sequence - highest - 1) & 0xFFFF
            self._bursts.miss(row - missing, row - 1)
            self._bursts.settle(row - xr.SETTLED)
        elif arrival is Arrival.LATE:
            self._bursts.fill(row - ((tracker.highest - sequence) & 0xFFFF))
        elif arrival is Arrival.RESTARTED:
            self._bursts.restart()
            self._row_before += 1 << 32  # so that no number of the new row meets one of the old

    def _change_source(self, ssrc: int, sequence: int) -> SequenceTracker:
        if self.tracker is not None:
            self.ssrc_changes += 1
            self._expected_before = self.expected
            self._lost_before = self.lost
            self._highest_jitter_ms = self.max_jitter_ms
            self._bursts.restart()
            self._row_before += 1 << 32
        self.ssrc = ssrc
        self.tracker = SequenceTracker(sequence)
        self._jitter = JitterEstimator(self._rate)
        self._reported = (0, 0)
        self._last_sr = 0
        return self.tracker

    @property
    def expected(self) -> int:
        """Packets that were sent to us, as their sequence numbers tell."""
        return self._expected_before + (self.tracker.expected if self.tracker is not None else 0)

    @property
    def lost(self) -> int:
        """Packets that did not come; never negative."""
        return self._lost_before + (self.tracker.lost if self.tracker is not None else 0)

    @property
    def jitter_ms(self) -> float:
        """Jitter of the current source."""
        return self._jitter.value_ms

    @property
    def max_jitter_ms(self) -> float:
        """The largest jitter of any source."""
        return max(self._highest_jitter_ms, self._jitter.highest_ms)

    def bursts(self) -> Bursts:
        """How the losses lie together, but for holes that a late packet might still fill."""
        tracker = self.tracker
        if tracker is not None:
            self._bursts.settle(self._row_before + tracker.extended_highest - xr.SETTLED)
        return self._bursts.figures(self.expected)

    @property
    def loss(self) -> float:
        """Fraction lost since the beginning, 0..1."""
        expected = self.expected
        return self.lost / expected if expected else 0.0

    def rating(self, delay_ms: float, bursts: Bursts) -> float | None:
        """The rating R at a mouth-to-ear delay, or None before the first packet."""
        if not self.packets:
            return None
        return rate(
            loss=self.loss,
            delay_ms=delay_ms,
            codec=OF_CODEC[self.codec],
            burst_ratio=bursts.burst_ratio,
        )

    def note_sender_report(self, ssrc: int, ntp_middle: int, *, now: float, packets: int = 0) -> None:
        """Remember an SR, so that the next report lets its sender compute the round trip.

        `packets` is its count: one that grows from report to report while none of them comes means that
        the way to us is cut.
        """
        if ssrc == self.ssrc:
            self._last_sr = ntp_middle
            self._last_sr_at = now
        if self._told is not None and packets > self._told[0] and self.packets == self._told[1]:
            self.unheard_at = now
        self._told = (packets, self.packets)

    def report_block(self, *, now: float) -> ReportBlock | None:
        """The report about the current source since the last call (A.3); None without a valid source."""
        tracker = self.tracker
        if tracker is None or self.ssrc is None or not tracker.valid:
            return None
        expected, lost = tracker.expected, tracker.lost
        new_expected, new_lost = expected - self._reported[0], lost - self._reported[1]
        self._reported = (expected, lost)
        fraction = min(new_lost * 256 // new_expected, 255) if new_expected > 0 and new_lost > 0 else 0
        delay = round((now - self._last_sr_at) * 65536) if self._last_sr else 0
        return ReportBlock(
            ssrc=self.ssrc,
            fraction_lost=fraction,
            cumulative_lost=min(lost, _MAX_CUMULATIVE_LOST),
            highest_sequence=tracker.extended_highest & 0xFFFFFFFF,
            jitter=int(self._jitter.value),
            last_sr=self._last_sr,
            delay_since_last_sr=min(max(delay, 0), 0xFFFFFFFF),
        )


class SendStats:
    """Counts what a port sends, and what the peer reports about it."""

    def __init__(self) -> None:
        self.packets = 0
        self.bytes = 0
        self.rtt_ms: float | None = None
        self.remote_lost_fraction: float | None = None
        self.remote_lost: int | None = None
        """Packets of ours that the peer has missed since the beginning, as it says."""
        self.remote_jitter: int | None = None
        """In clock units of our stream."""
        self.remote: VoipMetrics | None = None
        """What the peer last told by XR of what it hears."""
        self.unheard_since: float | None = None
        """Since when the peer's reports say that nothing of ours comes any more; None while it does."""
        self._told: tuple[int, int] | None = None

    def send(self, size: int) -> None:
        """Count one packet with `size` bytes of payload."""
        self.packets += 1
        self.bytes += size

    def receive_report(self, block: ReportBlock, *, ntp_middle: int, now: float = 0.0) -> None:
        """Take a report about our stream; `ntp_middle` is the NTP time of its arrival (§6.4.1).

        A round trip that comes out negative, or longer than a minute, is a lie or a clock that was set,
        and is not believed.
        """
        self.remote_lost_fraction = block.fraction_lost / 256
        self.remote_lost = block.cumulative_lost
        self.remote_jitter = block.jitter
        self._note_highest(block.highest_sequence, now)
        if block.last_sr:
            units = (ntp_middle - block.last_sr - block.delay_since_last_sr) & 0xFFFFFFFF
            if units < 60 * 65536:
                self.rtt_ms = units * 1000 / 65536

    def receive_nothing(self, *, now: float) -> None:
        """Take an RR without any block: its sender hears nobody."""
        self._note_highest(-1, now)

    def _note_highest(self, highest: int, now: float) -> None:
        """See whether anything of ours arrived there since the last report."""
        before, self._told = self._told, (highest, self.packets)
        if before is None:
            return
        if highest != before[0]:
            self.unheard_since = None
        elif self.packets - before[1] >= MIN_UNHEARD and self.unheard_since is None:
            self.unheard_since = now


def ntp_of_wall(wall: float) -> int:
    """The 64-bit NTP timestamp of a Unix time in seconds (§4)."""
    return int((wall + NTP_UNIX_OFFSET_S) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


def ntp_middle(ntp: int) -> int:
    """The middle 32 bits of a 64-bit NTP timestamp, as LSR carries them."""
    return ntp >> 16 & 0xFFFFFFFF


def summarize(
    received: ReceiveStats,
    sent: SendStats,
    *,
    foreign_packets: int = 0,
    malformed_packets: int = 0,
    srtp_rejected: int = 0,
    playout: Playout = RELAYED,
    send_rate_hz: int = 8000,
    alarms: tuple[str, ...] = (),
) -> RtpStats:
    """The statistics of a port as the rest of the program sees them."""
    delay_ms = playout.delay_ms or received.jitter_ms
    bursts = received.bursts()
    listening = received.rating(delay_ms, bursts)
    conversing = received.rating(delay_ms + (sent.rtt_ms or 0.0) / 2, bursts) if sent.rtt_ms else listening
    remote = sent.remote
    return RtpStats(
        packets_sent=sent.packets,
        packets_received=received.packets,
        bytes_sent=sent.bytes,
        bytes_received=received.bytes,
        lost=received.lost,
        jitter_ms=received.jitter_ms,
        max_jitter_ms=received.max_jitter_ms,
        rtt_ms=sent.rtt_ms,
        remote_lost_fraction=sent.remote_lost_fraction,
        remote_lost=sent.remote_lost,
        remote_jitter_ms=None if sent.remote_jitter is None else sent.remote_jitter * 1000 / send_rate_hz,
        remote_mos=None if remote is None else xr.mos_of(remote.mos_lq),
        remote_mos_cq=None if remote is None else xr.mos_of(remote.mos_cq),
        mos=None if listening is None else mos_of(listening),
        mos_cq=None if conversing is None else mos_of(conversing),
        r_factor=conversing,
        codec=received.codec if received.packets else None,
        burst_density=bursts.burst_density,
        gap_density=bursts.gap_density,
        burst_packets=bursts.burst_packets,
        gap_packets=bursts.gap_packets,
        discarded=playout.discarded,
        concealed_ms=playout.concealed_ms,
        foreign_packets=foreign_packets,
        malformed_packets=malformed_packets,
        srtp_rejected=srtp_rejected,
        ssrc_changes=received.ssrc_changes,
        alarms=alarms,
    )


def voip_metrics(
    received: ReceiveStats, sent: SendStats, *, playout: Playout = RELAYED, ptime_ms: int = 20
) -> VoipMetrics | None:
    """What an extended report says of the current source (RFC 3611 §4.7); None without a valid one."""
    tracker = received.tracker
    if tracker is None or received.ssrc is None or not tracker.valid:
        return None
    delay_ms = playout.delay_ms or received.jitter_ms
    bursts = received.bursts()
    listening = received.rating(delay_ms, bursts)
    conversing = received.rating(delay_ms + (sent.rtt_ms or 0.0) / 2, bursts) if sent.rtt_ms else listening
    expected = received.expected
    return VoipMetrics(
        received.ssrc,
        loss_rate=xr.of_256(received.loss),
        discard_rate=xr.of_256(playout.discarded / expected if expected else 0.0),
        burst_density=xr.of_256(bursts.burst_density),
        gap_density=xr.of_256(bursts.gap_density),
        burst_ms=xr.of_ms(bursts.burst_packets * ptime_ms),
        gap_ms=xr.of_ms(bursts.gap_packets * ptime_ms),
        round_trip_ms=xr.of_ms(sent.rtt_ms or 0.0),
        end_system_ms=xr.of_ms(playout.delay_ms + ptime_ms if playout.plays else 0.0),
        r_factor=xr.UNKNOWN if conversing is None else round(conversing),
        mos_lq=xr.of_mos(None if listening is None else mos_of(listening)),
        mos_cq=xr.of_mos(None if conversing is None else mos_of(conversing)),
        rx_config=xr.RX_CONCEALED_ADAPTIVE if playout.plays else xr.RX_RELAYED,
        buffer_nominal_ms=xr.of_ms(playout.delay_ms),
        buffer_maximum_ms=playout.maximum_ms if playout.plays else 0,
        buffer_absolute_ms=playout.maximum_ms if playout.plays else 0,
    )
