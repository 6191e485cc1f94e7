"""The RTCP of one port: when to report, what, to whom; and what the peer's reports tell."""

from __future__ import annotations

from collections.abc import Callable

from sipcc.rtp import rtcp
from sipcc.rtp.latch import Address
from sipcc.rtp.line import OutgoingLine
from sipcc.rtp.stats import (
    RELAYED,
    Playout,
    ReceiveStats,
    SendStats,
    ntp_middle,
    ntp_of_wall,
    voip_metrics,
)
from sipcc.rtp.xr import VoipMetrics


class Reports:
    """Sends SR or RR with CNAME at random intervals around 5 s, and reads the peer's (RFC 3550 §6)."""

    def __init__(
        self,
        line: OutgoingLine,
        sent: SendStats,
        received: ReceiveStats,
        *,
        cname: str,
        random: Callable[[], float],
        wall_of: Callable[[float], float],
        send: Callable[[bytes, Address], None],
        now: float,
        extended: bool = True,
    ) -> None:
        """`send` puts a compound on its way, in whatever wrapping the leg has; `extended` adds XR to it."""
        self._line = line
        self._sent = sent
        self._received = received
        self._cname = cname
        self._wall_of = wall_of
        self._send = send
        self._timer = rtcp.ReportTimer(random=random, now=now)
        self._extended = extended
        self._reported_packets = 0
        self.playout: Callable[[], Playout] = lambda: RELAYED
        """What the ear of this party does, for the extended reports."""
        self.ptime_ms = 20
        self.target: Address | None = None
        """Where reports go; None sends none."""
        self.malformed = 0
        self.goodbyes = 0
        """BYEs of the peer. They end nothing: signalling does."""

    @property
    def deadline(self) -> float:
        """When the next report may be due."""
        return self._timer.deadline

    def expire(self, *, now: float) -> None:
        """Send a report if one is due."""
        we_sent = self._sent.packets != self._reported_packets
        if not self._timer.expire(now=now, we_sent=we_sent) or self.target is None:
            return
        data = rtcp.build_report(
            self._line.ssrc,
            self._cname,
            sender=self._sender(now),
            block=self._received.report_block(now=now),
            metrics=self._metrics(),
        )
        self._reported_packets = self._sent.packets
        self._timer.note_size(len(data))
        self._send(data, self.target)

    def say_goodbye(self, *, now: float) -> None:
        """Send the last report, with a BYE: none when nothing was ever sent (§6.3.7)."""
        if self.target is None or not self._sent.packets:
            return
        sender, block = self._sender(now), self._received.report_block(now=now)
        data = rtcp.build_bye(
            self._line.ssrc, self._cname, sender=sender, block=block, metrics=self._metrics()
        )
        self._send(data, self.target)

    def _metrics(self) -> VoipMetrics | None:
        if not self._extended:
            return None
        return voip_metrics(self._received, self._sent, playout=self.playout(), ptime_ms=self.ptime_ms)

    def receive(self, data: bytes, *, now: float) -> bool:
        """Take a datagram of the peer; False when it holds no RTCP. The arrivals so far must be counted."""
        compound = rtcp.parse(data)
        if compound.flaw is not None:
            self.malformed += 1
        ntp_now = ntp_middle(ntp_of_wall(self._wall_of(now)))
        for packet in compound.packets:
            if isinstance(packet, rtcp.Goodbye):
                self.goodbyes += 1
            elif isinstance(packet, rtcp.SenderReport | rtcp.ReceiverReport):
                self._take_report(packet, ntp_now, now)
            elif isinstance(packet, rtcp.ExtendedReport):
                for metrics in packet.metrics:
                    if metrics.ssrc == self._line.ssrc:
                        self._sent.remote = metrics
        if compound.packets:
            self._timer.note_size(len(data))
        return bool(compound.packets)

    def _take_report(self, report: rtcp.SenderReport | rtcp.ReceiverReport, ntp_now: int, now: float) -> None:
        if isinstance(report, rtcp.SenderReport):
            self._received.note_sender_report(
                report.ssrc, ntp_middle(report.ntp), now=now, packets=report.packets
            )
        elif not report.blocks:
            self._sent.receive_nothing(now=now)
        for block in report.blocks:
            if block.ssrc == self._line.ssrc:
                self._sent.receive_report(block, ntp_middle=ntp_now, now=now)

    def _sender(self, now: float) -> rtcp.SenderReport | None:
        """The sender's part, when we sent since the last report."""
        if self._sent.packets == self._reported_packets:
            return None
        return rtcp.SenderReport(
            ssrc=self._line.ssrc,
            ntp=ntp_of_wall(self._wall_of(now)),
            rtp_timestamp=self._line.timestamp_at(now),
            packets=self._sent.packets,
            octets=self._sent.bytes,
        )
