"""All verbs of ports at random, packets good and bad between them, on the bare core of the media engine.

After each step the rooms must be what a small model says, every leg's line unbroken, and nothing that a
guarded leg sends may be in the clear. At the end nothing may be left.
"""

from __future__ import annotations

import random
import struct
from typing import Any, get_args

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.samples import so_many

from sipcc.ids import Ids
from sipcc.rtp import CodecName, MediaSettings, PlayFile, PlaySilence, PlayTone, StreamParams, wire
from sipcc.rtp.codec import load_codecs, make_encoder
from sipcc.rtp.engine import MediaCore
from sipcc.rtp.events import MediaEvent, PlayEnded, RecordingEnded
from sipcc.rtp.files import ClipStore, make_clip
from sipcc.rtp.flow import PlayItem, PlayStream, Role, SrtpKeys
from sipcc.rtp.recorder import RecordingResult, RecordingWriter
from sipcc.rtp.session import Session
from sipcc.rtp.srtp import Shield

CODINGS: dict[str, tuple[CodecName, int, int]] = {
    "PCMU": ("PCMU", 8000, 0),
    "PCMA": ("PCMA", 8000, 8),
    "G722": ("G722", 8000, 9),
    "G729": ("G729", 8000, 18),
    "opus": ("opus", 48000, 111),
    "narrow": ("L16", 8000, 119),
    "wide": ("L16", 16000, 120),
}
EVENTS = 101
NOISE = 13
LEGS = 6
TICK_S = 0.01
SUITE = "AES_CM_128_HMAC_SHA1_80"

leg_numbers = st.integers(0, LEGS - 1)
plain_codings = st.sampled_from(("PCMU", "PCMU", "PCMA"))
ROLES = st.sampled_from(get_args(Role))
ITEMS: tuple[tuple[PlayItem, ...], ...] = (
    (PlayTone((440.0,), 90),),
    (PlayTone((440.0,), 35), PlaySilence(0), PlayFile("/no/such/file.wav")),
    (PlayFile("/no/such/file.wav"),),
    (),
    (PlayStream(),),
)


class Wires:
    """Sockets that keep what was sent, and hold what is to be drained."""

    def __init__(self) -> None:
        self.open_handles: set[int] = set()
        self.waiting: list[tuple[int, bytes, tuple[str, int]]] = []
        self.sent: list[tuple[int, bytes]] = []
        self._next = 0

    def open(self, host: str, port: int) -> int:
        self._next += 1
        self.open_handles.add(self._next)
        return self._next

    def close(self, handle: int) -> None:
        self.open_handles.discard(handle)

    def drain(self) -> list[tuple[int, bytes, tuple[str, int]]]:
        waiting, self.waiting = self.waiting, []
        return waiting

    def send(self, handle: int, data: bytes | bytearray | memoryview, address: tuple[str, int]) -> None:
        assert handle in self.open_handles
        assert address[1] > 0
        self.sent.append((handle, bytes(data)))


class NoDisk(RecordingWriter):
    """Renders what would be written, and writes nothing."""

    def _put(self, job: Any, cut: Any, reason: str) -> None:
        if cut is not None:
            assert len(job.renderer.render(cut)) == 2 * cut.samples
        if reason and not job.ended:
            job.ended = True
            job.on_ended(RecordingResult(job.path, 0.0, reason))

    def open(self, path: str, on_ended: Any, *, written: int = 0) -> Any:
        self._thread = self._thread or object()  # type: ignore[assignment]
        return super().open(path, on_ended, written=written)


