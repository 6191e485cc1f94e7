"""The toll guard: what is not on the list does not leave, whoever asks and however it is written."""

from __future__ import annotations

import random
import re
from datetime import datetime, time
from types import SimpleNamespace

import pytest

from sipcc.call import tollguard
from sipcc.call.numbering import Numbering
from sipcc.call.settings import DiallingSettings, TollSettings
from sipcc.call.tollguard import Attempt, TollGuard, parse_hours, within
from sipcc.sip.settings import TrunkSettings
from sipcc.sip.uri import SipUri
from sipcc.switch.places import Places

NOON = datetime(2026, 3, 2, 12, 0)
CHINA = DiallingSettings(country="86", area_code="010")
TRUNK = TrunkSettings(name="carrier", host="192.0.2.1")


def attempt(
    text: str, *, trunk: TrunkSettings = TRUNK, dialling: DiallingSettings = CHINA, **options: object
) -> Attempt:
    number = Numbering(dialling).dialled(text)
    return Attempt(uri=SipUri(user=text, host="192.0.2.1"), trunk=trunk, number=number, **options)  # type: ignore[arg-type]


def guard(dialling: DiallingSettings = CHINA, **settings: object) -> TollGuard:
    return TollGuard(TollSettings(**settings), Numbering(dialling))  # type: ignore[arg-type]


def why(toll: TollGuard, asked: Attempt, *, now: float = 0.0, at: datetime = NOON) -> str:
    return toll.judge(asked, now=now, at=at).why


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("13800138000", "listed"),
        ("01081234567", "listed"),
        ("4008123456", "listed"),
        ("+8613800138000", "listed"),
        ("0014155550100", "not_allowed"),
        ("+85223456789", "not_allowed"),
        ("+88212345678", "denied"),
        ("16812345", "denied"),
        ("95588", "not_allowed"),
        ("1234567", "not_allowed"),
        ("14155550100;phone-context=+1", "not_allowed"),
        ("*72", "not_a_number"),
        ("alice", "not_a_number"),
        ("110", "emergency"),
    ],
)
def test_by_default_only_ordinary_numbers_of_the_country(number: str, expected: str) -> None:
    assert why(guard(), attempt(number)) == expected


def test_without_a_country_nobody_knows_what_is_national_so_nothing_leaves_unlisted() -> None:
    nowhere = DiallingSettings()
    for number in ("13800138000", "14155550100", "0014155550100", "+14155550100"):
        assert why(guard(nowhere), attempt(number, dialling=nowhere)) == "not_allowed"
    assert why(guard(nowhere, allow=("138*",)), attempt("13800138000", dialling=nowhere)) == "listed"


def test_numbers_of_the_configuration_need_no_rule() -> None:
    toll = TollGuard(
        TollSettings(allow=(), night="00:00-23:59"),
        Numbering(CHINA),
        configured=[("carrier", "+8613800138000"), ("carrier", "*72")],
    )
    assert why(toll, attempt("138-0013-8000")) == "configured"
    assert why(toll, attempt("*72")) == "configured"
    assert why(toll, attempt("13800138001")) == "not_allowed"
    other = TrunkSettings(name="other", host="192.0.2.2")
    assert why(toll, attempt("13800138000", trunk=other)) == "not_allowed"


def test_a_trunk_may_have_a_list_of_its_own_and_deny_more() -> None:
    abroad = TrunkSettings(name="abroad", host="192.0.2.2", allow=("+852*", "+1415*"), deny=("+1415555*",))
    toll = guard()
    assert why(toll, attempt("+85223456789", trunk=abroad)) == "listed"
    assert why(toll, attempt("0014154440100", trunk=abroad)) == "listed"
    assert why(toll, attempt("+14155550100", trunk=abroad)) == "denied"
    assert why(toll, attempt("13800138000", trunk=abroad)) == "not_allowed"


def test_denied_goes_before_allowed() -> None:
    toll = guard(allow=("*",), deny=("international", "premium", "0108123*"))
    assert why(toll, attempt("+14155550100")) == "denied"
    assert why(toll, attempt("81234567")) == "denied"
    assert why(toll, attempt("82234567")) == "listed"


def test_a_user_has_two_calls_at_a_time_and_emergency_calls_always() -> None:
    toll = guard()
    mine = attempt("13800138000", who="1001")
    for leg in ("a", "b"):
        assert why(toll, mine) == "listed"
        toll.begin(leg, "1001", now=0.0, at=NOON)
    assert why(toll, mine) == "calls"
    assert why(toll, attempt("110", who="1001")) == "emergency"
    assert why(toll, attempt("13800138000", who="1002")) == "listed"
    assert toll.running("1001") == 2
    toll.end("a", now=60.0)
    toll.end("a", now=61.0)  # told twice does no harm
    assert why(toll, mine) == "listed"
    assert toll.blocked == 1


