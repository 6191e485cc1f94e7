"""Transfers, asked for by phones and by programs, as whole calls with proof by tones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, CONFIG, MUSIC_HZ, WELCOME_HZ, Centre

from sipcc import Call
from sipcc.call.events import CallEndedEvent, TransferCompleted, TransferFailed, TransferStarted
from sipcc.sip import InviteSession
from sipcc.testing.fakecall import FakeCall
from sipcc.testing.phone import Answer, Deaf, Decline, FakePhone, Ignore

RINGING_HZ = 450.0


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[Centre]:
    """A centre that must be empty again in the end."""
    async with Centre(tmp_path) as centre:
        yield centre
        await asyncio.sleep(3)
        assert nothing_left(centre) == {}


def nothing_left(centre: Centre) -> dict[str, int]:
    """What is still up, by name."""
    found = {
        "calls": len(centre.switch.calls),
        "sessions": centre.switch.endpoint.sessions,
        "ports": centre.switch.engine.open_ports,
    }
    assert centre.switch.acd.invariants() == []
    return {name: count for name, count in found.items() if count}


async def hear_each_other(one: FakeCall, one_hz: float, other: FakeCall, other_hz: float) -> None:
    await one.hears(other_hz)
    await other.hears(one_hz)


async def talk_to_alice(
    centre: Centre, alice: FakePhone, number: str = "4008000005"
) -> tuple[FakeCall, FakeCall]:
    """A caller from outside who talks to alice at 1001, and alice's side of it."""
    caller = await centre.carrier.call(number)
    await caller.answered(timeout=30)
    talk = await alice.next_call()
    await talk.answered()
    await hear_each_other(caller, CALLER_HZ, talk, AGENT_HZ["1001"])
    return caller, talk


def told(centre: Centre, kind: type) -> list[object]:
    return [event for event in centre.events if isinstance(event, kind)]


@pytest.mark.parametrize("held", [False, True])
async def test_blind(centre: Centre, held: bool) -> None:
    alice, bob = await centre.phone("1001"), await centre.phone("1002", Answer(after=2.0))
    caller, talk = await talk_to_alice(centre, alice)
    if held:
        assert await talk.hold() == 200
        await caller.hears(MUSIC_HZ)
    assert await talk.refer("sip:1002@pbx.example.com") == 202
    ringing = await bob.next_call()
    assert ringing.request is not None
    assert ringing.request.headers.get("Referred-By") == "<sip:1001@pbx.example.com>"
    assert ringing.request.from_.uri.user == "13800138000"
    await talk.told(180)
    await caller.hears(RINGING_HZ)
    await talk.told(200)
    assert await talk.ended() == "peer"
    assert talk.progress == [100, 180, 200]
    await hear_each_other(caller, CALLER_HZ, ringing, AGENT_HZ["1002"])
    assert caller.media.breaks() == []
    [done] = told(centre, TransferCompleted)
    assert isinstance(done, TransferCompleted)
    assert done.kind == "blind"
    await caller.hangup()
    await ringing.ended()


async def test_blind_to_somebody_who_is_busy_returns_to_the_transferor(centre: Centre) -> None:
    alice = await centre.phone("1001")
    await centre.phone("1002", Decline(486, after=1.0))
    caller, talk = await talk_to_alice(centre, alice)
    assert await talk.refer("sip:1002@pbx.example.com") == 202
    await talk.told(486)
    await hear_each_other(caller, CALLER_HZ, talk, AGENT_HZ["1001"])
    [failed] = told(centre, TransferFailed)
    assert isinstance(failed, TransferFailed)
    assert failed.sip_status == 486
    assert await talk.refer("sip:1002@pbx.example.com") == 202  # and once more in the same dialog
    await asyncio.sleep(2)
    assert talk.progress == [100, 180, 486] * 2
    events = [r.headers.get("Event") for r in talk.requests if r.method == "NOTIFY"]
    assert events[0] == "refer"
    assert events[-1] is not None
    assert events[-1].startswith("refer;id=")
    await talk.hangup()
    await caller.ended()


async def test_blind_that_nobody_answers_returns(centre: Centre) -> None:
    alice = await centre.phone("1001")
    await centre.phone("1002", Ignore())
    caller, talk = await talk_to_alice(centre, alice)
    assert await talk.refer("sip:1002@pbx.example.com") == 202
    await talk.told(480, timeout=40)
    await hear_each_other(caller, CALLER_HZ, talk, AGENT_HZ["1001"])
    await caller.hangup()
    await talk.ended()


