"""The session timer core against the tables of RFC 4028."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.sip import Request, Response
from sipcc.sip.session_timer import SessionExpires, SessionTimer, TimerPolicy

Mode = Literal["off", "supported", "required"]
TIMER = ("Supported", "timer, path")


def invite(*headers: tuple[str, str]) -> Request:
    return Request.build("INVITE", "sip:b@example.com", headers=headers)


def ok(*headers: tuple[str, str], status: int = 200) -> Response:
    return Response.build(status, headers=headers)


def timer(mode: Mode = "supported", interval: int = 1800, least: int = 90) -> SessionTimer:
    return SessionTimer(TimerPolicy(mode, interval, least))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1800", (1800, "")),
        ("1800;refresher=uas", (1800, "uas")),
        (" 90 ; refresher=UAC;x=y", (90, "uac")),
        ("90;refresher=both", (90, "")),
        ("90;;", (90, "")),
        ("12345678901", None),
        ("-5", None),
        ("", None),
        ("x;refresher=uac", None),
    ],
)
def test_values(value: str, expected: tuple[int, str] | None) -> None:
    found = SessionExpires.of(invite(("x", value)))
    assert (found and (found.interval, found.refresher)) == expected


@given(st.binary(max_size=40).filter(lambda raw: not set(raw) & {10, 13, 0}))
def test_no_value_breaks_it(raw: bytes) -> None:
    message = invite()
    message.headers.add("Session-Expires", raw.decode("latin-1"))
    SessionExpires.of(message)
    timer().accept(message, now=0.0)


@pytest.mark.parametrize(
    ("mode", "headers", "expected"),
    [
        ("off", [], {}),
        ("off", [TIMER], {}),
        ("off", [("Session-Expires", "600")], {}),  # a proxy wrote it: the caller does not refresh
        ("off", [TIMER, ("Session-Expires", "600")], {"Session-Expires": "600;refresher=uac"}),
        ("off", [TIMER, ("Session-Expires", "600;refresher=uac")], {"Session-Expires": "600;refresher=uac"}),
        ("off", [TIMER, ("Session-Expires", "600;refresher=uas")], {}),
        (
            "off",
            [("Require", "timer"), ("Session-Expires", "600;refresher=uas")],
            {"Session-Expires": "600;refresher=uas"},
        ),
        ("supported", [], {"Session-Expires": "1800;refresher=uas"}),
        ("supported", [("Min-SE", "3600")], {"Session-Expires": "3600;refresher=uas"}),
        ("supported", [TIMER], {"Session-Expires": "1800;refresher=uac"}),
        ("supported", [TIMER, ("Session-Expires", "600")], {"Session-Expires": "600;refresher=uac"}),
        ("supported", [TIMER, ("Session-Expires", "7200")], {"Session-Expires": "1800;refresher=uac"}),
        (
            "supported",
            [TIMER, ("Session-Expires", "600;refresher=uas")],
            {"Session-Expires": "600;refresher=uas"},
        ),
        ("supported", [("Session-Expires", "600;refresher=uac")], {"Session-Expires": "600;refresher=uas"}),
        ("supported", [("Session-Expires", "20")], {"Session-Expires": "90;refresher=uas"}),
    ],
)
def test_what_a_2xx_promises(mode: Mode, headers: list[tuple[str, str]], expected: dict[str, str]) -> None:
    core = timer(mode)
    said = dict(core.accept(invite(*headers), now=0.0))
    assert (said.pop("Require", "") == "timer") == said.get("Session-Expires", "").endswith("uac")
    assert said == expected
    assert (core.deadline is None) == (not expected)


@pytest.mark.parametrize(
    ("mode", "headers", "initial", "status"),
    [
        ("off", [TIMER, ("Session-Expires", "89")], True, 422),
        ("off", [("Session-Expires", "89")], True, None),
        ("supported", [TIMER, ("Session-Expires", "90")], True, None),
        ("supported", [TIMER, ("Session-Expires", "30")], False, 422),
        ("required", [], True, 421),
        ("required", [], False, None),
        ("required", [TIMER], True, None),
        ("required", [("Require", "timer")], True, None),
    ],
)
def test_refusals(mode: Mode, headers: list[tuple[str, str]], initial: bool, status: int | None) -> None:
    refused = timer(mode).judge(invite(*headers), initial=initial)
    assert (refused and refused[0]) == status
    if refused is not None:
        assert refused[1] == ([("Min-SE", "90")] if status == 422 else [("Require", "timer")])


@pytest.mark.parametrize(
    ("mode", "headers", "interval", "refresher", "deadline"),
    [
        ("off", [("Session-Expires", "600;refresher=uac")], 0, "us", None),
        ("supported", [("Session-Expires", "600;refresher=uac")], 600, "us", 300.0),
        ("supported", [("Session-Expires", "600")], 600, "us", 300.0),
        ("supported", [("Session-Expires", "600;refresher=uas")], 600, "peer", 568.0),
        ("supported", [("Session-Expires", "90;refresher=uas")], 90, "peer", 60.0),
        ("supported", [("Session-Expires", "1;refresher=uac")], 90, "us", 45.0),
        ("supported", [], 1800, "us", 900.0),
    ],
)
def test_what_a_2xx_means(
    mode: Mode, headers: list[tuple[str, str]], interval: int, refresher: str, deadline: float | None
) -> None:
    core = timer(mode)
    core.take_answer(ok(*headers), now=0.0)
    assert (core.interval, core.refresher, core.deadline) == (interval, refresher, deadline)
    if deadline is not None:
        assert core.expire(now=deadline - 0.1) is None
        assert core.expire(now=deadline) == ("refresh" if refresher == "us" else "expired")


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("off", {}),
        ("supported", {"Session-Expires": "1800"}),
        ("required", {"Session-Expires": "1800", "Require": "timer"}),
    ],
)
def test_the_first_request(mode: Mode, expected: dict[str, str]) -> None:
    assert dict(timer(mode).request_headers()) == expected


def test_later_requests_name_the_refresher_of_now() -> None:
    core = timer("off")
    core.accept(invite(TIMER, ("Session-Expires", "600")), now=0.0)
    assert dict(core.request_headers()) == {"Session-Expires": "600;refresher=uas", "Supported": "timer"}
    core.take_answer(ok(("Session-Expires", "600;refresher=uac")), now=10.0)
    assert dict(core.request_headers())["Session-Expires"] == "600;refresher=uac"
    core.take_answer(ok(), now=20.0)
    assert (core.interval, core.deadline, core.request_headers()) == (0, None, [])


def test_422_raises_the_interval() -> None:
    core = timer(interval=300)
    assert not core.raise_to(ok(status=422))
    assert not core.raise_to(ok(("Min-SE", "300"), status=422))
    assert core.raise_to(ok(("Min-SE", "900"), status=422))
    assert dict(core.request_headers()) == {"Session-Expires": "900", "Min-SE": "900"}
    assert not core.raise_to(ok(("Min-SE", "900"), status=422))


def test_a_refused_refresh_is_tried_again_until_the_end() -> None:
    core = timer()
    core.take_answer(ok(("Session-Expires", "600;refresher=uac")), now=0.0)
    now, refreshes = 0.0, 0
    for _ in range(100):
        assert core.deadline is not None
        now = core.deadline
        if core.expire(now=now) == "expired":
            break
        refreshes += 1
        core.postpone(now=now)
    assert now == 568.0
    assert 3 <= refreshes <= 20


def test_one_who_refreshes_alone_never_hangs_up() -> None:
    core = timer(interval=100)
    core.take_answer(ok(), now=0.0)
    for _ in range(5):
        assert core.expire(now=core.deadline or 0.0) == "refresh"
        core.postpone(now=core.deadline or 1000.0)
    assert dict(core.request_headers()) == {"Session-Expires": "100"}


def test_jitter_only_makes_it_earlier() -> None:
    for jitter, at in ((0.0, 300.0), (1.0, 298.5)):
        core = timer()
        core.take_answer(ok(("Session-Expires", "600")), now=0.0, jitter=jitter)
        assert core.deadline == pytest.approx(at)


@pytest.mark.parametrize(("allow", "expected"), [("INVITE, UPDATE", True), ("INVITE, ACK", False)])
def test_allow(allow: str, expected: bool) -> None:
    core: Any = timer("off")
    core.accept(invite(("Allow", allow)), now=0.0)
    core.accept(invite(), now=0.0)
    assert core.peer_updates is expected