def test_minutes_of_a_day_count_what_is_still_up_and_begin_anew_at_midnight() -> None:
    toll = guard(minutes_per_day=10)
    mine = attempt("13800138000", who="1001")
    toll.begin("a", "1001", now=0.0, at=NOON)
    toll.end("a", now=300.0)
    toll.begin("b", "1001", now=400.0, at=NOON)
    assert why(toll, mine, now=699.0) == "listed"
    assert why(toll, mine, now=700.0) == "minutes"
    tomorrow = datetime(2026, 3, 3, 0, 0)
    assert why(toll, mine, now=43200.0, at=tomorrow) == "listed"
    assert why(toll, mine, now=43800.0, at=tomorrow) == "minutes"  # the second call is still up


@pytest.mark.parametrize(
    ("at", "expected"),
    [(time(21, 59), "listed"), (time(22, 0), "night"), (time(3, 0), "night"), (time(7, 0), "listed")],
)
def test_the_night_lock(at: time, expected: str) -> None:
    toll = guard(night="22:00-07:00")
    when = datetime.combine(NOON.date(), at)
    assert why(toll, attempt("13800138000"), at=when) == expected
    assert why(toll, attempt("120"), at=when) == "emergency"


def test_hours() -> None:
    assert within(parse_hours("08:30-18:00"), time(8, 30))
    assert not within(parse_hours("08:30-18:00"), time(18, 0))
    for text in ("", "22", "22-7", "24:00-07:00", "22:60-07:00", "22:0-07:00", "a:00-07:00", "２２:00-07:00"):
        with pytest.raises(ValueError, match=r"hours|there is no"):
            parse_hours(text)


def test_loops_end_here() -> None:
    toll = guard(max_redirections=3)
    assert why(toll, attempt("13800138000", redirections=3)) == "listed"
    assert toll.judge(attempt("13800138000", redirections=4), now=0, at=NOON).status == 483
    assert why(toll, attempt("13800138000", hops=0)) == "hops"
    assert toll.judge(attempt("*72"), now=0, at=NOON).status == 403


def test_a_place_that_a_peer_names_must_be_ours_or_listed() -> None:
    toll = guard(hosts=("partner.example.net",))
    for host, expected in (("partner.example.net", "outside"), ("evil.example.com", "host")):
        asked = Attempt(uri=SipUri(user="x", host=host), chosen_by_peer=True)
        assert why(toll, asked) == expected
    assert why(toll, Attempt(uri=SipUri(user="x", host="anywhere.example.com"))) == "outside"
    assert why(toll, Attempt(uri=SipUri(user="1001", host="x"), to_user=True, chosen_by_peer=True)) == "user"


# -- A07: one hundred thousand spellings -------------------------------------------------------------------

ALLOWED = re.compile(r"(?:(?:\+|00)?86)?0?(?:1[3-9][0-9]{9}|108[0-9]*)|8[0-9]{6,7}|110|112|119|120|122")
"""What may stand before the @: mobile numbers, what begins as 0108 (in all spellings), emergency numbers."""


def spelling(chance: random.Random) -> str:
    """A number as somebody might write it who wants to get out."""
    start = chance.choice(
        ["", "+", "00", "0", "011", "0011", "+00", "*", "#", "**", "+86", "86", "0086", "+1", "1", "01", "9",
         "0 0", "%2B", "+8600", "8600", "08600", "tel:", "sip:", "０", "٠", "-", "(0", "100", "1190", "110",
         "+86110", "+86+"]
    )  # fmt: skip
    body = "".join(chance.choice("0123456789") for _ in range(chance.randint(0, 16)))
    if chance.random() < 0.3:
        body = chance.choice(
            ["13800138000", "1081234567", "81234567", "4155550100", "9005550100", "2071234567"]
        )
    if chance.random() < 0.2 and body:
        at = chance.randrange(len(body))
        body = body[:at] + chance.choice("-. ()*#abcdefABCDEF+;@%_٣\t") + body[at:]
    tail = chance.choice(
        ["", "", "", ";phone-context=+86", ";phone-context=+1", ";phone-context=+44", ";phone-context=+8610",
         ";phone-context=example.com", ";ext=1", ";isub=0044", ";cpc=ordinary", "#", "*",
         ";tgrp=x;trunk-context=+1", "@evil"]
    )  # fmt: skip
    return start + body + tail