async def test_a_transferor_who_hung_up_is_rung_again_when_the_transfer_fails(centre: Centre) -> None:
    alice = await centre.phone("1001")
    await centre.phone("1002", Decline(603, after=3.0))
    caller, talk = await talk_to_alice(centre, alice)
    assert await talk.refer("sip:1002@pbx.example.com") == 202
    await talk.told(180)
    await talk.hangup()
    back = await alice.next_call()
    await back.answered()
    await hear_each_other(caller, CALLER_HZ, back, AGENT_HZ["1001"])
    assert 603 in talk.progress  # told in the dialog that the subscription kept
    await back.hangup()
    await caller.ended()


async def test_the_caller_leaves_while_the_target_rings(centre: Centre) -> None:
    alice, bob = await centre.phone("1001"), await centre.phone("1002", Ignore())
    caller, talk = await talk_to_alice(centre, alice)
    assert await talk.refer("sip:1002@pbx.example.com") == 202
    ringing = await bob.next_call()
    await talk.told(180)
    await caller.hangup()
    await ringing.ended()
    await talk.ended()
    await asyncio.sleep(1)
    assert talk.progress[-1] == 487


async def test_the_target_transfers_in_its_turn(centre: Centre) -> None:
    alice, bob = await centre.phone("1001"), await centre.phone("1002")
    carol = await centre.phone("1003")
    caller, talk = await talk_to_alice(centre, alice)
    await talk.refer("sip:1002@pbx.example.com")
    second = await bob.next_call()
    await hear_each_other(caller, CALLER_HZ, second, AGENT_HZ["1002"])
    assert await second.refer("sip:1003@pbx.example.com") == 202
    third = await carol.next_call()
    await hear_each_other(caller, CALLER_HZ, third, AGENT_HZ["1003"])
    await second.ended()
    await third.hangup()
    await caller.ended()


async def test_a_user_who_placed_the_call_transfers_the_other_side(centre: Centre) -> None:
    alice, bob = await centre.phone("1001"), await centre.phone("1002", Answer(after=2.0))
    carol = await centre.phone("1003")
    call = await carol.call("4008000005")
    await call.answered(timeout=30)
    talk = await alice.next_call()
    await hear_each_other(call, AGENT_HZ["1003"], talk, AGENT_HZ["1001"])
    assert await call.refer("sip:1002@pbx.example.com") == 202
    ringing = await bob.next_call()
    assert ringing.request is not None
    assert ringing.request.from_.uri.user == "1001"  # whom bob will talk to, not who sends him
    await talk.hears(RINGING_HZ)
    await call.told(200)
    await call.ended()
    await hear_each_other(talk, AGENT_HZ["1001"], ringing, AGENT_HZ["1002"])
    await talk.hangup()
    await ringing.ended()


async def test_a_user_who_placed_the_call_gets_it_back(centre: Centre) -> None:
    alice, carol = await centre.phone("1001"), await centre.phone("1003")
    await centre.phone("1002", Decline(486))
    call = await carol.call("4008000005")
    await call.answered(timeout=30)
    talk = await alice.next_call()
    await hear_each_other(call, AGENT_HZ["1003"], talk, AGENT_HZ["1001"])
    await call.refer("sip:1002@pbx.example.com")
    await call.told(486)
    await hear_each_other(call, AGENT_HZ["1003"], talk, AGENT_HZ["1001"])
    await call.hangup()
    await talk.ended()


async def test_a_transfer_out_of_a_queue_ends_the_talk_and_not_the_call(centre: Centre) -> None:
    alice, carol = await centre.phone("1001"), await centre.phone("1003")
    await centre.phone("1002", Ignore())
    caller, talk = await talk_to_alice(centre, alice, "4008000006")
    await talk.refer("sip:1003@pbx.example.com")
    other = await carol.next_call()
    await hear_each_other(caller, CALLER_HZ, other, AGENT_HZ["1003"])
    await talk.ended()
    await asyncio.sleep(1)
    states = {agent.name: agent.state for agent in centre.switch.acd.snapshot().agents}
    assert states["alice"] == "wrap_up"
    assert len(centre.switch.calls) == 1
    await asyncio.sleep(10)
    await hear_each_other(caller, CALLER_HZ, other, AGENT_HZ["1003"])
    await other.hangup()
    await caller.ended()


