"""Calls with SRTP through the whole switch: who hears whom is proved by tones, as in calls in the clear."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, CONFIG, Centre

from sipcc.ids import Ids
from sipcc.rtp import LocalEngine, wire
from sipcc.rtp.engine import MediaCore
from sipcc.rtp.files import ClipStore
from sipcc.rtp.inherit import inherit, record_of
from sipcc.rtp.packet import HEADER
from sipcc.rtp.session import Session
from sipcc.testing.audio import assert_silent
from sipcc.testing.fakecall import FakeCall
from sipcc.testing.srtp import Srtp

SUITES = ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM", "AEAD_AES_256_GCM"]
ALICE_HZ = AGENT_HZ["1001"]
ALICE = "4008000005"


def centre(folder: Path, *, carrier: str = "", users: str = "off") -> Centre:
    """A centre whose carrier and whose users protect their audio so."""
    config = CONFIG.replace("clock_ms = 20", f'clock_ms = 20\nsrtp = "{users}"')
    config = config.replace('addresses = ["127.0.0.2"]', f'addresses = ["127.0.0.2"]\nsrtp = "{carrier}"')
    return Centre(folder, config=config)


async def talking(centre: Centre) -> tuple[FakeCall, FakeCall]:
    """The carrier and Alice, who hear each other."""
    caller = await centre.carrier.call(ALICE)
    talk = await centre.phones["1001"].next_call()
    await caller.answered()
    await caller.hears(ALICE_HZ)
    await talk.hears(CALLER_HZ)
    return caller, talk


async def still_talking(caller: FakeCall, talk: FakeCall, *, seconds: float = 0.4) -> None:
    """Nothing of the other's tone is missing from now on."""
    await asyncio.sleep(seconds + 0.1)
    await caller.hears(ALICE_HZ, seconds=seconds)
    await talk.hears(CALLER_HZ, seconds=seconds)


def session_of(centre: Centre, call: FakeCall) -> Session:
    """The switch's own end of a call's audio."""
    engine = centre.switch.engine
    assert isinstance(engine, LocalEngine)
    assert call.theirs is not None
    core = engine._core
    assert core is not None
    sessions = (core.session_of(port) for port in core.port_ids())
    return next(session for session in sessions if session is not None and session.number == call.theirs.port)


@pytest.mark.parametrize("suite", SUITES)
async def test_a_caller_with_srtp_and_an_agent_without(tmp_path: Path, suite: str) -> None:
    async with centre(tmp_path, carrier="required") as world:
        world.carrier.srtp = Srtp(suite=suite)
        await world.phone("1001")
        caller, talk = await talking(world)
        assert caller.theirs is not None
        assert talk.theirs is not None
        assert (caller.theirs.protocol, talk.theirs.protocol) == ("RTP/SAVP", "RTP/AVP")
        assert not talk.theirs.crypto
        assert session_of(world, caller).rejected == 0
        assert not caller.media.breaks()


@pytest.mark.parametrize("users", ["optional", "required"])
async def test_srtp_on_both_sides_has_keys_of_each_side(tmp_path: Path, users: str) -> None:
    async with centre(tmp_path, carrier="required", users=users) as world:
        world.carrier.srtp = Srtp(tag=7)
        alice = await world.phone("1001")
        alice.srtp = Srtp(suite="AEAD_AES_128_GCM")
        caller, talk = await talking(world)
        assert caller.theirs is not None
        assert talk.theirs is not None
        assert talk.theirs.protocol == ("RTP/AVP" if users == "optional" else "RTP/SAVP")
        assert [line.split()[:2] for line in caller.theirs.crypto] == [["7", SUITES[0]]]
        assert [line.split()[1] for line in talk.theirs.crypto] == SUITES
        keys = {caller.theirs.crypto[0].split()[2]} | {line.split()[2] for line in talk.theirs.crypto}
        assert len(keys) == 5
        await caller.press("5")
        await talk.gets_digits("5")


async def test_optional_is_for_phones_without_srtp_as_well(tmp_path: Path) -> None:
    async with centre(tmp_path, users="optional") as world:
        await world.phone("1001")
        caller, talk = await talking(world)
        assert talk.theirs is not None
        assert talk.theirs.crypto
        assert caller.theirs is not None
        assert not caller.theirs.crypto


async def test_a_caller_whose_offer_is_plain_with_keys(tmp_path: Path) -> None:
    async with centre(tmp_path, carrier="optional") as world:
        world.carrier.srtp = Srtp(protocol="RTP/AVP")
        await world.phone("1001")
        caller, _ = await talking(world)
        assert caller.theirs is not None
        assert caller.theirs.protocol == "RTP/AVP"
        assert len(caller.theirs.crypto) == 1


