"""What one port received and sent, from RFC 3550 counters to a MOS (ITU-T G.107 in short form)."""

from __future__ import annotations

from typing import NamedTuple

from sipcc.rtp.flow import RtpStats
from sipcc.rtp.sequence import Arrival, JitterEstimator, SequenceTracker

NTP_UNIX_OFFSET_S = 2_208_988_800
"""Seconds from 1900 (NTP) to 1970 (Unix)."""
_MAX_CUMULATIVE_LOST = 0x7FFFFF  # signed 24 bit


class Impairment(NamedTuple):
    """How a codec takes loss (ITU-T G.113 App. I)."""

    ie: float
    """Impairment without any loss."""
    bpl: float
    """Robustness against loss: the larger, the less each lost packet hurts."""


G711_PLAIN = Impairment(0.0, 4.3)
G711_CONCEALED = Impairment(0.0, 25.1)
"""G.711 into an ear with packet loss concealment, which every softphone has."""


def estimate_mos(
    *, loss: float, delay_ms: float, codec: Impairment = G711_CONCEALED, burst_ratio: float = 1.0
) -> float:
    """Mean opinion score 1.0..4.5 from the E-model (ITU-T G.107, G.113).

    `loss` is the fraction lost, 0..1; `delay_ms` the mouth-to-ear delay: jitter alone for listening quality
    (MOS-LQ), with half the round trip added for conversational quality (MOS-CQ).
    """
    ppl = min(max(loss, 0.0), 1.0) * 100.0
    delay_impairment = 0.024 * delay_ms + (0.11 * (delay_ms - 177.3) if delay_ms > 177.3 else 0.0)
    loss_impairment = codec.ie + (95.0 - codec.ie) * ppl / (ppl / burst_ratio + codec.bpl)
    r = 93.2 - delay_impairment - loss_impairment
    if r <= 0.0:
        return 1.0
    if r >= 100.0:
        return 4.5
    return max(1.0, 1.0 + 0.035 * r + 7e-6 * r * (r - 60.0) * (100.0 - r))


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


class ReceiveStats:
    """Counts what a port receives, over all SSRCs that came after one another."""

    def __init__(self, *, clock_rate_hz: int = 8000) -> None:
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
        return tracker.receive(sequence)

    def _change_source(self, ssrc: int, sequence: int) -> SequenceTracker:
        if self.tracker is not None:
            self.ssrc_changes += 1
            self._expected_before = self.expected
            self._lost_before = self.lost
            self._highest_jitter_ms = self.max_jitter_ms
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

    @property
    def mos(self) -> float | None:
        """MOS-LQ, or None before the first packet."""
        if not self.packets:
            return None
        expected = self.expected
        return estimate_mos(loss=self.lost / expected if expected else 0.0, delay_ms=self.jitter_ms)

    def note_sender_report(self, ssrc: int, ntp_middle: int, *, now: float) -> None:
        """Remember an SR, so that the next report lets its sender compute the round trip."""
        if ssrc == self.ssrc:
            self._last_sr = ntp_middle
            self._last_sr_at = now

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

    def send(self, size: int) -> None:
        """Count one packet with `size` bytes of payload."""
        self.packets += 1
        self.bytes += size

    def receive_report(self, block: ReportBlock, *, ntp_middle: int) -> None:
        """Take a report about our stream; `ntp_middle` is the NTP time of its arrival (§6.4.1).

        A round trip that comes out negative, or longer than a minute, is a lie or a clock that was set,
        and is not believed.
        """
        self.remote_lost_fraction = block.fraction_lost / 256
        if block.last_sr:
            units = (ntp_middle - block.last_sr - block.delay_since_last_sr) & 0xFFFFFFFF
            if units < 60 * 65536:
                self.rtt_ms = units * 1000 / 65536


def ntp_of_wall(wall: float) -> int:
    """The 64-bit NTP timestamp of a Unix time in seconds (§4)."""
    return int((wall + NTP_UNIX_OFFSET_S) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


def ntp_middle(ntp: int) -> int:
    """The middle 32 bits of a 64-bit NTP timestamp, as LSR carries them."""
    return ntp >> 16 & 0xFFFFFFFF


def summarize(
    received: ReceiveStats, sent: SendStats, *, foreign_packets: int = 0, malformed_packets: int = 0
) -> RtpStats:
    """The statistics of a port as the rest of the program sees them."""
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
        mos=received.mos,
        foreign_packets=foreign_packets,
        malformed_packets=malformed_packets,
        ssrc_changes=received.ssrc_changes,
    )
