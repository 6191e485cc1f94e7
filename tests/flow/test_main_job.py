"""The main job, and everything that may go wrong on its way, as whole calls with proof by tones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, CARRIER, CONFIG, MUSIC_HZ, WELCOME_HZ, Centre

from sipcc.acd import OfferEnded, QueueLeft
from sipcc.call.events import CallAnswered, CallEndedEvent, LegEnded, RecordingFinished
from sipcc.ivr import say
from sipcc.sip import NameAddr, SipUri
from sipcc.sip.transport.base import Address
from sipcc.testing.audio import assert_no_tone, assert_tone, read_stereo, tone, write_wav
from sipcc.testing.fakecall import FakeCall
from sipcc.testing.phone import Answer, Decline, FakePhone, Ignore


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[Centre]:
    async with Centre(tmp_path) as centre:
        yield centre


async def queued(centre: Centre, key: str = "1") -> FakeCall:
    """A caller who has pressed `key` in the menu and hears the music of a queue."""
    caller = await centre.carrier.call("4008123456")
    await caller.answered()
    await caller.hears(WELCOME_HZ)
    await caller.press(key)
    await caller.hears(MUSIC_HZ)
    return caller


async def talking(caller: FakeCall, phone: FakePhone) -> FakeCall:
    """The agent's side of a talk, once both hear each other."""
    talk = await phone.next_call()
    await talk.answered(timeout=30)
    await talk.hears(CALLER_HZ)
    await caller.hears(AGENT_HZ[phone.user])
    return talk


def exits(centre: Centre) -> list[str]:
    return [event.exit for event in centre.told("QueueLeft") if isinstance(event, QueueLeft)]


def outcomes(centre: Centre) -> list[tuple[str, str]]:
    return [(e.agent, e.outcome) for e in centre.told("OfferEnded") if isinstance(e, OfferEnded)]


async def test_a_caller_presses_a_key_waits_and_talks_to_the_right_agent(centre: Centre) -> None:
    alice = await centre.phone("1001")
    caller = await queued(centre)
    talk = await talking(caller, alice)
    await asyncio.sleep(10)
    await caller.hangup()
    await talk.ended()
    await asyncio.sleep(1)
    assert caller.media.breaks() == []  # one SSRC, sequence and timestamp line through all of it
    assert exits(centre) == ["answered"]
    assert centre.switch.acd.invariants() == []
    assert centre.switch.engine.open_ports == 0
    assert centre.switch.endpoint.sessions == 0


@pytest.mark.parametrize("agent_codec", ["PCMU", "PCMA"])
@pytest.mark.parametrize("caller_codec", ["PCMU", "PCMA"])
async def test_both_laws_on_either_side(centre: Centre, caller_codec: str, agent_codec: str) -> None:
    alice = await centre.phone("1001", codecs=(agent_codec,))
    centre.carrier.codecs = (caller_codec,)  # type: ignore[assignment]
    caller = await queued(centre)
    talk = await talking(caller, alice)
    assert talk.media.breaks() == []
    await talk.hangup()
    await caller.ended()


async def test_the_record_of_a_call_tells_all_of_it(centre: Centre) -> None:
    alice = await centre.phone("1001")
    caller = await queued(centre)
    talk = await talking(caller, alice)
    await asyncio.sleep(5)
    await talk.hangup()
    assert await caller.ended() == "peer"
    await asyncio.sleep(1)
    left, right, rate_hz = read_stereo(next((centre.folder / "recordings").glob("*.wav")))
    middle = slice(2 * rate_hz, 4 * rate_hz)
    assert_tone(left[middle], CALLER_HZ)
    assert_tone(right[middle], AGENT_HZ["1001"])
    assert_no_tone(left[middle], AGENT_HZ["1001"])
    [finished] = [event for event in centre.told("RecordingFinished") if isinstance(event, RecordingFinished)]
    assert abs(len(left) / rate_hz - finished.seconds) < 0.05
    await centre.switch.keeper.flush()
    [cdr] = await centre.switch.keeper.store.cdrs()
    assert (cdr.caller, cdr.called, cdr.trunk) == ("13800138000", "4008123456", "carrier")
    assert (cdr.cause, cdr.sip_status, cdr.ended_by) == ("normal", 200, "us")
    assert [leg.agent for leg in cdr.legs] == ["alice"]
    assert cdr.digits[0].digits == "1"