# -- attended ---------------------------------------------------------------------------------------------


async def test_attended(centre: Centre) -> None:
    alice, bob = await centre.phone("1001"), await centre.phone("1002")
    caller, talk = await talk_to_alice(centre, alice)
    await talk.hold()
    await caller.hears(MUSIC_HZ)
    consult = await alice.call("4008000009")
    await consult.answered(timeout=30)
    other = await bob.next_call()
    await hear_each_other(consult, AGENT_HZ["1001"], other, AGENT_HZ["1002"])
    await consult.hold()
    assert await talk.refer("sip:1002@pbx.example.com", replaces=consult) == 202
    await talk.told(200)
    await talk.ended()
    await consult.ended()
    await hear_each_other(caller, CALLER_HZ, other, AGENT_HZ["1002"])
    assert len(centre.switch.calls) == 1
    await other.hangup()
    await caller.ended()
    await asyncio.sleep(1)
    causes = [event.cause for event in told(centre, CallEndedEvent) if isinstance(event, CallEndedEvent)]
    assert sorted(causes) == ["normal", "transferred"]


async def test_attended_between_two_callers_of_one_agent(centre: Centre) -> None:
    alice = await centre.phone("1001")
    first, talk = await talk_to_alice(centre, alice)
    await talk.hold()
    second = await centre.carrier.call("4008000005", caller="13900139000", tone_hz=2200)
    await second.answered(timeout=30)
    other = await alice.next_call()
    await second.hears(AGENT_HZ["1001"])
    assert await other.refer("sip:x@pbx.example.com", replaces=talk) == 202
    await other.told(200)
    await talk.ended()
    await other.ended()
    await hear_each_other(first, CALLER_HZ, second, 2200)
    await first.hangup()
    await second.ended()


async def test_attended_where_the_agent_placed_both_calls(centre: Centre) -> None:
    alice, bob = await centre.phone("1001"), await centre.phone("1002")
    carol = await centre.phone("1003")
    one = await bob.call("4008000005")
    await one.answered(timeout=30)
    first = await alice.next_call()
    await one.hold()
    two = await bob.call("4008000010")
    await two.answered(timeout=30)
    second = await carol.next_call()
    await hear_each_other(two, AGENT_HZ["1002"], second, AGENT_HZ["1003"])
    assert await one.refer("sip:1003@pbx.example.com", replaces=two) == 202
    await one.ended()
    await two.ended()
    await hear_each_other(first, AGENT_HZ["1001"], second, AGENT_HZ["1003"])
    await first.hangup()
    await second.ended()


async def test_semi_attended_while_the_other_one_rings(centre: Centre) -> None:
    alice, bob = await centre.phone("1001"), await centre.phone("1002", Answer(after=6.0))
    caller, talk = await talk_to_alice(centre, alice)
    await talk.hold()
    consult = await alice.call("4008000009")
    await consult.ringing()
    ringing = await bob.next_call()
    assert await talk.refer("sip:1002@pbx.example.com", replaces=consult) == 202
    await talk.ended()
    await consult.ended()
    await caller.hears(RINGING_HZ)
    await ringing.answered()
    await hear_each_other(caller, CALLER_HZ, ringing, AGENT_HZ["1002"])
    await ringing.hangup()
    await caller.ended()


async def test_semi_attended_returns_to_the_transferor_when_nobody_answers(centre: Centre) -> None:
    alice, bob = await centre.phone("1001"), await centre.phone("1002", Decline(486, after=4.0))
    caller, talk = await talk_to_alice(centre, alice)
    await talk.hold()
    consult = await alice.call("4008000009")
    await bob.next_call()
    await consult.ringing()
    assert await talk.refer("sip:1002@pbx.example.com", replaces=consult) == 202
    await talk.ended()
    back = await alice.next_call()
    await hear_each_other(caller, CALLER_HZ, back, AGENT_HZ["1001"])
    await back.hangup()
    await caller.ended()


async def test_a_caller_is_put_into_a_menu_that_the_agent_has_called(centre: Centre) -> None:
    alice = await centre.phone("1001")
    caller, talk = await talk_to_alice(centre, alice)
    await talk.hold()
    consult = await alice.call("4008000004")
    await consult.answered()
    await consult.hears(WELCOME_HZ)
    assert await talk.refer("sip:x@pbx.example.com", replaces=consult) == 202
    await talk.ended()
    await caller.hears(WELCOME_HZ)
    await caller.hangup()