class Party:
    """The far end of one port."""

    def __init__(self, number: int, port: str, session: Session) -> None:
        self.port = port
        self.address = (f"10.0.1.{number + 1}", 4000)
        self.handle = session.rtp_handle
        self.ssrc = 0x1000 + number
        self.sequence = 65_530
        self.timestamp = 0xFFFF_F000
        self.coding = ""
        self.ptime_ms = 20
        self.muxed = False
        self.keys: SrtpKeys | None = None
        self.shield: Shield | None = None
        """As our engine sees it, the other way round."""
        self.line_ssrc: int | None = None
        self.last = -1
        self.last_timestamp = 0
        self.numbers: set[int] = set()

    def rekey(self, keys: SrtpKeys | None) -> None:
        if keys is None:
            self.shield = None
        else:
            mirrored = SrtpKeys(keys.suite, keys.receive, keys.send)
            if self.shield is None:
                self.shield = Shield(mirrored)
            else:
                self.shield.rekey(mirrored)
        self.keys = keys

    def note(self, data: bytes) -> None:
        """A datagram came by the RTP port: it must be protected as agreed, and be the next of the line."""
        report = 192 <= data[1] <= 223
        if self.shield is not None:
            opened = self.shield.unprotect_rtcp(data) if report else self.shield.unprotect(data)
            assert opened is not None, "not protected by the key in force"
            data = opened
        if report:
            assert self.muxed
            return
        _, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", data)
        if self.line_ssrc is None:
            self.line_ssrc, self.last, self.last_timestamp = ssrc, sequence - 1, timestamp
        assert ssrc == self.line_ssrc
        ahead = (sequence - self.last) & 0xFFFF
        assert sequence not in self.numbers
        if ahead < 0x8000:
            assert ahead <= 200
            self.last = sequence
            if second & 0x7F != EVENTS:  # a key has the time of its beginning
                assert (timestamp - self.last_timestamp) & 0xFFFFFFFF < 0x80000000
                self.last_timestamp = timestamp
        self.numbers.add(sequence)
        if len(self.numbers) > 2000:
            self.numbers = {number for number in self.numbers if (self.last - number) & 0xFFFF < 1000}