async def test_times_in_the_record_are_those_of_the_messages(centre: Centre) -> None:
    alice = await centre.phone("1001")
    caller = await queued(centre)
    await talking(caller, alice)
    await caller.hangup()
    await asyncio.sleep(1)
    [answered] = [event for event in centre.told("CallAnswered") if isinstance(event, CallAnswered)]
    [ended] = [event for event in centre.told("CallEndedEvent") if isinstance(event, CallEndedEvent)]
    [ok] = [trace for trace in centre.carrier.seen("SIP/2.0 200", "in") if b"1 INVITE" in trace.data]
    [bye] = centre.carrier.seen("BYE", "out")
    assert abs(answered.at - ok.at) < 0.02
    assert abs(ended.at - bye.at) < 0.02


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        (Decline(486), "busy"),
        (Decline(603, after=1.0), "declined"),
        (Decline(480), "no_answer"),
        (Decline(500), "failed"),
        (Ignore(), "no_answer"),
    ],
)
async def test_the_next_agent_is_offered_the_call(centre: Centre, behaviour: object, outcome: str) -> None:
    await centre.phone("1001", behaviour)  # type: ignore[arg-type]
    bob = await centre.phone("1002")
    caller = await queued(centre)
    await talking(caller, bob)
    assert outcomes(centre) == [("alice", outcome), ("bob", "answered")]
    await caller.hangup()
    assert exits(centre) == ["answered"]


async def test_an_agent_who_is_not_registered_is_not_offered_a_call(centre: Centre) -> None:
    alice = await centre.phone("1001")
    bob = await centre.phone("1002")
    assert await alice.unregister() == 200
    caller = await queued(centre)
    await talking(caller, bob)
    assert outcomes(centre) == [("bob", "answered")]
    await caller.hangup()


async def test_an_agent_who_vanished_costs_one_ring_and_no_caller(centre: Centre) -> None:
    alice = await centre.phone("1001")
    bob = await centre.phone("1002")
    await alice.vanish()
    caller = await queued(centre)
    await talking(caller, bob)
    assert outcomes(centre) == [("alice", "unreachable"), ("bob", "answered")]
    await caller.hangup()


async def test_the_caller_hangs_up_while_ringing(centre: Centre) -> None:
    caller = await centre.carrier.call("4008000002")
    await caller.ringing()
    await caller.hangup()
    await asyncio.sleep(1)
    [ended] = [event for event in centre.told("CallEndedEvent") if isinstance(event, CallEndedEvent)]
    assert (ended.cause, ended.sip_status, ended.ended_by) == ("cancelled", 487, "caller")
    assert centre.switch.engine.open_ports == 0


async def test_the_caller_hangs_up_in_the_prompt(centre: Centre) -> None:
    caller = await centre.carrier.call("4008123456")
    await caller.answered()
    await caller.hears(WELCOME_HZ)
    await caller.hangup()
    await asyncio.sleep(1)
    assert len(centre.switch.calls) == 0
    assert exits(centre) == []


@pytest.mark.parametrize(("wait", "expected"), [(1.0, "short_abandoned"), (20.0, "abandoned")])
async def test_the_caller_hangs_up_in_the_queue(centre: Centre, wait: float, expected: str) -> None:
    caller = await queued(centre)
    await asyncio.sleep(wait)
    await caller.hangup()
    await asyncio.sleep(1)
    assert exits(centre) == [expected]
    assert len(centre.switch.calls) == 0


async def test_the_caller_hangs_up_while_the_agent_rings(centre: Centre) -> None:
    alice = await centre.phone("1001", Answer(after=8.0))
    caller = await queued(centre)
    ringing = await alice.next_call()
    await asyncio.sleep(6)
    await caller.hangup()
    await ringing.ended()
    await asyncio.sleep(1)
    assert outcomes(centre) == [("alice", "cancelled")]
    assert exits(centre) == ["abandoned"]
    snapshot = centre.switch.acd.snapshot()
    assert next(agent.state for agent in snapshot.agents if agent.name == "alice") == "ready"