async def test_required_refuses_plain_rtp_with_488(tmp_path: Path) -> None:
    async with centre(tmp_path, carrier="required") as world:
        await world.phone("1001")
        caller = await world.carrier.call(ALICE)
        assert await caller.ended() == "rejected"
        assert caller.status == 488
        assert not caller.media.received


async def test_off_refuses_savp_with_488(tmp_path: Path) -> None:
    async with centre(tmp_path) as world:
        world.carrier.srtp = Srtp()
        caller = await world.carrier.call(ALICE)
        assert await caller.ended() == "rejected"
        assert caller.status == 488


async def test_an_answer_without_a_key_ends_the_call_and_gets_no_audio(tmp_path: Path) -> None:
    async with centre(tmp_path, carrier="off", users="required") as world:
        await world.phone("1001")
        caller = await world.carrier.call(ALICE)
        talk = await world.phones["1001"].next_call()
        assert await talk.ended() == "peer"
        await caller.ended()
        assert caller.status >= 400
        assert not talk.media.received  # never plain RTP


async def test_a_reinvite_to_plain_rtp_is_refused_and_the_call_lives_on(tmp_path: Path) -> None:
    async with centre(tmp_path, carrier="optional") as world:
        world.carrier.srtp = Srtp()
        await world.phone("1001")
        caller, talk = await talking(world)
        secret, caller.secret = caller.secret, None
        assert await caller.reinvite("sendrecv") == 488
        caller.secret = secret
        await still_talking(caller, talk)
        assert await caller.reinvite("sendrecv") == 200
        await still_talking(caller, talk)


async def test_holds_keep_the_keys_and_the_audio(tmp_path: Path) -> None:
    async with centre(tmp_path, carrier="required", users="required") as world:
        world.carrier.srtp = Srtp()
        alice = await world.phone("1001")
        alice.srtp = Srtp()
        caller, talk = await talking(world)
        assert caller.secret is not None
        assert talk.secret is not None
        before = caller.secret.theirs, talk.secret.theirs
        for call in (caller, talk):
            assert await call.hold() == 200
            await asyncio.sleep(1)
            assert await call.resume() == 200
            await still_talking(caller, talk)
        assert (caller.secret.theirs, talk.secret.theirs) == before
        assert caller.secret.refused == talk.secret.refused == 0
        assert not caller.media.breaks()
        assert not talk.media.breaks()


async def test_a_reinvite_after_the_numbers_have_wrapped_keeps_the_audio(tmp_path: Path) -> None:
    """Media M20: both ends are at roll-over counter 1 then, and neither may begin anew."""
    async with centre(tmp_path, carrier="required") as world:
        world.carrier.srtp = Srtp()
        await world.phone("1001")
        caller = await world.carrier.call(ALICE)
        talk = await world.phones["1001"].next_call()
        core = world.switch.engine._core  # type: ignore[attr-defined]
        for port in core.port_ids():
            core.session_of(port).line.next_sequence = 0xFFF0
        caller.media.sequence = 0xFFE0
        await caller.answered()
        await still_talking(caller, talk, seconds=1.0)
        session = session_of(world, caller)
        assert caller.media.sequence < 0x1000
        assert session.line.next_sequence < 0x1000
        assert caller.secret is not None
        for _ in range(2):
            assert await caller.reinvite("sendrecv") == 200
            await still_talking(caller, talk)
        assert session.rejected == caller.secret.refused == 0


async def test_a_worker_that_dies_leaves_a_line_that_goes_on_under_its_key(tmp_path: Path) -> None:
    """At roll-over counter 1: begun again at 0, the peer would hear nothing, and a key stream come twice."""
    async with centre(tmp_path, carrier="required") as world:
        world.carrier.srtp = Srtp()
        await world.phone("1001")
        caller = await world.carrier.call(ALICE)
        await world.phones["1001"].next_call()
        core = world.switch.engine._core  # type: ignore[attr-defined]
        for port in core.port_ids():
            core.session_of(port).line.next_sequence = 0xFFF0
        await caller.answered()
        await caller.hears(ALICE_HZ)
        await asyncio.sleep(1)
        session = session_of(world, caller)
        now = asyncio.get_running_loop().time()
        assert session.params is not None
        record = record_of(session, (wire.Configure(session.id, session.params),), at=now)
        assert record.mark is not None
        assert record.mark.next_index > 0x10000
        heir = MediaCore(
            world.switch.config.media,
            core._sockets,
            Ids(),
            clips=ClipStore(),
            writer=core._control.tapings._writer,
            wall_of=lambda at: at,
        )
        inherit(heir, [(record, (session.rtp_handle, session.rtcp_handle))], death=now + 0.3, now=now + 0.3)
        successor = heir.session_of(session.id)
        assert successor is not None
        assert successor.shield is not None
        assert caller.secret is not None
        line = successor.line
        assert line.next_sequence > session.line.next_sequence
        packet = HEADER.pack(0x80, 0, line.next_sequence, line.next_timestamp, line.ssrc) + bytes(160)
        assert caller.secret.open(successor.shield.protect(packet) or b"") == packet