class AllVerbs(RuleBasedStateMachine):
    """Six parties at most; the model knows who is in which room, as what."""

    def __init__(self) -> None:
        super().__init__()
        load_codecs(())
        self.now = 1000.0
        self.wires = Wires()
        self.dice = random.Random(0)
        self.core = MediaCore(
            MediaSettings(address="10.0.0.1", ports=(20000, 20099), clock_ms=10, timeout=60.0),
            self.wires,
            Ids(random.Random(7)),
            clips=ClipStore(),
            writer=NoDisk(),
            wall_of=lambda at: at,
        )
        self.parties: dict[int, Party] = {}
        self.rooms: list[dict[int, list[Any]]] = []
        """Each by leg number: role, whom it whispers to, muted."""
        self.names: dict[str, dict[int, list[Any]]] = {}
        self.echoing: set[int] = set()
        self.tokens = 0
        self.playing: set[tuple[str, int]] = set()
        self.recording: set[tuple[str, str]] = set()
        self.opened = 0

    @initialize()
    def begin(self) -> None:
        for number in range(3):
            self.open(number)
            self.configure(number, "PCMU", 20, True, True, False, False)
        self.bridge(0, 1)

    # -- the model ----------------------------------------------------------------------------------------

    def room_of(self, number: int) -> dict[int, list[Any]] | None:
        return next((room for room in self.rooms if number in room), None)

    def leave_model(self, number: int) -> None:
        self.echoing.discard(number)
        room = self.room_of(number)
        if room is None:
            return
        del room[number]
        for member in room.values():
            if member[1] == number:
                member[1] = None
                member[0] = "listen" if member[0] == "whisper" else member[0]
        named = any(known is room for known in self.names.values())
        if not named and len(room) == 1:
            room.clear()
        if not room:
            self.rooms = [known for known in self.rooms if known is not room]
            self.names = {name: known for name, known in self.names.items() if known is not room}

    def enter_model(self, room: dict[int, list[Any]], number: int, role: str, coached: int | None) -> None:
        if number in room:
            room[number][:2] = [role, coached]
        else:
            room[number] = [role, coached, False]

    def session(self, number: int) -> Session:
        session = self.core.session_of(self.parties[number].port)
        assert session is not None
        return session

    def do(self, command: wire.Command) -> None:
        self.core.execute(command, now=self.now)

    def port(self, number: int) -> str:
        party = self.parties.get(number)
        return party.port if party is not None else f"gone-{number}"

    # -- ports --------------------------------------------------------------------------------------------

    @rule(number=leg_numbers)
    def open(self, number: int) -> None:
        if number in self.parties:
            return
        self.opened += 1
        port = f"port-{number}-{self.opened}"
        self.core.open(port, now=self.now)
        session = self.core.session_of(port)
        assert session is not None
        self.parties[number] = Party(number, port, session)

    @rule(number=leg_numbers)
    def close(self, number: int) -> None:
        self.tick(1)  # what was sent is judged while the leg is known
        self.do(wire.Close(self.port(number)))
        if number in self.parties:
            self.judge()
            del self.parties[number]
            self.leave_model(number)

    @rule(
        number=leg_numbers,
        coding=st.sampled_from(tuple(CODINGS)),
        ptime_ms=st.sampled_from((10, 20, 20, 20, 30, 40, 60)),
        send=st.sampled_from((True, True, True, False)),
        receive=st.sampled_from((True, True, True, False)),
        guarded=st.booleans(),
        muxed=st.booleans(),
        keys=st.sampled_from(("auto", "events", "inband", "off")),
        events=st.sampled_from((EVENTS, EVENTS, None)),
        fresh=st.booleans(),
    )
    def configure(
        self,
        number: int,
        coding: str,
        ptime_ms: int,
        send: bool,
        receive: bool,
        guarded: bool,
        muxed: bool,
        keys: Any = "auto",
        events: int | None = EVENTS,
        fresh: bool = False,
    ) -> None:
        if number not in self.parties:
            return
        party = self.parties[number]
        self.judge()
        codec, rate, kind = CODINGS[coding]
        if not guarded:
            secret = None
        elif party.keys is None or fresh:
            secret = SrtpKeys(SUITE, self.dice.randbytes(30), self.dice.randbytes(30))
        else:
            secret = party.keys
        party.coding, party.ptime_ms, party.muxed = coding, ptime_ms, muxed
        self.do(
            wire.Configure(
                party.port,
                StreamParams(
                    remote_host=party.address[0],
                    remote_port=party.address[1],
                    remote_rtcp_port=party.address[1] + 1,
                    codec=codec,
                    payload_type=kind,
                    clock_rate_hz=rate,
                    event_payload_type=events,
                    event_clock_rate_hz=rate if codec == "opus" else 8000,
                    noise_payload_type=NOISE,
                    keys=keys,
                    send=send,
                    receive=receive,
                    ptime_ms=ptime_ms,
                    rtcp_mux=muxed,
                    srtp=secret,
                ),
            )
        )
        party.rekey(secret)

    # -- rooms --------------------------------------------------------------------------------------------

    @rule(number=leg_numbers, other=leg_numbers)
    def bridge(self, number: int, other: int) -> None:
        self.do(wire.Bridge(self.port(number), self.port(other)))
        if number == other or number not in self.parties or other not in self.parties:
            return
        mine = self.room_of(number)
        if mine is not None and mine is self.room_of(other):
            talkers = {leg for leg, member in mine.items() if member[0] == "talk"}
            if talkers == {number, other}:
                return
        kept = None
        for leg, partner in ((number, other), (other, number)):
            room = self.room_of(leg)
            named = any(known is room for known in self.names.values())
            if room is None or named or kept is not None or room[leg][0] != "talk":
                continue
            if any(member[0] != "talk" for one, member in room.items() if one != partner):
                kept = room
        if kept is not None:
            for leg, member in list(kept.items()):
                if member[0] == "talk" and leg not in (number, other):
                    self.leave_model(leg)
        room = kept if kept is not None and kept else {}
        for leg in (number, other):
            if leg not in room:
                self.leave_model(leg)
                self.enter_model(room, leg, "talk", None)
            else:
                self.enter_model(room, leg, "talk", None)
        if all(room is not known for known in self.rooms):
            self.rooms.append(room)

    @rule(number=leg_numbers)
    def unbridge(self, number: int) -> None:
        self.do(wire.Unbridge(self.port(number)))
        self.leave_model(number)

    @rule(number=leg_numbers)
    def echo(self, number: int) -> None:
        self.do(wire.Echo(self.port(number)))
        if number in self.parties:
            self.leave_model(number)
            self.echoing.add(number)

    @rule(number=leg_numbers, name=st.sampled_from(("sales", "board")), role=ROLES, coached=leg_numbers)
    def join(self, number: int, name: str, role: Any, coached: int) -> None:
        self.do(wire.Join(self.port(number), name, role, self.port(coached)))
        if number not in self.parties:
            return
        room = self.names.get(name)
        if room is None or self.room_of(number) is not room:
            self.leave_model(number)
            room = self.names.setdefault(name, {})
            if all(room is not known for known in self.rooms):
                self.rooms.append(room)
        self.enter_model(room, number, role, coached if coached in self.parties else None)

    @rule(number=leg_numbers, other=leg_numbers, role=ROLES)
    def supervise(self, number: int, other: int, role: Any) -> None:
        self.do(wire.Supervise(self.port(number), self.port(other), role))
        if number == other or number not in self.parties or other not in self.parties:
            return
        room = self.room_of(other)
        if room is None or self.room_of(number) is not room:
            self.leave_model(number)
        room = self.room_of(other)
        if room is None:
            self.leave_model(other)
            room = {}
            self.rooms.append(room)
            self.enter_model(room, other, "talk", None)
        self.enter_model(room, number, role, other)

    @rule(number=leg_numbers, muted=st.booleans())
    def mute(self, number: int, muted: bool) -> None:
        self.do(wire.Mute(self.port(number), muted))
        room = self.room_of(number)
        if room is not None:
            room[number][2] = muted

    # -- other verbs --------------------------------------------------------------------------------------

    @rule(number=leg_numbers, items=st.sampled_from(ITEMS), loop=st.booleans(), shared=st.booleans())
    def play(self, number: int, items: tuple[PlayItem, ...], loop: bool, shared: bool) -> None:
        self.tokens += 1
        self.do(wire.Play(self.port(number), items, loop, shared, self.tokens))
        if number in self.parties:
            self.playing.add((self.port(number), self.tokens))

    @rule(number=leg_numbers, what=st.integers(0, 5), value=st.integers(0, 400))
    def meddle(self, number: int, what: int, value: int) -> None:
        port = self.port(number)
        commands: tuple[wire.Command, ...] = (
            wire.StopPlaying(port),
            wire.PausePlaying(port, value % 2 == 0),
            wire.SeekPlaying(port, value),
            wire.Feed(port, self.tokens, bytes(value), value % 3 == 0),
            wire.SendDigits(port, "12#"[: 1 + value % 3], 50, 50),
            wire.SetConsentTone(port, value % 3 * 0.6),
        )
        self.do(commands[what])

    @rule()
    def supply(self) -> None:
        for want in self.core.wants():
            self.core.supply(want, [make_clip(item, want.codec) for item in want.items], now=self.now)

    @rule(number=leg_numbers, what=st.integers(0, 3), on=st.booleans())
    def record(self, number: int, what: int, on: bool) -> None:
        port = self.port(number)
        if what == 0:
            self.tokens += 1
            self.do(wire.Record(port, f"/tmp/{self.tokens}.wav"))
            if number in self.parties:
                self.recording.add((port, f"/tmp/{self.tokens}.wav"))
        else:
            self.do(
                (wire.StopRecording(port), wire.PauseRecording(port, on, True), wire.Tap(port, on))[what - 1]
            )

    @rule(number=leg_numbers, on=st.booleans(), keys=st.booleans())
    def watch(self, number: int, on: bool, keys: bool) -> None:
        port = self.port(number)
        self.do(wire.SecureKeys(port, on) if keys else wire.Notice(port, on))

    # -- packets ------------------------------------------------------------------------------------------

    @rule(periods=st.integers(1, 12))
    def talk(self, periods: int) -> None:
        """All say something, in packets of their own length."""
        for _ in range(periods * 2):
            for party in self.parties.values():
                if party.coding and round((self.now - 1000) / TICK_S) * 10 % party.ptime_ms == 0:
                    self.say(party)
            self.tick(1)

    def say(self, party: Party) -> None:
        _, rate, kind = CODINGS[party.coding]
        units = rate * party.ptime_ms // 1000
        payload = _payload(party.coding, party.ptime_ms)
        self.put(party, kind, payload)
        party.sequence = (party.sequence + 1) & 0xFFFF
        party.timestamp = (party.timestamp + units) & 0xFFFFFFFF

    def put(self, party: Party, kind: int, payload: bytes) -> None:
        packet = struct.pack("!BBHII", 0x80, kind, party.sequence, party.timestamp, party.ssrc) + payload
        closed: bytes | None = packet
        if party.shield is not None:
            closed = party.shield.protect(packet)
        if closed is not None:
            self.wires.waiting.append((party.handle, closed, party.address))

    @rule(number=leg_numbers, key=st.integers(0, 16), ends=st.booleans())
    def press(self, number: int, key: int, ends: bool) -> None:
        party = self.parties.get(number)
        if party is None:
            return
        for duration in (160, 320, 480):
            end = 0x80 if ends and duration == 480 else 0
            self.put(party, EVENTS, struct.pack("!BBH", key, end | 10, duration))
            party.sequence = (party.sequence + 1) & 0xFFFF
            self.tick(2)
        party.timestamp = (party.timestamp + 480) & 0xFFFFFFFF

    @rule(number=leg_numbers, level=st.integers(0, 127))
    def hiss(self, number: int, level: int) -> None:
        party = self.parties.get(number)
        if party is not None:
            self.put(party, NOISE, bytes([level, 1, 2]))
            party.sequence = (party.sequence + 1) & 0xFFFF
            self.tick(1)

    @rule(
        number=leg_numbers,
        kind=st.sampled_from((0, 8, 9, 18, 111, 119, 120, 13, 101, 77)),
        payload=st.binary(max_size=700),
        leap=st.integers(1, 150),
    )
    def lie(self, number: int, kind: int, payload: bytes, leap: int) -> None:
        """A packet of any type and length, perhaps with numbers left out."""
        party = self.parties.get(number)
        if party is not None:
            party.sequence = (party.sequence + leap) & 0xFFFF
            party.timestamp = (party.timestamp + 160 * leap) & 0xFFFFFFFF
            self.put(party, kind, payload)
            party.sequence = (party.sequence + 1) & 0xFFFF
            party.timestamp = (party.timestamp + 160) & 0xFFFFFFFF
            self.tick(1)

    @rule(number=leg_numbers, data=st.binary(max_size=60), known=st.booleans(), control=st.booleans())
    def noise(self, number: int, data: bytes, known: bool, control: bool) -> None:
        party = self.parties.get(number)
        if party is not None:
            source = party.address if known else ("10.9.9.9", 9)
            self.wires.waiting.append((party.handle + control, data, source))
            self.tick(1)

    @rule(number=leg_numbers)
    def move(self, number: int) -> None:
        """The source is another one, with another address."""
        party = self.parties.get(number)
        if party is not None:
            party.ssrc += 0x100
            party.sequence = self.dice.getrandbits(16)
            party.address = (party.address[0], party.address[1] + 2)

    @rule(ticks=st.sampled_from((1, 3, 50, 250)))
    def wait(self, ticks: int) -> None:
        self.tick(ticks)

    @rule(seconds=st.sampled_from((0.005, 0.033, 0.15, 0.5)))
    def sleep(self, seconds: float) -> None:
        """The clock is late."""
        self.now += seconds
        self.tick(1)

    def tick(self, count: int) -> None:
        for _ in range(count):
            self.now += TICK_S
            self.core.tick(now=self.now)
            self.judge()
            for event in self.core.events(now=self.now):
                self.take(event)

    def judge(self) -> None:
        sent, self.wires.sent = self.wires.sent, []
        by_handle = {party.handle: party for party in self.parties.values()}
        for handle, data in sent:
            party = by_handle.get(handle)
            if party is not None:
                party.note(data)

    def take(self, event: wire.FromWorker | MediaEvent) -> None:
        if isinstance(event, PlayEnded):
            self.playing.remove((event.port, event.token))
        elif isinstance(event, RecordingEnded):
            self.recording.remove((event.port, event.path))

    # -- what must hold -----------------------------------------------------------------------------------

    @invariant()
    def nothing_crashed(self) -> None:
        if self.core.last_crash is not None:
            raise self.core.last_crash

    @invariant()
    def rooms_are_what_they_should_be(self) -> None:
        for number in self.parties:
            session = self.session(number)
            room = self.room_of(number)
            if room is None:
                assert session.room is None
                assert session.sources == ((session,) if number in self.echoing else ())
                continue
            assert session.room is not None
            members = {member.session.id: member for member in session.room.members.values()}
            assert set(members) == {self.port(leg) for leg in room}
            role, _, muted = room[number]
            assert (members[session.id].role, members[session.id].muted) == (role, muted)
            heard = {
                self.port(leg)
                for leg, (role, coached, muted) in room.items()
                if leg != number
                and not muted
                and self.session(leg).receiving
                and (role == "talk" or (role == "whisper" and coached == number))
            }
            assert {source.id for source in session.sources} == heard
            assert len({other.phase for other in session.room}) == 1

    @invariant()
    def nothing_is_relayed_to_who_must_not_hear_it(self) -> None:
        for number in self.parties:
            session = self.session(number)
            if session.relay is not None:
                assert session.peer is not None
                assert session.peer.sources == (session,)
                assert session.peer.sending
                assert session.receiving
                assert not session.keying.secure

    def teardown(self) -> None:
        for number in list(self.parties):
            self.close(number)
        self.tick(120)
        assert self.core.port_ids() == []
        assert self.wires.open_handles == set()
        assert self.core._frames.active == 0
        assert sum(self.core._frames._crowd) == 0
        assert self.core._control._rooms == {}
        assert not self.playing
        assert not self.recording


def _payload(coding: str, ptime_ms: int) -> bytes:
    codec, rate, _ = CODINGS[coding]
    if codec == "opus":
        return OPUS
    size = {"PCMU": 8, "PCMA": 8, "G722": 8, "G729": 1, "L16": rate // 500}[codec]
    return b"\x55" * (size * ptime_ms)


load_codecs(())
OPUS = make_encoder("opus", 48000).encode(np.zeros(160, dtype=np.int16))

AllVerbs.TestCase.settings = settings(
    max_examples=so_many(120, 60),
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
TestAllVerbs = AllVerbs.TestCase