async def test_ring_all_gives_the_call_to_the_first_and_cancels_the_rest(tmp_path: Path) -> None:
    extra = '[[agents]]\nname = "dave"\nuser = "1001"\nqueues = ["help"]\n'
    async with Centre(tmp_path, extra=extra) as centre:
        slow = await centre.phone("1001", Answer(after=9.0))
        quick = await centre.phone("1003", Answer(after=2.0))
        caller = await queued(centre, key="2")
        ringing = await slow.next_call()
        await talking(caller, quick)
        assert await ringing.ended() == "cancelled"
        assert sorted(outcomes(centre)) == [("carol", "answered"), ("dave", "cancelled")]
        await caller.hangup()
        await asyncio.sleep(1)
        assert centre.switch.acd.invariants() == []


async def test_nobody_answers_and_the_caller_leaves_by_the_time_limit(centre: Centre) -> None:
    caller = await queued(centre)
    assert await caller.ended(timeout=90) == "peer"
    assert exits(centre) == ["timed_out"]


async def test_wrap_up_keeps_an_agent_from_the_next_call(centre: Centre) -> None:
    alice = await centre.phone("1001")
    first = await queued(centre)
    talk = await talking(first, alice)
    second = await queued(centre)
    await talk.hangup()
    ended = asyncio.get_running_loop().time()
    talk = await alice.next_call()
    assert abs(asyncio.get_running_loop().time() - ended - 5.0) < 0.2
    await talk.answered()
    await second.hangup()


async def test_an_agent_on_a_call_of_its_own_is_not_offered_a_caller(centre: Centre) -> None:
    alice = await centre.phone("1001")
    bob = await centre.phone("1002")
    private = await centre.carrier.call("4008000005")
    await talking(private, alice)
    caller = await queued(centre)
    await talking(caller, bob)
    await caller.hangup()
    await private.hangup()
    own = await bob.call("4008000001")
    await own.answered()
    caller = await queued(centre)
    await talking(caller, alice)
    assert outcomes(centre) == [("bob", "answered"), ("alice", "answered")]
    await own.hangup()
    await caller.hangup()
    await asyncio.sleep(1)
    assert centre.switch.acd.invariants() == []


# -- what a number can do by configuration alone -------------------------------------------------------


async def test_echo(centre: Centre) -> None:
    caller = await centre.carrier.call("400-800-0001")
    await caller.answered()
    await caller.hears(CALLER_HZ)
    await caller.hangup()


async def test_busy(centre: Centre) -> None:
    caller = await centre.carrier.call("4008000003")
    await caller.ended()
    assert caller.status == 486


async def test_an_unknown_number_is_404(centre: Centre) -> None:
    caller = await centre.carrier.call("4009999999")
    await caller.ended()
    assert caller.status == 404


async def test_a_prompt_for_ever(centre: Centre) -> None:
    caller = await centre.carrier.call("4008000004")
    await caller.answered()
    await asyncio.sleep(7.5)
    await caller.hears(WELCOME_HZ)
    await caller.hangup()


async def test_straight_to_a_user_rings_the_caller_until_the_answer(centre: Centre) -> None:
    alice = await centre.phone("1001", Answer(after=3.0))
    caller = await centre.carrier.call("4008000005")
    await caller.ringing()
    assert caller.state == "ringing"
    await talking(caller, alice)
    await caller.hangup()


@pytest.mark.parametrize(("behaviour", "status"), [(Decline(486), 486), (Decline(603), 603)])
async def test_a_refusal_is_passed_on_to_the_caller(centre: Centre, behaviour: Decline, status: int) -> None:
    await centre.phone("1001", behaviour)
    caller = await centre.carrier.call("4008000005")
    await caller.ended()
    assert caller.status == status


async def test_a_user_without_a_phone_is_480(centre: Centre) -> None:
    caller = await centre.carrier.call("4008000005")
    await caller.ended()
    assert caller.status == 480


