"""Several carriers, all of them SIPp: fail-over, health, circuit breaker, what each is shown of a caller."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from tests.interop.field import Field
from tests.interop.programs import wait_until
from tests.interop.scenario import Script, callee, caller, sdp
from tests.interop.sipp import Sipp

ROUTES = {
    "r503": ["busy", "good"],
    "rsilent": ["silent", "good"],
    "rdead": ["dead", "good"],
    "rpinged": ["pinged", "good"],
    "rbroken": ["broken", "good"],
}
NUMBERS = {name: f"40090030{index:02}" for index, name in enumerate(ROUTES)}


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    routes = "".join(
        f'[[routes]]\nname = "{name}"\nnumber = "9{index}*"\ntrunks = {trunks!r}\n'.replace("'", '"')
        for index, (name, trunks) in enumerate(ROUTES.items())
    )
    field = Field(
        tmp_path_factory.mktemp("trunks"),
        callers={"outside": {"trusted": True}},
        callees={
            "busy": {},
            "silent": {},
            "dead": {},
            "good": {},
            "pinged": {"health": {"ping": 0.2, "up_after": 2, "down_after": 2}},
            "broken": {"health": {"break_after": 2, "break_for": 1.0}},
            "pai": {"identity": "pai", "diversion": "diversion", "from_host": "carrier.example.net"},
            "rpid": {"identity": "rpid", "diversion": "history-info", "number_format_out": "e164"},
            "owned": {"identity": "pai", "numbers": ["4008123499", "0108123*"]},
            "login": {"username": "account", "password": "carrier-secret"},
            "stream": {"transport": "tcp"},
        },
        numbers={NUMBERS[name]: f"dial:{name}/13800138001" for name in ROUTES},
        extra=f'[dialling]\ncountry = "86"\n{routes}',
    )
    yield field
    field.close()


def talks(name: str, *, headers: tuple[str, ...] = (), sender: str = "") -> Script:
    script = caller(name).invite(headers=headers, caller=sender).recv(100, optional=True)
    return script.recv(180, optional=True).recv(200, dialog=True).ack().pause(100).bye()


def answers(name: str) -> Script:
    return callee(name).recv("INVITE").answer(200, body=sdp(), wait=True).recv("ACK").hung_up()


def refuses(name: str, status: int, reason: str, *headers: str) -> Script:
    return callee(name).recv("INVITE").answer(status, reason, headers=headers, wait=True).recv("ACK")


def through(field: Field, name: str) -> tuple[Sipp, Sipp]:
    """A call by a route that ends at the good carrier."""
    good = field.take(answers(f"good for {name}"), at="good")
    run = field.call(talks(f"by {name}"), by="outside", number=NUMBERS[name])
    run.succeed()
    good.succeed()
    return run, good


def down(field: Field) -> list[str]:
    """The trunks that `sipccd status` calls down."""
    lines = field.centre.ask("status").splitlines()
    [line] = [line for line in lines if line.startswith("trunks_down")]
    return line.removeprefix("trunks_down").replace(",", " ").split()


def test_a_503_goes_to_the_next_trunk_and_its_retry_after_is_kept(field: Field) -> None:
    busy = field.take(refuses("busy", 503, "Service Unavailable", "Retry-After: 30"), at="busy")
    run, good = through(field, "r503")
    busy.succeed()
    assert good.first("INVITE").at - run.first("INVITE").at < 0.5
    assert "busy" in down(field)
    again = field.take(refuses("busy again", 503, "Service Unavailable"), at="busy")
    through(field, "r503")
    assert not again.messages()
    again.end()


def test_silence_goes_to_the_next_trunk_within_two_seconds(field: Field) -> None:
    silent = field.take(callee("silent").recv("INVITE").pause(4000), at="silent")
    run, good = through(field, "rsilent")
    assert 0.5 < good.first("INVITE").at - run.first("INVITE").at < 2.0
    assert len(silent.all("INVITE", "received")) >= 2
    silent.end()


def test_an_answer_that_comes_late_is_hung_up(field: Field) -> None:
    late = callee("late").recv("INVITE").pause(2000).answer(200, body=sdp(), wait=True).recv("ACK")
    late.hung_up()
    run = field.take(late, at="silent")
    through(field, "rsilent")
    run.succeed()


def test_a_trunk_that_is_gone_goes_to_the_next_trunk(field: Field) -> None:
    run, good = through(field, "rdead")
    assert good.first("INVITE").at - run.first("INVITE").at < 2.0


def pings(name: str, status: int) -> Script:
    """Answers OPTIONS, and takes calls beside them."""
    script = callee(name).recv("OPTIONS", optional=True, more='next="9"')
    script.recv("INVITE").answer(200, body=sdp(), wait=True).recv("ACK").hung_up()
    script.raw('<nop next="8"/><label id="9"/>').answer(status, "Here", to="options")
    return script.raw('<label id="8"/>')


def test_health_by_options(field: Field) -> None:
    """Nobody answers there at first; then it answers, and gets the calls; then it says 503."""
    wait_until(lambda: "pinged" in down(field), 5, "pinged is down")
    through(field, "rpinged")
    up = field.take(pings("up", 200), at="pinged", calls=100)
    wait_until(lambda: "pinged" not in down(field), 5, "pinged is up")
    field.call(talks("to pinged"), by="outside", number=NUMBERS["rpinged"]).succeed()
    assert up.has("INVITE", "received")
    up.end()
    field.take(pings("down", 503), at="pinged", calls=100)
    wait_until(lambda: "pinged" in down(field), 5, "pinged is down")
    through(field, "rpinged")


def test_a_circuit_breaker_opens_and_tries_again(field: Field) -> None:
    broken = field.take(refuses("broken", 503, "Service Unavailable"), at="broken", calls=2)
    through(field, "rbroken")
    through(field, "rbroken")
    broken.succeed()
    third = field.take(answers("healed"), at="broken")
    run, good = through(field, "rbroken")
    assert not third.messages()
    assert good.first("INVITE").at - run.first("INVITE").at < 0.3
    assert "broken" in down(field)
    wait_until(lambda: time.time() > run.first("BYE").at + 1.1, 5, "the end of break_for")
    run = field.call(talks("trial"), by="outside", number=NUMBERS["rbroken"])
    run.succeed()
    third.succeed()
    assert third.has("INVITE", "received")


ASSERTED = ("P-Asserted-Identity: <tel:+8613900139000>",)
DIVERTED = ("Diversion: <sip:01081234999@10.0.0.1>;reason=user-busy",)
INSIDE = ("P-Charging-Vector: icid-value=7", "X-Internal: vip")


def shown(field: Field, at: str, name: str, *headers: str, sender: str = "") -> Sipp:
    """What a carrier gets of a call with these headers."""
    carrier = field.take(answers(f"{at} {name}"), at=at)
    run = field.call(
        talks(f"{at} {name}", headers=headers, sender=sender), by="outside", number=field.number(at)
    )
    run.succeed()
    carrier.succeed()
    return carrier


def test_a_carrier_that_wants_an_asserted_identity(field: Field) -> None:
    invite = shown(field, "pai", "asserted", *ASSERTED, *DIVERTED, *INSIDE).first("INVITE")
    assert "sip:+8613900139000@carrier.example.net" in invite.header("From").replace("sip:139", "sip:+86139")
    assert "13900139000@carrier.example.net" in invite.header("P-Asserted-Identity")
    assert "reason=unconditional" in invite.header("Diversion")
    assert "reason=user-busy" in invite.text
    for inside in ("10.0.0.1", "icid-value", "X-Internal", "127.0.1."):
        assert inside not in invite.text
    assert invite.header("Max-Forwards") == "69"


def test_a_carrier_that_wants_remote_party_id_and_history(field: Field) -> None:
    invite = shown(field, "rpid", "asserted", *ASSERTED, *DIVERTED).first("INVITE")
    assert invite.start.startswith("INVITE sip:+86138001380")
    assert "<sip:+8613900139000@" in invite.header("Remote-Party-ID")
    assert "cause=486" in invite.text
    assert not invite.header("P-Asserted-Identity")


def test_a_caller_who_hides(field: Field) -> None:
    hidden = (*ASSERTED, "Privacy: id")
    anonymous = '"Anonymous" <sip:anonymous@anonymous.invalid>'
    invite = shown(field, "pai", "hidden", *hidden, sender=anonymous).first("INVITE")
    assert "anonymous@anonymous.invalid" in invite.header("From")
    assert invite.header("Privacy") == "id"


def test_a_carrier_is_shown_only_numbers_that_it_gave_us(field: Field) -> None:
    invite = shown(field, "owned", "pinned", *ASSERTED).first("INVITE")
    assert "4008123499" in invite.header("From")
    assert "13900139000" not in invite.text


def test_a_carrier_that_asks_for_a_password(field: Field) -> None:
    """MD5, which is all that this SIPp knows."""
    script = callee("asks").recv("INVITE")
    challenge = 'Proxy-Authenticate: Digest realm="carrier",nonce="abc",algorithm=MD5,qop="auth"'
    script.answer(407, "Proxy Authentication Required", headers=[challenge], wait=True).recv("ACK")
    script.recv("INVITE", keep="invite").answer(200, body=sdp(), wait=True).recv("ACK").hung_up()
    carrier = field.take(script, at="login")
    run = field.call(talks("login"), by="outside", number=field.number("login"))
    run.succeed()
    carrier.succeed()
    first, second = carrier.all("INVITE", "received")
    assert not first.header("Proxy-Authorization")
    assert 'username="account"' in second.header("Proxy-Authorization")
    assert "qop=auth" in second.header("Proxy-Authorization")


def test_a_carrier_over_tcp(field: Field) -> None:
    carrier = field.take(answers("stream"), at="stream", transport="tcp")
    run = field.call(talks("to a stream"), by="outside", number=field.number("stream"), transport="tcp")
    run.succeed()
    carrier.succeed()
    assert "SIP/2.0/TCP" in carrier.first("INVITE").header("Via")