# -- refused (reliability A09) ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://example.com/", 416),
        ("sip:1002@pbx.example.com;method=BYE", 403),
        ("sip:1002@pbx.example.com?Route=%3Csip:127.0.0.9%3E", 403),
        ("sip:nobody@pbx.example.com", 404),
        ("sip:menu%3Anope@pbx.example.com", 404),
        ("sip:agent%3Anope@pbx.example.com", 404),
        ("sip:1002@pbx.example.com?Replaces=guess%40x%3Bto-tag%3D1%3Bfrom-tag%3D2", 481),
        ("sip:1002@pbx.example.com?Replaces=x", 400),
    ],
)
async def test_what_a_refer_must_not_do(centre: Centre, target: str, status: int) -> None:
    alice = await centre.phone("1001")
    caller, talk = await talk_to_alice(centre, alice)
    assert await talk.refer(target) == status
    await hear_each_other(caller, CALLER_HZ, talk, AGENT_HZ["1001"])
    assert told(centre, TransferStarted) == []
    await caller.hangup()
    await talk.ended()


async def test_nobody_transfers_by_the_dialog_of_another_user(centre: Centre) -> None:
    alice, bob = await centre.phone("1001"), await centre.phone("1002")
    carol = await centre.phone("1003")
    caller, talk = await talk_to_alice(centre, alice)
    foreign = await carol.call("4008000009")
    await foreign.answered(timeout=30)
    other = await bob.next_call()
    assert await talk.refer("sip:1002@pbx.example.com", replaces=foreign) == 403
    await hear_each_other(foreign, AGENT_HZ["1003"], other, AGENT_HZ["1002"])
    await foreign.hangup()
    await caller.hangup()
    await other.ended()
    await talk.ended()


async def test_a_carrier_does_not_transfer(centre: Centre) -> None:
    alice = await centre.phone("1001")
    caller, talk = await talk_to_alice(centre, alice)
    assert await caller.refer("sip:1002@pbx.example.com") == 403
    await caller.hangup()
    await talk.ended()


@pytest.mark.parametrize("target", ["tel:+18821234567", "sip:x@127.0.0.77"])
async def test_a_transfer_meets_the_toll_guard(tmp_path: Path, target: str) -> None:
    extra = '[dialling]\ncountry = "86"\n[toll]\nallow = ["national"]\n'
    async with Centre(tmp_path, extra=extra) as centre:
        alice = await centre.phone("1001")
        caller, talk = await talk_to_alice(centre, alice)
        assert await talk.refer(target) == 202
        await talk.told(403)
        await hear_each_other(caller, CALLER_HZ, talk, AGENT_HZ["1001"])
        assert centre.carrier.seen("INVITE", "in") == []
        await caller.hangup()
        await talk.ended()


async def test_transfers_of_one_leg_are_rare(centre: Centre) -> None:
    alice = await centre.phone("1001")
    caller, talk = await talk_to_alice(centre, alice)
    statuses = [await talk.refer("sip:nobody@pbx.example.com") for _ in range(20)]
    assert statuses == [404] * 5 + [503] * 15
    await caller.hangup()
    await talk.ended()


async def test_a_second_refer_waits_its_turn(centre: Centre) -> None:
    alice = await centre.phone("1001")
    await centre.phone("1002", Ignore())
    caller, talk = await talk_to_alice(centre, alice)
    assert await talk.refer("sip:1002@pbx.example.com") == 202
    assert await talk.refer("sip:1002@pbx.example.com") == 491
    await caller.hangup()
    await talk.ended()


async def test_an_unwanted_subscription_is_not_made(centre: Centre) -> None:
    alice, bob = await centre.phone("1001"), await centre.phone("1002")
    caller, talk = await talk_to_alice(centre, alice)
    headers = [("Refer-To", "<sip:1002@pbx.example.com>"), ("Refer-Sub", "false")]
    assert await talk.send("REFER", headers=headers) == 202
    other = await bob.next_call()
    await hear_each_other(caller, CALLER_HZ, other, AGENT_HZ["1002"])
    assert talk.progress == []
    await caller.hangup()
    await other.ended()


# -- INVITE with Replaces (RFC 3891) ----------------------------------------------------------------------