async def test_straight_to_a_queue(centre: Centre) -> None:
    alice = await centre.phone("1001")
    caller = await centre.carrier.call("4008000006")
    await talking(caller, alice)
    await caller.hangup()


def with_trunk(**settings: object) -> str:
    """The configuration with more settings for the carrier's trunk."""
    lines = "".join(f"{key} = {value!r}\n" for key, value in settings.items()).replace("'", '"')
    return CONFIG.replace('addresses = ["127.0.0.2"]\n', f'addresses = ["127.0.0.2"]\n{lines}')


async def test_a_trunk_carries_no_more_calls_than_it_may(tmp_path: Path) -> None:
    async with Centre(tmp_path, config=with_trunk(max_calls=1)) as centre:
        first = await centre.carrier.call("4008000001")
        await first.answered()
        second = await centre.carrier.call("4008000001")
        await second.ended()
        assert second.status == 503
        await first.hangup()
        await asyncio.sleep(1)
        third = await centre.carrier.call("4008000001")
        await third.answered()
        await third.hangup()


async def test_a_trunk_may_have_codecs_of_its_own(tmp_path: Path) -> None:
    async with Centre(tmp_path, config=with_trunk(codecs=["PCMA"])) as centre:
        caller = await centre.carrier.call("4008000001")
        await caller.answered()
        await caller.hears(CALLER_HZ)
        [ok] = [trace for trace in centre.carrier.seen("SIP/2.0 200", "in") if b"m=audio" in trace.data]
        assert b"RTP/AVP 8 101" in ok.data
        await caller.hangup()


async def test_a_bound_mobile_number_is_rung_over_the_trunk_with_its_own_caller_id(tmp_path: Path) -> None:
    extra = """
[[trunks]]
name = "mobile"
host = "127.0.3.3"
port = 5060
caller_id = "4008123456"
[[agents]]
name = "dave"
uri = "mobile/13800138001"
queues = ["away"]
[[queues]]
name = "away"
[[numbers]]
number = "4008000008"
to = "queue:away"
"""
    async with Centre(tmp_path, extra=extra) as centre:
        mobile = await centre.outside("13800138001", "127.0.3.3", tone_hz=2100.0)
        caller = await centre.carrier.call("4008000008")
        talk = await mobile.next_call()
        await talk.answered()
        await caller.hears(2100.0)
        [invite] = mobile.seen("INVITE", "in")
        assert invite.start == "INVITE sip:13800138001@127.0.3.3:5060 SIP/2.0"
        assert b"sip:4008123456@pbx.example.com" in invite.data
        await caller.hangup()
        await mobile.stop()


async def test_a_user_is_shown_as_its_account_says(tmp_path: Path) -> None:
    config = CONFIG.replace(
        'password = "secret-two-2"', 'password = "secret-two-2"\ndisplay = "Bob"\nnumber = "4008123457"'
    )
    async with Centre(tmp_path, config=config) as centre:
        alice = await centre.phone("1001")
        bob = await centre.phone("1002")
        own = await bob.call("4008000005")
        await own.answered()
        [invite] = alice.seen("INVITE", "in")
        assert b'From: "Bob" <sip:4008123457@pbx.example.com>' in invite.data
        await own.hangup()


# -- SIP in the middle of a call ---------------------------------------------------------------------------


async def test_hold_gives_the_other_side_music_and_resume_takes_it_away(centre: Centre) -> None:
    alice = await centre.phone("1001")
    caller = await queued(centre)
    talk = await talking(caller, alice)
    assert await talk.hold() == 200
    await caller.hears(MUSIC_HZ)
    assert await talk.resume() == 200
    await caller.hears(AGENT_HZ["1001"])
    await talk.hears(CALLER_HZ)
    assert await caller.hold() == 200
    await talk.hears(MUSIC_HZ)
    assert await caller.resume() == 200
    await talk.hears(CALLER_HZ)
    assert caller.media.breaks() == []
    await caller.hangup()


