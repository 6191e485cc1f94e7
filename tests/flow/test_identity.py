"""Numbers, identities and toll rules in whole calls: one carrier in, two out, each in its own way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import pytest
from tests.flow.centre import CONFIG, Centre

from sipcc import Call
from sipcc.call.events import CallEndedEvent, CallStarted, Decision, DialBlocked, LegEnded
from sipcc.events import Event
from sipcc.sip import Credentials, NameAddr, SipUri
from sipcc.testing.fakecall import FakeCall
from sipcc.testing.party import Trace
from sipcc.testing.phone import Answer, FakePhone, Ignore

E = TypeVar("E", bound=Event)

NATIONAL, ABROAD = "127.0.3.3", "127.0.3.4"

SETTINGS = """
[dialling]
country = "86"
area_code = "010"

[toll]
allow = ["national", "+852*"]

[[trunks]]
name = "national"
host = "127.0.3.3"
port = 5060
identity = "pai"
diversion = "diversion"
numbers = ["0108123*", "4008123456", "4008123457"]
caller_id = "4008123456"
number_format_out = "national"

[[trunks]]
name = "e164"
host = "127.0.3.4"
port = 5060
identity = "rpid"
diversion = "history-info"
number_format_out = "e164"
from_host = "carrier.example.net"
"""


class Away:
    """The centre, with two carriers behind it."""

    def __init__(self, centre: Centre, national: FakePhone, abroad: FakePhone) -> None:
        self.centre = centre
        self.national = national
        self.abroad = abroad

    def told(self, kind: type[E]) -> list[E]:
        """The events of one class so far."""
        return [event for event in self.centre.events if isinstance(event, kind)]

    def left(self) -> list[Trace]:
        """The INVITEs that any carrier got."""
        parties = (self.national, self.abroad, self.centre.carrier)
        return [invite for party in parties for invite in party.seen("INVITE", "in")]


def header(data: bytes, name: str) -> list[str]:
    """The values of a header in a message, one for each line."""
    lines = data.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return [line.partition(":")[2].strip() for line in lines if line.lower().startswith(f"{name.lower()}:")]


async def refused(call: FakeCall) -> int:
    """Wait until a call was refused; the status."""
    assert await call.ended() == "rejected"
    return call.status


def names(data: bytes) -> set[str]:
    """The names of all headers of a message."""
    return {line.partition(":")[0] for line in data.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]}


async def send_out(call: Call) -> None:
    """A program that sends a user to the number that was dialled."""
    leg = await call.dial(f"national/{call.request.uri.subscriber}", timeout=10)  # type: ignore[union-attr]
    await call.bridge(leg)


async def dial_through(call: Call) -> None:
    """A menu that lets callers type the number that they want."""
    await call.answer()
    number = await call.ask("welcome", digits=(1, 20), timeout=10, interdigit=2)
    leg = await call.dial(f"national/{number}", timeout=10)
    await call.bridge(leg)


APPS = {"1*": send_out, "0*": send_out, "+*": send_out, "4008000020": dial_through}


@asynccontextmanager
async def away(folder: Path, *, trusted: bool = True, extra: str = "", toll: str = "") -> AsyncIterator[Away]:
    """A centre whose carrier for incoming calls is trusted, or not; `toll` goes into its section."""
    config = CONFIG.replace(
        'addresses = ["127.0.0.2"]', f'addresses = ["127.0.0.2"]\ntrusted = {str(trusted).lower()}'
    ).replace('password = "secret-two-2"', 'password = "secret-two-2"\nnumber = "010-8123-4567"')

    settings = SETTINGS.replace("[toll]", f"[toll]{toll}") + extra
    async with Centre(folder, config=config, extra=settings, apps=APPS) as centre:
        phones = [
            FakePhone(
                "trunk", "", server=centre.server, host=host, port=5060, network=centre.network.host(host),
                behaviour=Answer(after=0.1),
            )
            for host in (NATIONAL, ABROAD)
        ]  # fmt: skip
        for phone in phones:
            await phone.start()
        yield Away(centre, *phones)
        for phone in phones:
            await phone.stop()


# -- who calls ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "number"),
    [
        ("13800138000", "4008000001"),
        ("+8613800138000", "+864008000001"),
        ("8613800138000", "864008000001"),
        ("013800138000", "400-800-0001"),
    ],
)
async def test_one_caller_is_one_caller_in_every_spelling(tmp_path: Path, sender: str, number: str) -> None:
    async with away(tmp_path) as world:
        caller = await world.centre.carrier.call(number, caller=sender)
        await caller.answered()
        [started] = world.told(CallStarted)
        assert (started.caller, started.called) == ("+8613800138000", "+864008000001")
        await caller.hangup()


@pytest.mark.parametrize(("trusted", "expected"), [(True, "+8613900139000"), (False, "+8613800138000")])
async def test_an_asserted_identity_counts_from_a_trusted_carrier(
    tmp_path: Path, trusted: bool, expected: str
) -> None:
    async with away(tmp_path, trusted=trusted) as world:
        asserted = [
            ("P-Asserted-Identity", '"Han Meimei" <sip:+8613900139000@example.net;user=phone>'),
            ("P-Asserted-Identity", "<tel:+86-139-0013-9000>"),
        ]
        caller = await world.centre.carrier.call("4008000001", headers=asserted)
        await caller.answered()
        assert world.told(CallStarted)[0].caller == expected
        await caller.hangup()


async def test_an_agent_cannot_pretend_to_be_somebody(tmp_path: Path) -> None:
    async with away(tmp_path) as world:
        alice = await world.centre.phone("1001")
        liar = await world.centre.phone("1002")
        call = liar.make_call("caller")
        call.attach(
            liar.endpoint.invite(
                SipUri(user="4008000005", host="127.0.0.1"),
                from_=NameAddr(SipUri(user="13900139000", host="example.net"), "The Boss"),
                headers=[
                    ("P-Asserted-Identity", "<sip:+8613900139000@example.net>"),
                    ("P-Preferred-Identity", "<sip:+8613900139000@example.net>"),
                    ("Diversion", "<sip:+8613900139000@example.net>"),
                ],
                body=call.offer(),
                listener=call,
                destination=world.centre.server,
                credentials=Credentials("1002", "secret-two-2"),
            )
        )
        await call.answered()
        [invite] = alice.seen("INVITE", "in")
        assert header(invite.data, "From")[0].startswith(
            '"+861081234567" <sip:+861081234567@pbx.example.com>'
        )
        assert b"13900139000" not in invite.data
        await call.hangup()


async def test_a_tel_uri_with_a_context_reaches_its_number(tmp_path: Path) -> None:
    async with away(tmp_path) as world:
        carrier = world.centre.carrier
        call = carrier.make_call("caller")
        call.attach(
            carrier.endpoint.invite(
                SipUri.parse("tel:400-800-0001;phone-context=+86"),
                from_=NameAddr(SipUri.parse("tel:+86-138-0013-8000")),
                body=call.offer(),
                listener=call,
                destination=world.centre.server,
            )
        )
        await call.answered()
        [started] = world.told(CallStarted)
        assert (started.caller, started.called) == ("+8613800138000", "+864008000001")
        await call.hangup()


async def test_an_anonymous_caller_is_anonymous_to_the_agent(tmp_path: Path) -> None:
    async with away(tmp_path) as world:
        alice = await world.centre.phone("1001")
        hidden = [("P-Asserted-Identity", "<tel:+8613900139000>"), ("Privacy", "id")]
        caller = await world.centre.carrier.call("4008000005", caller="anonymous", headers=hidden)
        await caller.answered()
        [invite] = alice.seen("INVITE", "in")
        assert header(invite.data, "From")[0].startswith('"Anonymous" <sip:anonymous@anonymous.invalid>')
        assert b"13900139000" not in invite.data
        assert world.told(CallStarted)[0].caller == "anonymous"
        await caller.hangup()


async def test_a_privacy_that_nobody_can_serve_ends_the_call(tmp_path: Path) -> None:
    async with away(tmp_path) as world:
        caller = await world.centre.carrier.call("4008000001", headers=[("Privacy", "teleport;critical")])
        assert await refused(caller) == 500


# -- what carriers are shown -----------------------------------------------------------------------------

FORWARDED = """
[[numbers]]
number = "4008000021"
to = "dial:national/+86 138 0013 8009"
[[numbers]]
number = "4008000022"
to = "dial:e164/13800138009"
"""


async def test_a_call_sent_on_shows_a_number_that_the_carrier_gave_us(tmp_path: Path) -> None:
    async with away(tmp_path, extra=FORWARDED) as world:
        inside = [
            ("P-Asserted-Identity", "<sip:+8613900139000@10.0.0.1>"),
            ("P-Charging-Vector", "icid-value=7"),
            ("X-Internal", "vip"),
            ("Diversion", "<sip:01081234999@10.0.0.1>;reason=no-answer"),
        ]
        caller = await world.centre.carrier.call("4008000021", headers=inside)
        await caller.answered()
        [invite] = world.national.seen("INVITE", "in")
        assert invite.start.startswith("INVITE sip:13800138009@127.0.3.3")
        assert header(invite.data, "From")[0].startswith('"4008123456" <sip:4008123456@pbx.example.com>')
        assert header(invite.data, "P-Asserted-Identity") == ['"4008123456" <sip:4008123456@pbx.example.com>']
        assert header(invite.data, "Contact")[0].startswith("<sip:4008123456@127.0.0.1")
        assert header(invite.data, "Diversion") == [
            "<sip:4008000021@pbx.example.com>;reason=unconditional;counter=1;privacy=off",
            "<sip:01081234999@pbx.example.com>;reason=no-answer;counter=1;privacy=off",
        ]
        assert names(invite.data).isdisjoint({"P-Charging-Vector", "X-Internal", "Route", "Privacy"})
        assert b"13900139000" not in invite.data
        assert b"10.0.0.1" not in invite.data
        assert header(invite.data, "Max-Forwards") == ["69"]
        await caller.hangup()


async def test_another_carrier_gets_the_same_call_in_its_own_way(tmp_path: Path) -> None:
    async with away(tmp_path, extra=FORWARDED) as world:
        diverted = [("Diversion", "<sip:01081234999@10.0.0.1>;reason=user-busy")]
        caller = await world.centre.carrier.call("4008000022", headers=diverted)
        await caller.answered()
        [invite] = world.abroad.seen("INVITE", "in")
        assert invite.start.startswith("INVITE sip:+8613800138009@127.0.3.4")
        assert header(invite.data, "From")[0].startswith(
            '"+8613800138000" <sip:+8613800138000@carrier.example.net>'
        )
        [party] = header(invite.data, "Remote-Party-ID")
        assert party.endswith("<sip:+8613800138000@carrier.example.net>;party=calling;screen=yes;privacy=off")
        history = header(invite.data, "History-Info")
        assert history[0] == "<sip:+861081234999@carrier.example.net>;index=1"
        assert history[1] == "<sip:+864008000022@carrier.example.net;cause=486>;index=1.1;mp=1"
        assert history[2].startswith("<sip:+8613800138009@127.0.3.4")
        assert history[2].endswith("cause=302>;index=1.1.1;mp=1.1")
        await caller.hangup()


@pytest.mark.parametrize(("user", "expected"), [("1001", "4008123456"), ("1002", "01081234567")])
async def test_a_user_calls_out_with_its_own_number_if_the_carrier_gave_it(
    tmp_path: Path, user: str, expected: str
) -> None:
    async with away(tmp_path) as world:
        phone = await world.centre.phone(user)
        call = await phone.call("13800138009")
        await call.answered()
        [invite] = world.national.seen("INVITE", "in")
        assert header(invite.data, "From")[0].startswith(f'"{expected}" <sip:{expected}@')
        assert "Diversion" not in names(invite.data)
        await call.hangup()


# -- what may be called --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("0014155550100", "not_allowed"),
        ("+14155550100", "not_allowed"),
        ("+1-415-555-0100", "not_allowed"),
        ("01114155550100", "not_allowed"),
        ("008821234567", "denied"),
        ("16812345", "denied"),
        ("4155550100;phone-context=+1", "not_allowed"),
        ("14155550100;phone-context=+1", "not_allowed"),
        ("1380013800x", "not_a_number"),
    ],
)
async def test_an_agent_calls_nobody_who_is_not_on_the_list(tmp_path: Path, number: str, why: str) -> None:
    async with away(tmp_path) as world:
        phone = await world.centre.phone("1001")
        call = await phone.call(number)
        assert await refused(call) == 403
        assert world.left() == []
        [blocked] = world.told(DialBlocked)
        assert (blocked.user, blocked.trunk, blocked.why) == ("1001", "national", why)
        assert [leg.cause for leg in world.told(LegEnded)] == ["blocked"]
        await asyncio.sleep(0.1)  # the record is told when the media port is closed
        [ended] = world.told(CallEndedEvent)
        assert (ended.cause, ended.sip_status) == ("blocked", 403)


GUARDED = """
do_not_call = "unwanted.txt"
calls_per_number = 2
number_window = 3600
"""


async def test_numbers_that_want_no_calls_or_had_enough_get_no_invite(tmp_path: Path) -> None:
    (tmp_path / "unwanted.txt").write_text("13900139000\n")
    async with away(tmp_path, toll=GUARDED) as world:
        phone = await world.centre.phone("1001")
        assert await refused(await phone.call("13900139000")) == 403
        assert world.left() == []
        for _ in range(2):
            call = await phone.call("13800138000")
            await call.answered()
            await call.hangup()
        sent = len(world.left())
        assert await refused(await phone.call("13800138000")) == 403
        assert len(world.left()) == sent
        assert [blocked.why for blocked in world.told(DialBlocked)] == ["do_not_call", "callee"]
        hints = [event.why for event in world.told(Decision) if event.what.startswith("blocked: ")]
        assert hints == [
            "do_not_call: it is on the list of [toll] do_not_call",
            "callee: it has had [toll] calls_per_number calls in the window already",
        ]
        await asyncio.sleep(3600.0)
        call = await phone.call("13800138000")
        await call.answered()
        await call.hangup()


OFFICE = """
[[hours]]
name = "office"
week = { "mon-fri" = "09:00-18:00" }
"""


async def test_nobody_is_called_outside_the_hours(tmp_path: Path) -> None:
    async with away(tmp_path, toll='\nhours = "office"\n', extra=OFFICE) as world:
        phone = await world.centre.phone("1001")
        clock = world.centre.switch.clock
        closed = datetime.fromisoformat("2026-11-23 18:00:00+08:00").timestamp()
        clock._offset = closed - clock.now()
        assert await refused(await phone.call("13800138000")) == 403
        assert world.left() == []
        assert [blocked.why for blocked in world.told(DialBlocked)] == ["hours"]
        clock._offset = closed - 3600.0 - clock.now()
        call = await phone.call("13800138000")
        await call.answered()
        await call.hangup()


async def test_phones_call_out_by_the_configuration_alone(tmp_path: Path) -> None:
    extra = '[[numbers]]\nnumber = "13*"\nto = "dial:e164/*"\n'
    async with away(tmp_path, extra=extra) as world:
        phone = await world.centre.phone("1002")
        call = await phone.call("013800138009")
        await call.answered()
        [invite] = world.abroad.seen("INVITE", "in")
        assert invite.start.startswith("INVITE sip:+8613800138009@127.0.3.4")
        await call.hangup()


async def test_an_agent_has_two_calls_over_trunks_and_no_third(tmp_path: Path) -> None:
    async with away(tmp_path) as world:
        phone = await world.centre.phone("1001")
        calls = [await phone.call(f"1380013800{n}") for n in range(2)]
        for call in calls:
            await call.answered()
        third = await phone.call("13800138002")
        assert await refused(third) == 403
        assert [blocked.why for blocked in world.told(DialBlocked)] == ["calls"]
        await calls[0].hangup()
        fourth = await phone.call("13800138003")
        await fourth.answered()
        await fourth.hangup()
        await calls[1].hangup()


async def test_a_caller_who_may_type_a_number_reaches_only_listed_ones(tmp_path: Path) -> None:
    async with away(tmp_path) as world:
        for keys, answered in (("0014155550100", False), ("13800138009", True)):
            caller = await world.centre.carrier.call("4008000020")
            await caller.answered()
            await caller.press(keys)
            if answered:
                talk = await world.national.next_call()
                await talk.answered()
                await caller.hangup()
            else:
                await caller.ended()
                assert world.national.seen("INVITE", "in") == []
        assert [blocked.why for blocked in world.told(DialBlocked)] == ["not_allowed"]


async def test_a_phone_that_registers_a_carrier_as_its_place_is_not_rung_there(tmp_path: Path) -> None:
    async with away(tmp_path) as world:
        phone = await world.centre.phone("1001", transport="tcp")
        contact = SipUri(user="0014155550100", host=NATIONAL, port=5060)
        response = await phone.endpoint.request(
            "REGISTER",
            SipUri(host="pbx.example.com"),
            from_=NameAddr(SipUri(user="1001", host="pbx.example.com")),
            to=NameAddr(SipUri(user="1001", host="pbx.example.com")),
            headers=[("Contact", f"<{contact}>"), ("Expires", "300")],
            destination=world.centre.server,
            transport="tcp",
            credentials=Credentials("1001", "secret-one-1"),
        )
        assert response.status == 200
        await phone.vanish()
        caller = await world.centre.carrier.call("4008000005")
        await refused(caller)
        assert world.national.seen("INVITE", "in") == []


async def test_a_loop_of_redirections_is_not_fed(tmp_path: Path) -> None:
    async with away(tmp_path) as world:
        caller = await world.centre.carrier.call(
            "4008000020",
            headers=[("Diversion", "<sip:4008123456@example.net>;reason=unconditional;counter=9")],
        )
        await caller.answered()
        await caller.press("13800138009")
        await caller.ended()
        assert [blocked.why for blocked in world.told(DialBlocked)] == ["loop"]


async def test_a_call_whose_hops_have_run_out_goes_no_further(tmp_path: Path) -> None:
    async with away(tmp_path, extra=FORWARDED) as world:
        caller = await world.centre.carrier.call("4008000021", headers=[("Max-Forwards", "1")])
        assert await refused(caller) == 483
        assert world.national.seen("INVITE", "in") == []


async def test_each_choice_about_a_call_is_told(tmp_path: Path) -> None:
    async with away(tmp_path, extra=FORWARDED) as world:
        caller = await world.centre.carrier.call("4008000021")
        await caller.answered()
        phone = await world.centre.phone("1001")
        await refused(await phone.call("0014155550100"))
        told = {event.what: event.why for event in world.told(Decision)}
        assert told["shown as 4008123456"] == "+8613800138000 is none of the trunk's numbers"
        assert told["blocked: +14155550100 over national"].startswith("not_allowed: it is not on the list")
        await caller.hangup()


# -- places that a phone names ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("tel:+14155550100", "not_allowed"),
        ("sip:0014155550100@pbx.example.com", "not_allowed"),
        ("sip:0014155550100@127.0.3.3", "not_allowed"),
        ("sip:16812345@127.0.3.3:5060", "denied"),
        ("sip:*72@127.0.3.3", "not_a_number"),
        ("sip:13800138009@198.51.100.7", "host"),
    ],
)
async def test_a_transfer_leads_to_nobody_who_is_not_on_the_list(
    tmp_path: Path, target: str, why: str
) -> None:
    async with away(tmp_path) as world:
        alice = await world.centre.phone("1001")
        caller = await world.centre.carrier.call("4008000005")
        talk = await alice.next_call()
        await caller.answered()
        await talk.refer(target)
        await talk.told(403)
        [blocked] = world.told(DialBlocked)
        assert (blocked.user, blocked.why) == ("1001", why)
        assert world.left() == []
        await caller.hears(1300.0)  # the two talk on
        await caller.hangup()


async def test_a_transfer_to_a_listed_number_is_on_the_account_of_who_asks(tmp_path: Path) -> None:
    async with away(tmp_path) as world:
        alice = await world.centre.phone("1001")
        callers = []
        for number in range(3):
            caller = await world.centre.carrier.call("4008000005")
            callers.append(caller)
            talk = await alice.next_call()
            await caller.answered()
            await talk.refer(f"sip:1380013800{number}@127.0.3.3")
            await talk.told(200 if number < 2 else 403)
        assert [(event.user, event.why) for event in world.told(DialBlocked)] == [("1001", "calls")]
        assert len(world.national.seen("INVITE", "in")) == 2
        for caller in callers:
            await caller.hangup()


@pytest.mark.parametrize(
    ("contact", "why"),
    [
        ("sip:0014155550100@127.0.3.3:5060", "not_allowed"),
        ("tel:+14155550100", "not_allowed"),
        ("sip:13800138009@198.51.100.7", "host"),
        ("sip:13800138009@127.0.3.3:5060", ""),
    ],
)
async def test_a_redirection_leads_to_nobody_who_is_not_on_the_list(
    tmp_path: Path, contact: str, why: str
) -> None:
    async with away(tmp_path) as world:
        alice = await world.centre.phone("1001", Ignore())
        caller = await world.centre.carrier.call("4008000005")
        (await alice.next_call()).redirect(contact)
        if why:
            await caller.ended()
            assert [(event.user, event.why) for event in world.told(DialBlocked)] == [("1001", why)]
            assert world.left() == []
        else:
            await caller.answered()
            assert len(world.national.seen("INVITE", "in")) == 1
            await caller.hangup()