async def test_a_ringing_call_is_picked_up_at_another_phone(centre: Centre) -> None:
    alice, bob = await centre.phone("1001", Ignore()), await centre.phone("1002")
    caller = await centre.carrier.call("4008000005")
    ringing = await alice.next_call()
    await caller.ringing()
    pickup = await bob.call("1001", headers=[("Replaces", f"{ringing.dialog};early-only")])
    await pickup.answered()
    await ringing.ended()
    await caller.answered()
    await hear_each_other(caller, CALLER_HZ, pickup, AGENT_HZ["1002"])
    await pickup.hangup()
    await caller.ended()


async def test_who_gives_up_in_the_moment_of_picking_up_takes_nothing(centre: Centre) -> None:
    """CANCEL in the same read as the INVITE with Replaces: the phone that rings goes on ringing."""
    alice, bob = await centre.phone("1001", Ignore()), await centre.phone("1002")
    caller = await centre.carrier.call("4008000005")
    ringing = await alice.next_call()
    await caller.ringing()
    endpoint = centre.switch.endpoint
    door = endpoint.on_invite
    assert door is not None

    def cancelled_at_once(session: InviteSession) -> None:
        door(session)
        session.receive_cancel(session._transaction)  # type: ignore[attr-defined]

    endpoint.on_invite = cancelled_at_once
    pickup = await bob.call("1001", headers=[("Replaces", f"{ringing.dialog};early-only")])
    assert await pickup.ended() == "rejected"
    assert pickup.status == 487
    await asyncio.sleep(1)
    assert ringing.state != "ended"
    assert caller.state != "ended"
    await caller.hangup()
    await ringing.ended()


async def test_a_talk_goes_on_at_another_phone_of_the_same_user(centre: Centre) -> None:
    alice = await centre.phone("1001")
    caller, talk = await talk_to_alice(centre, alice)
    there = await alice.call("1001", headers=[("Replaces", str(talk.dialog)), ("Require", "replaces")])
    await there.answered()
    assert await talk.ended() == "peer"
    await hear_each_other(caller, CALLER_HZ, there, AGENT_HZ["1001"])
    await caller.hangup()
    await there.ended()


@pytest.mark.parametrize(
    ("who", "flag", "status"), [("1001", ";early-only", 486), ("1002", "", 403), ("1001", "x", 481)]
)
async def test_what_may_not_be_taken_over(centre: Centre, who: str, flag: str, status: int) -> None:
    alice, bob = await centre.phone("1001"), await centre.phone("1002")
    caller, talk = await talk_to_alice(centre, alice)
    value = f"{talk.dialog}{flag}" if flag != "x" else f"{talk.dialog}x"
    attempt = await {"1001": alice, "1002": bob}[who].call("1001", headers=[("Replaces", value)])
    await attempt.ended()
    assert attempt.status == status
    await hear_each_other(caller, CALLER_HZ, talk, AGENT_HZ["1001"])
    await caller.hangup()
    await talk.ended()


# -- by a program -----------------------------------------------------------------------------------------


def program(tmp_path: Path, handler: object, extra: str = "") -> Centre:
    config = CONFIG.replace('number = "4008000001"\nto = "echo"', 'number = "4008000001"\nto = "app:bench"')
    return Centre(tmp_path, config=config, extra=extra, apps={"bench": handler})  # type: ignore[dict-item]


@pytest.mark.parametrize("takes", [True, False])
async def test_a_program_refers_the_caller_or_connects_it_by_itself(tmp_path: Path, takes: bool) -> None:
    outcomes: list[int] = []

    async def bench(call: Call) -> None:
        await call.answer()
        outcomes.append(await call.refer("1002"))

    async with program(tmp_path, bench) as centre:
        bob = await centre.phone("1002")
        if takes:
            centre.carrier.endpoint.outbound.allow_also("REFER")
        caller = await centre.carrier.call("4008000001")
        if takes:
            caller.takes = lambda inbound: inbound.reply(202)
        await caller.answered()
        if takes:
            await asyncio.sleep(1)
            [refer] = [request for request in caller.requests if request.method == "REFER"]
            assert refer.headers.get("Refer-To") == "<sip:1002@pbx.example.com>"
            notify = [("Event", "refer"), ("Subscription-State", "terminated;reason=noresource")]
            body = b"SIP/2.0 200 OK\r\n"
            assert (
                await caller.send("NOTIFY", headers=notify, body=body, content_type="message/sipfrag") == 200
            )
            assert await caller.ended() == "peer"
        else:
            other = await bob.next_call()
            await hear_each_other(caller, CALLER_HZ, other, AGENT_HZ["1002"])
            await other.hangup()
            await caller.ended()
        assert outcomes == [200]
        await asyncio.sleep(3)
        assert nothing_left(centre) == {}


