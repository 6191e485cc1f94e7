"""The adaptive jitter buffer: when a packet is played, what is lost, and how long the wait must be.

All packets of a leg lie on one line of media time, in units of the RTP clock, which never breaks: wraps,
jumps of the timestamp, new sources and restarted sequences only change how a timestamp maps onto it. The
20 ms clock takes the line at the pace of the wall, so what was lost or never sent takes its time as well.

The `offset` of the line is the longest transit (`sipcc.rtp.transit`) that still comes in time. Once a second
it is compared with what is needed; a packet that comes late moves it at once. What is more than a frame too
long is cut, one frame a second, and drift between the two clocks is no different from that: the transits
move, so a frame is cut or repeated in time (`want`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from sipcc.rtp.frame import FRAME_S
from sipcc.rtp.sequence import MAX_MISORDER, sequence_delta, timestamp_delta
from sipcc.rtp.transit import MARGIN_S, Transits

START_S = 0.024
"""How long the first packet waits for the second: one frame, and a little."""
SLACK_S = FRAME_S + 0.002
"""A frame is cut when so much delay is not needed."""
MAX_DELAY_S = 0.200
LIES_TO_SEE = 5
"""So many packets in a row whose timestamps are off by one and the same are of a clock of another rate."""
MAX_AHEAD_S = 0.300
"""More than this is never queued; of what is beyond, the old is dropped."""
MAX_PACKET_S = 0.060
MIN_PACKET_S = 0.0025
MAX_PACKETS = 128
TOO_SOON_S = 0.030
"""A packet that says it comes after a pause, but came so much sooner than others, lies about the pause."""
SKIPPED_S = 0.035
"""A clock that takes no frame for so long has left some out."""
ADAPT_TAKES = 50
EXPIRED_TO_RESTART = 20
"""So many packets that come too late, counting upward, are a sender that began anew (facts: livekit)."""
LEAPS_TO_RESTART = 2
"""The same for packets that fit neither the sequence nor the time line of the source (RFC 3550 A.1)."""

_MASK = 0xFFFFFFFF
_UNKNOWN = -1
_SKIPS = 64

Header = tuple[int, int, int, bool]
"""SSRC, sequence number, timestamp, marker."""
Packet = tuple[int, int, int, bytes]
"""Place on the line, length (0: comfort noise), sequence number, payload."""


class Piece(NamedTuple):
    """What comes next on the line: a packet, or a stretch without one."""

    kind: Literal["audio", "noise", "lost", "silent"]
    """``lost`` is for concealment; in a ``silent`` stretch the sender had nothing to say."""
    units: int
    """Length; 0 for noise, which lasts until audio comes."""
    payload: bytes = b""
    """Of the packet; of a lost stretch that of the packet right after it, if it is there."""
    skip: int = 0
    """Units at the beginning of the packet whose time is already taken."""


class JitterBuffer:
    """Packets of one leg in order of their time; `whole` and `advance` take them off."""

    __slots__ = (
        "_arrivals", "_at", "_countdown", "_end", "_expired", "_expired_next", "_frame", "_gaps",
        "_largest", "_law", "_least", "_lies", "_measure", "_missing", "_moved", "_next_sequence",
        "_next_timestamp", "_packets", "_played", "_quiet", "_rate", "_room", "_second", "_skips", "_ssrc",
        "_taken_at", "_transits", "_usual", "discarded", "held", "late", "plays", "resyncs", "want",
        "wanted_at",
    )  # fmt: skip

    def __init__(self) -> None:
        self.late = 0
        """Packets that came after their place was played."""
        self.discarded = 0
        """Packets that were dropped: too much queued, or of no honest length."""
        self.resyncs = 0
        """How often a source changed, restarted or leapt."""
        self._transits = Transits()
        self._arrivals = self._transits.arrivals
        self._next_sequence = self._next_timestamp = 0
        self._end = 0
        self.configure(8000, None)

    def configure(self, clock_rate_hz: int, measure: Callable[[bytes], int] | None) -> None:
        """Set the RTP clock, and what tells the length of a payload in its units; None: a byte each."""
        self._rate = clock_rate_hz
        self._second = 1.0 / clock_rate_hz
        self._law = measure is None
        self._measure: Callable[[bytes], int] = measure or len
        self._frame = round(FRAME_S * clock_rate_hz)
        self._room = round(MAX_AHEAD_S * clock_rate_hz)
        self._largest = round(MAX_PACKET_S * clock_rate_hz)
        self._least = round(MIN_PACKET_S * clock_rate_hz)
        self.clear()

    def clear(self) -> None:
        """Drop all that is queued: after a hold nobody wants the seconds before it."""
        self._packets: list[Packet] = []
        self._ssrc = _UNKNOWN
        self._at = self._end
        self.plays = False
        """True from the first frame that was played."""
        self._usual = _UNKNOWN
        self._countdown = ADAPT_TAKES
        self._missing = 0
        self._gaps: list[tuple[int, int]] = []
        self._played = _UNKNOWN
        self._quiet = _UNKNOWN
        self._skips: list[int] = []
        self._transits.clear()
        self._expired, self._expired_next = 0, _UNKNOWN
        self._lies = self._moved = 0
        self._taken_at = 0.0
        self.held = 0
        """Units that were taken off and are not played yet."""
        self.want = 0
        """-1 when a frame is to be cut, 1 when one is to be repeated; tell with `adjusted`."""
        self.wanted_at = 0.0

    # -- in -----------------------------------------------------------------------------------------------

    def put(
        self, ssrc: int, sequence: int, timestamp: int, marker: bool, payload: bytes, *, now: float
    ) -> None:
        """Take a packet of audio that arrived at `now`."""
        units = self._measure(payload)
        slot = self._end
        if (
            timestamp == self._next_timestamp
            and sequence == self._next_sequence
            and ssrc == self._ssrc
            and 0 <= slot - self._at <= self._room
            and self._least <= units <= self._largest
        ):
            self._packets.append((slot, units, sequence, payload))
            self._end = slot + units
            self._next_timestamp = (timestamp + units) & _MASK
            self._next_sequence = (sequence + 1) & 0xFFFF
            self._arrivals.append(now - slot * self._second)
            return
        if units > self._largest:
            self.discarded += 1
            if not self._law:
                return
            units = self._largest
            payload = payload[:units]
        elif units < self._least:
            self.discarded += 1
            return
        self._put_oddly((ssrc, sequence, timestamp, marker), units, payload, now)

    def put_noise(self, ssrc: int, sequence: int, timestamp: int, payload: bytes, *, now: float) -> None:
        """Take a packet of comfort noise (RFC 3389): from its time on nothing is lost until audio comes."""
        self._put_oddly((ssrc, sequence, timestamp, False), 0, payload[:64], now)
        self._quiet = self._next_sequence

    def skip(self, sequence: int) -> None:
        """Note a packet that is no audio, such as a telephone event: its number is not a loss."""
        self._skips = [*self._skips[1 - _SKIPS :], sequence]
        if 0 <= sequence_delta(sequence, self._next_sequence) < _SKIPS:
            self._next_sequence = self._quiet = (sequence + 1) & 0xFFFF

    def _put_oddly(self, header: Header, units: int, payload: bytes, now: float) -> None:
        """Take a packet that does not simply follow the last one."""
        ssrc, sequence, timestamp, marker = header
        if ssrc != self._ssrc:
            self._seat(ssrc, sequence, timestamp, now)
        ahead = sequence_delta(sequence, self._next_sequence)
        moved = timestamp_delta(timestamp, self._next_timestamp)
        early = self._end + moved - self._at
        limit = round(MAX_DELAY_S * self._rate)
        fits = ahead >= -MAX_MISORDER and abs(moved - ahead * self._frame) <= self._rate
        if units and ahead >= 0 and self._is_out_of_time(ahead, moved, early, now):
            moved = self._shift(timestamp)
        elif (early > self._room and not fits) or (early < -limit and self.plays):
            if ahead < 0 and not self._believe(sequence, fits=fits):
                self.late += 1
                return
            self._seat(ssrc, sequence, timestamp, now)
            ahead = moved = 0
        slot = self._end + moved
        if self._missing and moved and (marker or not ahead) and not self._packets:
            self._begin_spurt(slot, now)
        place = slot if units else max(slot, self._at)
        if place < self._at and self.plays:
            if not self._pull_back(slot, now):
                return
        elif ahead < 0 and any(packet[0] == slot or packet[2] == sequence for packet in self._packets):
            return
        else:
            transit = now - slot * self._second
            if self._transits.note(transit) and ahead < 0 and self.plays:
                self._transits.remember(transit, now=now)
        self._insert((place, units, sequence, payload))
        self._expired = 0
        if ahead >= 0 or ahead < -MAX_MISORDER:
            self._next_sequence = (sequence + 1) & 0xFFFF
        if slot + units >= self._end:
            self._end = slot + units
            self._next_timestamp = (timestamp + units) & _MASK
        if not self.plays:
            self._at = min(self._at, slot)
        if self._end - self._at > self._room:
            self._trim()

    def _is_out_of_time(self, ahead: int, moved: int, early: int, now: float) -> bool:
        """Whether the number of a packet follows, but its timestamp went back, or forward without time."""
        self._lies = self._lies + 1 if ahead == 0 and moved == self._moved else 0
        self._moved = moved
        if self._lies >= LIES_TO_SEE and moved:
            return True
        if moved < 0 or (ahead == 0 and moved < self._least * 2):
            return self.plays and moved != 0
        if ahead or moved == 0 or early <= 0 or not self._transits.known:
            return False
        transit = now - (self._end + moved) * self._second
        return transit < self._transits.low - TOO_SOON_S

    def _shift(self, timestamp: int) -> int:
        """Let a timestamp follow on what came before; returns how far it then lies off."""
        if self._lies < LIES_TO_SEE and abs(self._moved) >= self._least * 2:
            self.resyncs += 1
        self._next_timestamp = timestamp
        self._end = max(self._end, self._at)
        return 0

    def _believe(self, sequence: int, *, fits: bool) -> bool:
        """Whether a packet with an old number begins a new line; if it `fits`, it may just be very late."""
        self._expired = self._expired + 1 if sequence == self._expired_next else 1
        self._expired_next = (sequence + 1) & 0xFFFF
        return self._expired >= (EXPIRED_TO_RESTART if fits else LEAPS_TO_RESTART)

    def _seat(self, ssrc: int, sequence: int, timestamp: int, now: float) -> None:
        """Begin a new time line: behind what is queued, or from now if nothing is."""
        if self._ssrc != _UNKNOWN:
            self.resyncs += 1
        self._ssrc = ssrc
        self._next_sequence = sequence
        self._next_timestamp = timestamp
        self._expired = 0
        self._skips.clear()
        self._played = (sequence - 1) & 0xFFFF if not self._packets else self._played
        self._end = max(self._end, self._at)
        transit = now - self._end * self._second
        self._transits.begin(transit, transit + MARGIN_S, now=now)
        if self._missing and not self._packets:
            self._at = self._end
            self.plays = False
            self._usual = _UNKNOWN

    def _begin_spurt(self, slot: int, now: float) -> None:
        """Talk after a silence: nothing is heard now, so the delay is put right in one step."""
        transits = self._transits
        depth = max(transits.need - transits.low, START_S) if transits.known else START_S
        ideal = now - slot * self._second + depth
        offset = self.offset
        if not ideal - depth + MARGIN_S <= offset <= ideal + FRAME_S:
            before = self._at
            self._at = min(before + round((offset - ideal) * self._rate), slot)
            self._missing = max(0, self._missing + self._at - before)
            transits.begin(ideal - depth, ideal, now=now)

    def _insert(self, packet: Packet) -> None:
        packets = self._packets
        if len(packets) >= MAX_PACKETS:
            self.discarded += 1
            return
        index = len(packets)
        while index and packets[index - 1][0] > packet[0]:
            index -= 1
        packets.insert(index, packet)

    def _trim(self) -> None:
        """Too much is queued: go on with the newest."""
        self._at = max(self._at, self._end - round(START_S * self._rate))
        self._drop_before(self._at)
        self._transits.clear()

    def _drop_before(self, place: int) -> None:
        """Drop packets that begin before `place`, but for the last one."""
        packets = self._packets
        while len(packets) > 1 and packets[0][0] < place:
            del packets[0]
            self.discarded += 1
        self._at = max(self._at, packets[0][0])

    # -- late packets -------------------------------------------------------------------------------------

    @property
    def offset(self) -> float:
        """The latest transit that still comes in time, in seconds."""
        return self._taken_at + FRAME_S - (self._at - self.held) * self._second

    @property
    def delay_s(self) -> float:
        """What the buffer adds to the fastest packets; 0 before the first look."""
        return max(self.offset - self._transits.low, 0.0) if self.plays else 0.0

    def _pull_back(self, slot: int, now: float) -> bool:
        """A packet came after its time: wait longer from now on; true when it can still be played."""
        if not any(start <= slot < end for start, end in self._gaps):
            return False  # it was there before
        transits, transit = self._transits, now - slot * self._second
        if not transits.note(transit):
            self.late += 1
            return False
        transits.look(now=now)
        transits.remember(transit, now=now)
        offset = self.offset
        most = min(transits.need + FRAME_S, transits.low + MAX_DELAY_S)
        back = self._at - slot
        if back <= self._missing and offset + back * self._second <= most:
            self._missing -= back
            self._at = slot
            return True
        self.late += 1
        frames = int((most - offset) / FRAME_S)
        if frames > 0:
            if self._missing:
                back = min(frames * self._frame, self._missing)
                self._missing -= back
                self._at -= back
            elif not self.want:
                self.want = 1
                self.wanted_at = now
                self._usual = _UNKNOWN
        return False

    # -- out ----------------------------------------------------------------------------------------------

    def whole(self, now: float) -> bytes | None:
        """The packet due now, when all is plain: it is one frame long, and nothing needs looking at."""
        packets = self._packets
        if packets:
            packet = packets[0]
            usual = packet[1] == self._usual and packet[0] == self._at
            if usual and self._countdown and now - self._taken_at < SKIPPED_S:
                del packets[0]
                self._at += self._usual
                self._played = packet[2]
                self._taken_at = now
                self._countdown -= 1
                return packet[3]
        return None

    def begin(self, now: float) -> bool:
        """Begin a frame that `whole` did not give; false while the first packets are gathered."""
        if not self.plays:
            if not self._packets or not self._arrivals:
                return False
            first = min(self._arrivals)
            self._at = self._packets[0][0]
            if now - self._at * self._second < first + START_S:
                return False
            self._drop_before(round((now - first - START_S - FRAME_S) * self._rate))
            self.plays = True
            self._missing = 0
            self._transits.begin(first, first + START_S, now=now)
        elif now - self._taken_at >= SKIPPED_S:
            self._at += round((now - self._taken_at - FRAME_S) * self._rate)  # what was not heard is over
        self._taken_at = now - FRAME_S  # until the frame is taken, this one is the next
        self._countdown -= 1
        if self._countdown <= 0:
            self._adapt(now)
        return True

    def advance(self, most: int) -> Piece:
        """What comes next; a stretch without a packet is at most `most` units long."""
        packets, at = self._packets, self._at
        while packets:
            slot, units, sequence, payload = packets[0]
            if slot > at:
                break
            del packets[0]
            if not units:
                self._played = sequence
                return Piece("noise", 0, payload)
            if slot + units > at:
                self._at = slot + units
                self._played = sequence
                self._missing = 0
                return Piece("audio", units, payload, at - slot)
            self.discarded += 1
        following = b""
        if packets:
            slot, units, sequence, payload = packets[0]
            length = min(most, slot - at)
            lost = self._is_lost(sequence)
            if length == slot - at and units:
                following = payload
        else:
            length = most
            lost = self._quiet != self._next_sequence
        self._at = at + length
        self._missing += length
        gaps = self._gaps
        start = gaps.pop()[0] if gaps and gaps[-1][1] == at else at
        gaps.append((max(start, self._at - self._rate), self._at))
        del gaps[:-8]
        return Piece("lost" if lost else "silent", length, following)

    def end(self, now: float, held: int) -> None:
        """End a frame: `held` units were taken off that are to be played later."""
        self._taken_at = now
        self.held = held
        self._usual = self._frame if not (held or self._missing or self.want) else _UNKNOWN

    def adjusted(self, now: float) -> None:
        """The frame that `want` asked for was cut or repeated."""
        self.want = 0
        self._countdown = ADAPT_TAKES
        self._taken_at = now

    @property
    def queued(self) -> int:
        """Units of audio that are here without a hole from the present place on, roughly."""
        return sum(packet[1] for packet in self._packets)

    @property
    def excess_s(self) -> float:
        """By how much the delay is more than is needed."""
        return self.offset - self._transits.need

    def _is_lost(self, sequence: int) -> bool:
        """Whether numbers are missing between the last packet played and `sequence`."""
        if self._played == _UNKNOWN:
            return False
        between = sequence_delta(sequence, self._played) - 1
        if between <= 0 or between > _SKIPS:
            return between > 0
        return any((self._played + step) & 0xFFFF not in self._skips for step in range(1, between + 1))

    def _adapt(self, now: float) -> None:
        """Once a second: compare the offset with what is needed."""
        self._countdown = ADAPT_TAKES
        want = 0
        if self._transits.turn(now=now):
            excess = self.excess_s
            want = -1 if excess > SLACK_S else 1 if excess < 0 and self.delay_s < MAX_DELAY_S else 0
        if want and want != self.want:
            self.wanted_at = now
        self.want = want
