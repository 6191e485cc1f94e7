"""The rows A01-A06, A08, B01-B05 and B09 of the reliability catalogue, against a whole switch in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.faults.attacker import GUARDED, STRANGER, Attacker
from tests.flow.centre import CARRIER, SWITCH, Centre

from sipcc.sip.auth import challenges
from sipcc.sip.message import METHODS, Request, Response
from sipcc.sip.parser import parse_datagram
from sipcc.testing.fakecall import FakeCall
from sipcc.testing.phone import Answer

STATELESS = {401, 403, 405, 481, 501}


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[Centre]:
    async with Centre(tmp_path, extra=GUARDED) as made:
        yield made
        assert made.switch.endpoint.counters["crashes"] == 0
        assert made.switch.endpoint.counters["handler_crashes"] == 0


async def talking(centre: Centre) -> tuple[FakeCall, FakeCall]:
    """A caller of the carrier and the agent 1001, in a call."""
    alice = await centre.phone("1001", Answer(after=0.2))
    caller = await centre.carrier.call("4008000005")
    agent = await alice.next_call()
    await caller.answered()
    await asyncio.sleep(1.0)
    return caller, agent


# -- strangers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [*sorted(METHODS), "DANCE"])
async def test_a_stranger_gets_one_short_answer_and_leaves_nothing_behind(
    centre: Centre, method: str
) -> None:
    attacker = Attacker(centre)
    before = len(centre.switch.endpoint.layer)
    attacker.throw(attacker.request(method))
    answers = await attacker.answers(40.0)  # long enough for Timer G, had there been a transaction
    if method == "ACK":
        assert answers == []
    else:
        [data] = answers
        answer = parse_datagram(data)
        assert isinstance(answer, Response)
        assert answer.status in STATELESS
        assert len(data) <= 1.3 * attacker.sent_bytes
    assert len(centre.switch.endpoint.layer) == before
    assert centre.switch.endpoint.sessions == 0


async def test_cancels_of_a_stranger_are_answered_without_memory_and_are_an_offence(centre: Centre) -> None:
    attacker = Attacker(centre)
    before = len(centre.switch.endpoint.layer)
    answered = 0
    for number in range(600):
        data = attacker.request("CANCEL", number=number).replace(b"From: ", b"f:").replace(b"Via: ", b"v:")
        attacker.throw(data)
        for answer in await attacker.answers(0.1):
            answered += 1
            assert len(answer) <= 1.3 * len(data)
    assert answered >= 100
    assert len(centre.switch.endpoint.layer) == before
    assert centre.switch.guard.bans(now=centre.switch.clock.now())


async def test_questions_by_stun_have_a_rate_too(centre: Centre) -> None:
    attacker = Attacker(centre)
    for _ in range(1000):
        attacker.throw(b"\x00\x01\x00\x00\x21\x12\xa4\x42" + b"t" * 12)
    assert 0 < len(await attacker.answers()) <= 100


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "OPTIONS", "SUBSCRIBE", "MESSAGE"])
async def test_real_and_unknown_names_get_the_same_answer(centre: Centre, method: str) -> None:
    seen = set()
    for i, name in enumerate(("1001", "1002", "7777", "abcd")):
        attacker = Attacker(centre, port=7001 + i)
        answer = await attacker.ask(attacker.request(method, user=name))
        assert answer is not None
        seen.add((answer.status, tuple(header for header, _ in answer.headers), len(bytes(answer))))
    assert len(seen) == 1


@pytest.mark.parametrize(
    "extra",
    [
        "P-Asserted-Identity: <sip:13800138000@ims.example.net>\r\n",
        "X-Internal : yes\r\n",
        f"Record-Route: <sip:{CARRIER};lr>\r\n",
        f"X-Forwarded-For: {CARRIER}\r\n",
    ],
)
async def test_no_header_makes_a_carrier_of_a_stranger(centre: Centre, extra: str) -> None:
    attacker = Attacker(centre)
    data = attacker.request("INVITE", extra=extra).replace(b";rport", f";rport;received={CARRIER}".encode())
    answer = await attacker.ask(data)
    assert answer is not None
    assert answer.status in {400, 401}
    assert centre.told("CallStarted") == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Call-ID:", b"Call-ID: other\r\nCall-ID:"),
        (b"From:", b"From: <sip:a@b>;tag=1\r\nFrom:"),
        (b"To:", b"To\x01:"),
        (b"CSeq: 1 INVITE", b"CSeq: 1 " + b"A" * 1200),
        (b"tag=f1", b"tag=" + b"f" * 300),
        (b"Max-Forwards: 70", b"Authorization: Digest " + b"x=y," * 2000),
        (b"Max-Forwards: 70", b'Authorization: Digest username="' + b"u" * 3000 + b'"'),
        (b"Max-Forwards: 70", b"Authorization: \xff\xfe\x00"[:17]),
        (b"Max-Forwards: 70", b"\r\n".join(b"Accept: a/b" for _ in range(50))),
        (b"Max-Forwards: 70", b"Via: SIP/2.0/UDP h;branch=z9hG4bK" + b", SIP/2.0/UDP h" * 3000),
        (b"Max-Forwards: 70", b"X: " + b"x" * 30000),
    ],
)
async def test_malformed_and_oversized(centre: Centre, old: bytes, new: bytes) -> None:
    attacker = Attacker(centre)
    data = attacker.request("INVITE").replace(old, new, 1)
    assert data != attacker.request("INVITE")
    assert await attacker.status(data) in {0, 400, 401, 403, 405, 406, 413, 481, 501, 513}
    assert len(centre.switch.endpoint.layer) == 0


# -- passwords ---------------------------------------------------------------------------------------------


async def test_a_search_for_a_password_ends_in_a_ban_and_the_agent_does_not_notice(centre: Centre) -> None:
    alice = await centre.phone("1001", Answer(after=0.2))
    attacker = Attacker(centre)
    answered = 0
    for i in range(200):
        answered += await attacker.guess("1001", f"guess{i}", i) is not None
        await asyncio.sleep(0.5)
    assert answered <= 20
    [banned, *_] = centre.told("GuardBanned")
    assert (banned.source, banned.offence) == (STRANGER, "wrong_password")  # type: ignore[attr-defined]
    assert await alice.register() == 200
    caller = await centre.carrier.call("4008000005")
    await caller.answered()
    await caller.hangup()


async def test_two_hundred_sources_at_one_account_lock_nobody_out(centre: Centre) -> None:
    alice = await centre.phone("1001", Answer(after=0.2))
    for source in range(200):
        attacker = Attacker(centre, f"198.51.100.{source}")
        for i in range(5):
            await attacker.guess("1001", f"guess{i}", i)
    assert await alice.register() == 200
    assert [event.user for event in centre.told("AccountAttacked")] == ["1001"]  # type: ignore[attr-defined]
    assert centre.switch.places.registered("1001")


async def test_a_captured_register_is_of_no_use_to_anybody(centre: Centre) -> None:
    await centre.phone("1001")
    captured = [
        packet.data for packet in centre.network.sent(b"REGISTER") if b"Authorization:" in packet.data
    ][-1]
    await asyncio.sleep(35.0)  # its transaction is over, its nonce still young
    for attacker in (Attacker(centre), Attacker(centre, "127.0.1.1", 6666)):  # elsewhere, and the same host
        data = captured.replace(b"branch=z9hG4bK", b"branch=z9hG4bKreplay", 1)
        via = data.index(b"Via: ")
        end = data.index(b"\r\n", via)
        data = (
            data[:via]
            + f"Via: SIP/2.0/UDP {attacker.host}:{attacker.port};rport;branch=z9hG4bKr".encode()
            + data[end:]
        )
        answer = await attacker.ask(data)
        assert answer is not None
        assert answer.status == 401
        assert challenges(answer)[0].stale


# -- calls of others ---------------------------------------------------------------------------------------


def forged(centre: Centre, attacker: Attacker, sample: bytes, method: str) -> bytes:
    """A request in the dialog of `sample`, a request that its real peer has sent to the switch."""
    real = parse_datagram(sample)
    assert isinstance(real, Request)
    to = next(
        answer.headers.get("To")
        for packet in centre.network.sent(b"SIP/2.0 200", source=SWITCH)
        if isinstance(answer := parse_datagram(packet.data), Response) and answer.call_id == real.call_id
    )
    return (
        f"{method} sip:{SWITCH} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {attacker.host}:{attacker.port};rport;branch=z9hG4bKforged{method}\r\n"
        f"From: {real.headers.get('From')}\r\nTo: {to}\r\nCall-ID: {real.call_id}\r\n"
        f"CSeq: 900 {method}\r\nMax-Forwards: 70\r\nContact: <sip:x@{attacker.host}:{attacker.port}>\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()


@pytest.mark.parametrize("method", ["BYE", "INVITE", "UPDATE", "INFO", "REFER", "MESSAGE", "PRACK"])
@pytest.mark.parametrize("host", [STRANGER, "127.0.1.1"])
async def test_a_forged_request_in_a_call_changes_nothing(centre: Centre, method: str, host: str) -> None:
    caller, _agent = await talking(centre)
    attacker = Attacker(centre, host)
    sample = centre.network.sent(b"INVITE", source=CARRIER)[0].data
    answer = await attacker.ask(forged(centre, attacker, sample, method))
    assert answer is not None
    assert answer.status in {401, 403, 481}
    await asyncio.sleep(2.0)
    assert centre.told("CallEnded") == []
    await caller.hangup()


async def test_a_forged_cancel_changes_nothing(centre: Centre) -> None:
    await centre.phone("1001", Answer(after=5.0))
    caller = await centre.carrier.call("4008000005")
    await caller.ringing()
    attacker = Attacker(centre)
    invite = centre.network.sent(b"INVITE", source=CARRIER)[0].data
    head, _, _ = invite.partition(b"\r\n\r\n")
    kept = (b"via:", b"from:", b"to:", b"call-id:", b"max-forwards:")
    lines = [line for line in head.split(b"\r\n")[1:] if line.lower().startswith(kept)]
    start = invite.split(b" ", 2)[1]
    cseq = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"cseq:"))
    cancel = b"\r\n".join(
        [b"CANCEL " + start + b" SIP/2.0", *lines, cseq.replace(b"INVITE", b"CANCEL"), b"", b""]
    )
    attacker.throw(cancel)
    assert not any(data.startswith(b"SIP/2.0 200") for data in await attacker.answers())
    await caller.answered(timeout=20.0)
    await caller.hangup()


# -- floods ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["OPTIONS", "REGISTER", "INVITE"])
async def test_a_flood_from_one_source_is_cut_off_and_good_sources_go_on(centre: Centre, method: str) -> None:
    attacker = Attacker(centre)
    alice = await centre.phone("1001")
    for second in range(3):
        for i in range(1000):
            attacker.throw(attacker.request(method, number=second * 1000 + i + 1))
        await asyncio.sleep(1.0)
        assert await alice.register() == 200
    answers = await attacker.answers()
    assert len(answers) <= 60 + 20
    assert centre.switch.guard.blocked(STRANGER, now=centre.switch.clock.now())
    caller = await centre.carrier.call("4008000001")
    await caller.answered()
    await caller.hangup()


async def test_many_sources_at_once_leave_trunk_and_agents_untouched(centre: Centre) -> None:
    alice = await centre.phone("1001", Answer(after=0.2))
    attackers = [Attacker(centre, f"198.51.{i // 200}.{i % 200}") for i in range(200)]
    for step in range(20):
        for attacker in attackers:
            attacker.throw(attacker.request("REGISTER", number=step + 1))
        await asyncio.sleep(0.05)
    assert await alice.register() == 200
    caller = await centre.carrier.call("4008000005")
    await caller.answered()
    await caller.hangup()
    answered = sum([len(await attacker.answers(0.0)) for attacker in attackers])
    assert answered <= 500 * 1 + 1500
    assert centre.switch.endpoint.counters["rate_limited"] >= 4000 - answered


async def test_a_thousand_copies_of_one_branch_are_one_transaction(centre: Centre) -> None:
    carrier = Attacker(centre, CARRIER, 5099)
    data = carrier.request("INVITE", user="4008000002")
    for _ in range(1000):
        carrier.throw(data)
    await asyncio.sleep(0.1)
    assert centre.switch.endpoint.sessions == 1
    assert len(centre.told("CallStarted")) == 1


async def test_a_register_flood_with_random_names_keeps_nothing(centre: Centre) -> None:
    attackers = [Attacker(centre, f"198.51.100.{i}") for i in range(50)]
    for i in range(1000):
        attacker = attackers[i % 50]
        attacker.throw(attacker.request("REGISTER", user=f"u{i}", number=i + 1))
    await asyncio.sleep(0.1)
    assert len(centre.switch.endpoint.layer) == 0
    assert len(centre.switch.registrar) == 0


# -- an agent behind a NAT ---------------------------------------------------------------------------------


async def test_an_agent_whose_nat_forgets_him_keeps_his_call(centre: Centre) -> None:
    nat = centre.network.add_nat("198.51.100.9", "127.0.1.1")
    caller, agent = await talking(centre)
    nat.forget()
    alice = centre.phones["1001"]
    assert await alice.register() == 200
    assert len(centre.switch.registrar.bindings("1001", now=centre.switch.clock.now())) == 1
    await caller.hangup()
    assert await agent.ended() == "peer"  # our BYE found the new port