async def test_a_new_key_in_mid_call_takes_effect_and_the_old_one_is_dropped(tmp_path: Path) -> None:
    async with centre(tmp_path, carrier="required") as world:
        world.carrier.srtp = Srtp()
        await world.phone("1001")
        caller, talk = await talking(world)
        assert caller.secret is not None
        ours = caller.secret.theirs
        late = caller.secret.protect(HEADER.pack(0x80, 0, 1, 0, 77) + bytes(160))
        caller.secret.use(random.Random(9).randbytes(44))
        assert await caller.reinvite("sendrecv") == 200
        await still_talking(caller, talk)
        assert caller.secret.theirs != ours
        session = session_of(world, caller)
        before = session.rejected
        session.receive_rtp(late, session.source, asyncio.get_running_loop().time())
        assert session.rejected == before + 1


async def test_a_wrong_key_is_not_heard_and_moves_nothing(tmp_path: Path) -> None:
    async with centre(tmp_path, carrier="required") as world:
        world.carrier.srtp = Srtp(lies=True)
        await world.phone("1001")
        caller = await world.carrier.call(ALICE)
        talk = await world.phones["1001"].next_call()
        await caller.answered()
        await asyncio.sleep(2)
        assert_silent(talk.heard(1.0), what="alice")
        session = session_of(world, caller)
        assert session.rejected >= 90
        assert session.heard_at == float("-inf")
        await caller.hangup()
        await asyncio.sleep(1)
        stats = [event for event in world.events if type(event).__name__ == "LegEnded"]
        assert stats


async def test_strangers_do_no_harm(tmp_path: Path) -> None:
    """Reliability D04: 10,000 bad tags, replays and cut tags, of a stranger and of the source itself."""
    async with centre(tmp_path, carrier="required") as world:
        world.carrier.srtp = Srtp()
        await world.phone("1001")
        caller, talk = await talking(world)
        session = session_of(world, caller)
        noise = random.Random(4)
        host = world.network.host("127.0.0.66").sockets()
        stranger = host.open("127.0.0.66", 4000)
        taken: list[bytes] = []
        assert caller.secret is not None
        protect = caller.secret.protect

        def tapped(packet: bytes) -> bytes:
            taken.append(protect(packet))
            return taken[-1]

        caller.secret.protect = tapped  # type: ignore[method-assign]
        await asyncio.sleep(1)
        target = (world.switch.config.media.address, session.number)
        source, heard_at = session.source, session.heard_at
        for number in range(10_000):
            if number % 500 == 0:
                await asyncio.sleep(0.02)
            forged = HEADER.pack(0x80, 0, number & 0xFFFF, number * 160, noise.getrandbits(32))
            host.send(stranger, forged + noise.randbytes(170), target)
        own = caller.media._sockets, caller.media._rtp
        again = taken[:]
        for data in again:
            for size in (len(data), len(data) - 1, len(data) - 10, 12):
                for sockets, handle in ((host, stranger), own):
                    sockets.send(handle, data[:size], target)
        await still_talking(caller, talk)
        assert session.source == source
        assert session.heard_at > heard_at
        assert session.rejected >= 10_000 + 8 * len(again)
        assert session.stats().srtp_rejected == session.rejected
        assert not list(host.drain())  # nothing was ever sent to the stranger


async def test_a_source_that_has_the_key_is_followed_at_once(tmp_path: Path) -> None:
    async with centre(tmp_path, carrier="required") as world:
        world.carrier.srtp = Srtp()
        await world.phone("1001")
        caller, talk = await talking(world)
        session = session_of(world, caller)
        media = caller.media
        await asyncio.sleep(10)  # no window of learning is open any more
        media.muted = True
        await asyncio.sleep(1)
        before = session.source
        media._rtp = media._sockets.open(media.host, media.port + 40)
        media.muted = False
        await still_talking(caller, talk)
        assert session.source == (before[0], media.port + 40)


async def test_reports_are_protected_too(tmp_path: Path) -> None:
    async with centre(tmp_path, carrier="required") as world:
        world.carrier.srtp = Srtp()
        await world.phone("1001")
        caller, _ = await talking(world)
        reports: list[bytes] = []
        media = caller.media
        drain = media._sockets.drain

        def tapped() -> list[tuple[int, bytes, tuple[str, int]]]:
            got = list(drain())
            reports.extend(data for handle, data, _ in got if handle == media._rtcp)
            return got

        media._sockets.drain = tapped  # type: ignore[method-assign]
        await asyncio.sleep(12)
        assert reports
        assert caller.secret is not None
        for data in reports:
            clear = caller.secret.open_rtcp(data)
            assert clear is not None
            assert clear[1] in (200, 201)
            assert data[8:] != clear[8:]