async def test_a_codec_change_in_mid_call_is_met_by_transcoding(centre: Centre) -> None:
    alice = await centre.phone("1001")
    caller = await queued(centre)
    talk = await talking(caller, alice)
    assert await talk.reinvite("sendrecv", codecs=("PCMA",)) == 200
    await asyncio.sleep(1)
    await caller.hears(AGENT_HZ["1001"])
    await talk.hears(CALLER_HZ)
    await caller.hangup()


async def test_a_refresh_is_relayed_to_the_other_side(centre: Centre) -> None:
    alice = await centre.phone("1001")
    caller = await queued(centre)
    talk = await talking(caller, alice)
    before = len(alice.seen("INVITE", "in"))
    assert await caller.reinvite("sendrecv") == 200
    assert len(alice.seen("INVITE", "in")) == before + 1
    await talk.hears(CALLER_HZ)
    await caller.hangup()


async def test_a_late_offer_is_answered_in_the_ack(centre: Centre) -> None:
    caller = await centre.carrier.call("4008000001", late_offer=True)
    await caller.answered()
    await caller.hears(CALLER_HZ)
    await caller.hangup()


async def test_keys_of_the_caller_reach_the_agent_as_events(centre: Centre) -> None:
    alice = await centre.phone("1001")
    caller = await queued(centre)
    talk = await talking(caller, alice)
    await caller.press("42#")
    await talk.gets_digits("42#")
    await caller.hangup()


# -- what is bad -------------------------------------------------------------------------------------------


async def test_no_codec_in_common_is_488(tmp_path: Path) -> None:
    config = CONFIG.replace('address = "127.0.0.1"', 'address = "127.0.0.1"\ncodecs = ["PCMA"]')
    async with Centre(tmp_path, config=config) as centre:
        centre.carrier.codecs = ("PCMU",)
        caller = await centre.carrier.call("4008123456")
        await caller.ended()
        assert caller.status == 488
        await asyncio.sleep(1)
        assert centre.switch.engine.open_ports == 0


async def test_no_port_left_is_503_and_live_calls_go_on(tmp_path: Path) -> None:
    config = CONFIG.replace('address = "127.0.0.1"', 'address = "127.0.0.1"\nports = [20000, 20003]')
    async with Centre(tmp_path, config=config) as centre:
        alice = await centre.phone("1001")
        caller = await queued(centre)
        talk = await talking(caller, alice)
        late = await centre.carrier.call("4008123456")
        await late.ended()
        assert late.status == 503
        await talk.hears(CALLER_HZ)
        await caller.hangup()


async def test_a_caller_whose_media_stops_is_hung_up(centre: Centre) -> None:
    alice = await centre.phone("1001")
    caller = await queued(centre)
    talk = await talking(caller, alice)
    caller.media.close()
    await talk.ended(timeout=60)
    await asyncio.sleep(1)
    [ended] = [event for event in centre.told("CallEndedEvent") if isinstance(event, CallEndedEvent)]
    assert ended.cause == "media_timeout"


async def test_a_missing_prompt_sounds_as_a_tone_and_the_call_goes_on(tmp_path: Path) -> None:
    extra = '[[numbers]]\nnumber = "4008000007"\nto = "play:nowhere"\n'
    async with Centre(tmp_path, extra=extra) as centre:
        caller = await centre.carrier.call("4008000007")
        await caller.answered()
        await caller.hears(520.0)  # the fallback tone
        await caller.hangup()


async def test_drain_refuses_new_calls_and_lets_live_ones_end(centre: Centre) -> None:
    alice = await centre.phone("1001")
    caller = await queued(centre)
    talk = await talking(caller, alice)
    draining = asyncio.ensure_future(centre.switch.drain(600))
    await asyncio.sleep(0.1)
    late = await centre.carrier.call("4008123456")
    await late.ended()
    assert late.status == 503
    me = NameAddr(SipUri(user="carrier", host="127.0.0.2"))
    alive = await centre.carrier.endpoint.request(
        "OPTIONS", SipUri(host="127.0.0.1", port=5060), from_=me, to=me
    )
    assert alive.status == 503  # so that the carrier sends its next calls elsewhere
    await talk.hears(CALLER_HZ)
    await caller.hangup()
    assert await draining == 0