def test_of_a_hundred_thousand_spellings_none_leaves_that_is_not_on_the_list() -> None:
    chance = random.Random(7)
    numbering = Numbering(CHINA)
    toll = guard(allow=("mobile", "0108*"), deny=())
    trunks = [
        TrunkSettings(name="carrier", host="192.0.2.1", port=5060),
        TrunkSettings(name="e164", host="192.0.2.2", port=5060, number_format_out="e164"),
        TrunkSettings(name="home", host="192.0.2.3", port=5060, number_format_out="national"),
    ]
    places = Places(
        registrar=SimpleNamespace(bindings=lambda user, now: []),  # type: ignore[arg-type]
        users=(),
        trunks=trunks,
        domain="pbx.example.com",
        clock=SimpleNamespace(now=lambda: 0.0),  # type: ignore[arg-type]
        numbering=numbering,
    )
    ways = (
        "carrier/{}",
        "e164/{}",
        "home/{}",
        "tel:{}",
        "sip:{}@192.0.2.1",
        "sip:{}@192.0.2.3:5060;user=phone",
    )
    left = blocked = 0
    for _ in range(100_000):
        text = chance.choice(ways).format(spelling(chance))
        for place in places.locate(text):
            verdict = toll.judge(
                Attempt(uri=place.uri, trunk=place.trunk, number=place.number, chosen_by_peer=True),
                now=0.0,
                at=NOON,
            )
            if not verdict.allowed:
                blocked += 1
                continue
            left += 1
            sent = SipUri.parse(str(place.uri)).user
            assert ALLOWED.fullmatch(sent), (text, sent, verdict.why)
    assert left > 2_000  # the rules are not simply shut
    assert blocked > 50_000


def test_numbers_that_are_not_to_be_called() -> None:
    unwanted = frozenset({"+8613800138000", "+861081234567"})
    toll = TollGuard(
        TollSettings(allow=("*",)),
        Numbering(CHINA),
        configured=[("carrier", "+861081234567")],
        unwanted=unwanted,
    )
    asked = ["13800138000", "+86 138-0013-8000", "13900139000", "01081234567"]
    assert [why(toll, attempt(number)) for number in asked] == [
        "do_not_call",
        "do_not_call",
        "listed",
        "configured",  # an agent's own number
    ]
    assert toll.judge(attempt("13800138000"), now=0.0, at=NOON).status == 403
    toll.load(TollSettings(), configured=[])
    assert why(toll, attempt("13800138000")) == "listed"


def test_a_number_gets_so_many_calls_in_the_window_whoever_calls() -> None:
    toll = guard(calls_per_number=2, number_window=3600.0)

    def ask(now: float, number: str = "13800138000", **options: object) -> str:
        return why(toll, attempt(number, **options), now=now)

    assert [ask(0.0, who="1001"), ask(10.0, who="1002"), ask(20.0), ask(30.0, who="1003")] == [
        "listed", "listed", "callee", "callee",
    ]  # fmt: skip
    assert ask(40.0, "+8613900139000") == "listed"
    assert ask(3600.0) == "listed"  # the first has left the window; refused ones do not count
    assert ask(3609.9) == "callee"
    assert ask(3610.0) == "listed"


def test_ways_to_ring_one_number_for_one_call_count_once() -> None:
    toll = guard(calls_per_number=2)
    answers = [why(toll, attempt("13800138000", call=call)) for call in ("a", "a", "b", "b", "a", "c")]
    assert answers == ["listed"] * 5 + ["callee"]


def test_the_cap_does_not_hold_back_emergency_calls_and_agents() -> None:
    toll = TollGuard(
        TollSettings(calls_per_number=1), Numbering(CHINA), configured=[("carrier", "+8613800138000")]
    )
    for _ in range(5):
        assert why(toll, attempt("110")) == "emergency"
        assert why(toll, attempt("13800138000")) == "configured"


def test_a_reload_keeps_what_was_counted() -> None:
    toll = guard(calls_per_number=2)
    assert why(toll, attempt("13800138000")) == "listed"
    toll.load(TollSettings(calls_per_number=1), configured=[])
    assert why(toll, attempt("13800138000")) == "callee"


def test_numbers_that_were_called_are_not_remembered_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tollguard, "MAX_CALLEES", 2)
    toll = guard(calls_per_number=1)
    for number in ("13800138001", "13800138002", "13800138003"):
        assert why(toll, attempt(number)) == "listed"
    assert why(toll, attempt("13800138002")) == "callee"
    assert why(toll, attempt("13800138001")) == "listed"


@pytest.mark.parametrize(
    ("hour", "number", "expected"),
    [
        (9, "13800138000", "listed"),
        (18, "13800138000", "hours"),
        (18, "110", "emergency"),
        (18, "13900139000", "configured"),
    ],
)
def test_the_calendar(hour: int, number: str, expected: str) -> None:
    toll = TollGuard(
        TollSettings(hours="office"),
        Numbering(CHINA),
        configured=[("carrier", "+8613900139000")],
        opened=lambda at: 9 <= at.hour < 18,
    )
    assert why(toll, attempt(number), at=datetime(2026, 3, 2, hour, 0)) == expected