async def test_a_program_transfers_and_goes_on_when_the_caller_is_free_again(tmp_path: Path) -> None:
    async def bench(call: Call) -> None:
        leg = await call.dial("1001")
        call.context.scope.spawn(swap(call), name="swap")
        talk = await call.bridge(leg)
        assert talk.transferred
        await call.play("welcome")  # waits for the end of what the transfer began

    async def swap(call: Call) -> None:
        await asyncio.sleep(2)
        assert await call.transfer("1003") == 486
        await asyncio.sleep(2)
        assert await call.transfer("1002") == 200

    async with program(tmp_path, bench) as centre:
        alice, bob = await centre.phone("1001"), await centre.phone("1002", Answer(after=1.0))
        await centre.phone("1003", Decline(486))
        caller = await centre.carrier.call("4008000001")
        await caller.answered()
        first = await alice.next_call()
        await hear_each_other(caller, CALLER_HZ, first, AGENT_HZ["1001"])
        second = await bob.next_call()
        await first.ended()
        await hear_each_other(caller, CALLER_HZ, second, AGENT_HZ["1002"])
        await asyncio.sleep(5)
        await second.hangup()
        await caller.hears(WELCOME_HZ)
        await caller.ended()
        await asyncio.sleep(3)
        assert nothing_left(centre) == {}


async def test_a_program_calls_without_an_offer(tmp_path: Path) -> None:
    async def bench(call: Call) -> None:
        [place] = call.context.locator.locate("1001")
        await call.bridge(await call.dial(msgspec.structs.replace(place, offer=False)))

    async with program(tmp_path, bench) as centre:
        alice = await centre.phone("1001")
        caller = await centre.carrier.call("4008000001")
        talk = await alice.next_call()
        assert talk.request is not None
        assert talk.request.body == b""
        await caller.answered()
        await hear_each_other(caller, CALLER_HZ, talk, AGENT_HZ["1001"])
        await talk.hangup()
        await caller.ended()
        await asyncio.sleep(3)
        assert nothing_left(centre) == {}


# -- 302 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contact", "status"),
    [("sip:1002@pbx.example.com", 200), ("sip:stranger@127.0.0.77", 0), ("sip:1001@pbx.example.com", 0)],
)
async def test_a_redirection_is_followed_to_our_own_only(centre: Centre, contact: str, status: int) -> None:
    alice, bob = await centre.phone("1001", Deaf()), await centre.phone("1002")
    caller = await centre.carrier.call("4008000005")
    (await alice.next_call()).redirect(contact)
    if status:
        await caller.answered()
        other = await bob.next_call()
        await hear_each_other(caller, CALLER_HZ, other, AGENT_HZ["1002"])
        await caller.hangup()
        await other.ended()
    else:
        await caller.ended()
        assert caller.status >= 300
        assert len(bob.calls) == 0


async def test_redirections_are_refused_where_the_settings_say_so(tmp_path: Path) -> None:
    async with Centre(tmp_path, extra='[calls]\nredirect = "refuse"\n') as centre:
        alice, bob = await centre.phone("1001", Deaf()), await centre.phone("1002")
        caller = await centre.carrier.call("4008000005")
        (await alice.next_call()).redirect("sip:1002@pbx.example.com")
        await caller.ended()
        assert len(bob.calls) == 0


# -- requests between the parties ---------------------------------------------------------------------------


async def test_messages_and_infos_reach_the_other_side(centre: Centre) -> None:
    alice = await centre.phone("1001")
    caller, talk = await talk_to_alice(centre, alice)
    assert await talk.send("MESSAGE", body="你好".encode(), content_type="text/plain;charset=UTF-8") == 200
    [message] = [request for request in caller.requests if request.method == "MESSAGE"]
    assert message.body == "你好".encode()
    assert message.headers.get("Content-Type") == "text/plain;charset=UTF-8"
    assert await caller.send("INFO", body=b"<x/>", content_type="application/media_control+xml") == 200
    assert [request.body for request in talk.infos] == [b"<x/>"]
    assert await caller.send("PUBLISH") == 405
    assert await caller.send("OPTIONS") == 200
    await caller.hangup()
    await talk.ended()