async def test_an_agent_whose_stream_is_cut_is_offline_soon(centre: Centre) -> None:
    alice = await centre.phone("1001", transport="tcp")
    assert next(agent.state for agent in centre.switch.acd.snapshot().agents) == "ready"
    await alice.vanish()
    await asyncio.sleep(3)
    assert next(agent.state for agent in centre.switch.acd.snapshot().agents) == "offline"


async def test_an_agent_who_closes_its_stream_but_listens_stays_reachable(centre: Centre) -> None:
    alice = await centre.phone("1001", transport="tcp")
    for flow in list(centre.switch.endpoint.manager._streams.values()):
        flow.close()
    await asyncio.sleep(3)
    caller = await queued(centre)
    await talking(caller, alice)
    await caller.hangup()


async def test_the_statistics_of_each_leg_are_in_its_record(centre: Centre) -> None:
    alice = await centre.phone("1001")
    caller = await queued(centre)
    await talking(caller, alice)
    await asyncio.sleep(12)
    await caller.hangup()
    await asyncio.sleep(1)
    [leg] = [event for event in centre.told("LegEnded") if isinstance(event, LegEnded)]
    assert leg.stats is not None
    assert leg.stats.packets_received > 500
    assert leg.stats.lost == 0
    assert leg.stats.mos is not None
    assert leg.stats.mos > 4.0


async def test_an_agent_who_never_came_is_offline_since_the_start(centre: Centre) -> None:
    await asyncio.sleep(7)
    now = centre.switch.clock.now()
    [bob] = [agent for agent in centre.switch.acd.snapshot().agents if agent.name == "bob"]
    assert bob.state == "offline"
    assert abs(now - bob.since - 7.0) < 0.1


async def test_the_position_is_announced_and_an_answer_cuts_it(tmp_path: Path) -> None:
    config = CONFIG.replace("max_wait = 60", "max_wait = 60\nannounce_position = true")
    async with Centre(tmp_path, config=config) as centre:
        for name, frequency_hz in (
            ("queue_position", 900.0),
            *((part, 1150.0) for part in say("number", 1, "en")),
        ):
            path = tmp_path / "prompts" / f"{name}.wav"
            path.parent.mkdir(exist_ok=True)
            write_wav(path, tone(frequency_hz, 3.0))
        caller = await centre.carrier.call("4008000006")
        await caller.answered()
        await caller.hears(900.0)
        await caller.hears(1150.0)
        await caller.hears(MUSIC_HZ)
        await caller.hears(900.0, timeout=40)  # again, while it waits
        alice = await centre.phone("1001", Answer(after=0.1))
        talk = await alice.next_call()
        await talk.answered()
        began = asyncio.get_running_loop().time()
        await caller.hears(AGENT_HZ["1001"])
        assert asyncio.get_running_loop().time() - began < 0.1 + 0.2  # hears() wants 0.2 s of the tone
        await caller.hangup()


async def test_a_cancel_in_the_same_read_as_its_invite(centre: Centre) -> None:
    """Over TCP, and over UDP when we are busy, both are there before the call has begun."""
    inbound = centre.switch.endpoint.inbound
    flow = centre.switch.endpoint.listeners[0].flow_to(Address(CARRIER, 5062))
    for method in ("INVITE", "CANCEL"):
        message = (
            f"{method} sip:4008000002@127.0.0.1 SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {CARRIER}:5062;branch=z9hG4bKsame\r\nMax-Forwards: 70\r\n"
            f"From: <sip:13800138000@{CARRIER}>;tag=a\r\nTo: <sip:4008000002@127.0.0.1>\r\n"
            f"Call-ID: same\r\nCSeq: 1 {method}\r\nContact: <sip:{CARRIER}:5062>\r\nContent-Length: 0\r\n\r\n"
        )
        inbound.datagram_received(message.encode(), flow)
    await asyncio.sleep(1)
    assert centre.switch.calls.live() == []
    [ended] = centre.told("CallEndedEvent")
    assert ended.cause == "cancelled"  # type: ignore[attr-defined]
