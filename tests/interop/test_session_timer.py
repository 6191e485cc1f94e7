"""Session timers (RFC 4028) against SIPp, in both roles, with intervals of seconds.

All calls run beside each other: they are started by the first test, and each test judges one.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.interop.field import Field
from tests.interop.scenario import Script, callee, caller, sdp
from tests.interop.sipp import Sipp

ECHO = "4008123453"
TIMER = ["Supported: timer"]
ALLOW = "Allow: INVITE, ACK, CANCEL, BYE, UPDATE"
INTERVAL, LEAST = 6, 4


def ours(name: str, wanted: str, *headers: str) -> Script:
    """A caller that asks for an interval, and gets 200."""
    asked = [f"Session-Expires: {wanted}"] if wanted else []
    script = caller(name).invite(headers=[*TIMER, *asked, *headers]).recv(100, optional=True)
    return script.recv(180, optional=True).recv(200, dialog=True).ack()


def theirs(name: str, *headers: str) -> Script:
    """A callee that answers with these headers."""
    script = callee(name).recv("INVITE").answer(180, "Ringing")
    return script.answer(200, body=sdp(), headers=headers, wait=True).recv("ACK")


def refresh(script: Script, keep: str, answer: str) -> Script:
    """Our refresh comes as an UPDATE or re-INVITE, and is answered."""
    method = keep.rstrip("0123456789").upper()
    body = sdp() if method == "INVITE" else ""
    script.recv(method, keep=keep).answer(200, to=keep, headers=[answer], body=body, wait=bool(body))
    return script.recv("ACK") if body else script


CALLS: dict[str, Script] = {
    "too short": caller("too short")
    .invite(headers=[*TIMER, "Session-Expires: 2"])
    .recv(100, optional=True)
    .recv(422)
    .ack_refusal(),
    "peer refreshes by update": ours("peer refreshes", "4;refresher=uac", ALLOW)
    .pause(2000)
    .request("UPDATE", cseq=2, headers=[*TIMER, "Session-Expires: 4;refresher=uac"])
    .recv(200)
    .pause(2000)
    .request("UPDATE", cseq=3, headers=[*TIMER, "Session-Expires: 4;refresher=uac"])
    .recv(200)
    .bye(cseq=4),
    "peer refreshes by re-invite": ours("peer re-invites", "4;refresher=uac")
    .pause(2000)
    .request("INVITE", cseq=2, headers=[*TIMER, "Session-Expires: 4;refresher=uac"], body=sdp())
    .recv(100, optional=True)
    .recv(200)
    .ack(cseq=2)
    .pause(2000)
    .bye(cseq=3),
    "a refresh that is too short": ours("short refresh", "4;refresher=uac", ALLOW)
    .request("UPDATE", cseq=2, headers=[*TIMER, "Session-Expires: 3;refresher=uac"])
    .recv(422)
    .request("UPDATE", cseq=3, headers=[*TIMER, "Session-Expires: 4;refresher=uac", "Min-SE: 4"])
    .recv(200)
    .bye(cseq=4),
    "peer forgets": ours("peer forgets", f"{INTERVAL};refresher=uac").hung_up(),
    "we refresh": refresh(
        refresh(
            ours("we refresh", f"{INTERVAL};refresher=uas", ALLOW),
            "update",
            f"Session-Expires: {INTERVAL};refresher=uac",
        ),
        "update2",
        f"Session-Expires: {INTERVAL};refresher=uac",
    ).bye(),
    "we refresh by re-invite": refresh(
        ours("we re-invite", f"{INTERVAL};refresher=uas"),
        "invite1",
        f"Session-Expires: {INTERVAL};refresher=uac",
    ).bye(),
    "refresher swap": refresh(
        ours("swap", f"{INTERVAL};refresher=uas", ALLOW),
        "update",
        f"Session-Expires: {INTERVAL};refresher=uas",
    ).hung_up(),
    "no timers at the caller": refresh(
        caller("no timers").invite(headers=[ALLOW]).recv(100, optional=True).recv(200, dialog=True).ack(),
        "update",
        "Server: SIPp",
    ).bye(),
    "our refresh is not answered": ours("silent", f"{INTERVAL};refresher=uas", ALLOW)
    .recv("UPDATE")
    .recv("BYE")
    .answer(200, to="bye"),
    "our refresh meets 481": ours("gone", f"{INTERVAL};refresher=uas", ALLOW)
    .recv("UPDATE")
    .answer(481, "Gone", to="update")
    .recv("BYE")
    .answer(481, "Gone", to="bye"),
}

CALLED: dict[str, Script] = {
    "they want longer": callee("wants longer")
    .recv("INVITE")
    .answer(422, "Session Interval Too Small", headers=["Min-SE: 8"])
    .recv("ACK")
    .recv("INVITE", keep="invite")
    .answer(200, body=sdp(), headers=["Session-Expires: 8;refresher=uac"], wait=True)
    .recv("ACK")
    .recv("INVITE", keep="invite1")
    .answer(200, to="invite1", body=sdp(), headers=["Session-Expires: 8;refresher=uac"], wait=True)
    .recv("ACK")
    .hung_up(),
    "they refresh": theirs(
        "they refresh", f"Session-Expires: {INTERVAL};refresher=uas", "Require: timer", ALLOW
    )
    .pause(2500)
    .request("UPDATE", cseq=1, headers=[*TIMER, f"Session-Expires: {INTERVAL};refresher=uac"])
    .recv(200)
    .pause(2500)
    .request("BYE", cseq=2)
    .recv(200),
    "they forget": theirs(
        "they forget", f"Session-Expires: {INTERVAL};refresher=uas", "Require: timer"
    ).hung_up(),
}


class Runs:
    """The calls of this file, all under way."""

    def __init__(self, field: Field) -> None:
        self.callees = {
            name: field.take(script, at=name.replace(" ", "-")) for name, script in CALLED.items()
        }
        for name in CALLED:
            number = field.number(name.replace(" ", "-"))
            script = caller("hangs up").invite().recv(100, optional=True).recv(180, optional=True)
            script.recv(200, dialog=True).ack()
            script = script.pause(5000).bye() if name == "they want longer" else script.hung_up()
            field.call(script, by="plain", number=number)
        self.callers = {name: field.call(script, by="timed", number=ECHO) for name, script in CALLS.items()}

    def __getitem__(self, name: str) -> Sipp:
        run = self.callers.get(name) or self.callees[name]
        run.succeed(25)
        return run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    field = Field(
        tmp_path_factory.mktemp("timers"),
        callers={"timed": {"session_timer": "supported"}, "plain": {}},
        callees={name.replace(" ", "-"): {"session_timer": "supported"} for name in CALLED},
        sip=f"session_expires = {INTERVAL}\nmin_se = {LEAST}",
        extra="[sip.timers]\nt1 = 0.05\n",
    )
    yield Runs(field)
    field.close()


def test_an_interval_below_ours_earns_422(runs: Runs) -> None:
    assert runs["too short"].first("SIP/2.0 422").header("Min-SE") == str(LEAST)
    run = runs["a refresh that is too short"]
    assert run.first("SIP/2.0 422").header("Min-SE") == str(LEAST)


@pytest.mark.parametrize("name", ["peer refreshes by update", "peer refreshes by re-invite"])
def test_the_caller_refreshes(runs: Runs, name: str) -> None:
    """Its interval would have ended before its last request but for the refreshes."""
    accepted = runs[name].first("SIP/2.0 200", method="INVITE")
    assert accepted.header("Session-Expires") == "4;refresher=uac"
    assert accepted.header("Require") == "timer"


def test_the_caller_forgets_to_refresh(runs: Runs) -> None:
    run = runs["peer forgets"]
    lasted = run.first("BYE", "received").at - run.first("ACK").at
    assert lasted == pytest.approx(INTERVAL - INTERVAL / 3, abs=0.3)


@pytest.mark.parametrize("name", ["we refresh", "we refresh by re-invite"])
def test_we_refresh(runs: Runs, name: str) -> None:
    run = runs[name]
    method = "UPDATE" if name == "we refresh" else "INVITE"
    refreshes = run.all(method, "received")
    assert len(refreshes) == (2 if method == "UPDATE" else 1)
    for before, after in zip([run.first("ACK"), *refreshes], refreshes, strict=False):
        assert 1.0 < after.at - before.at < INTERVAL / 2 + 0.3
        assert after.header("Session-Expires") == f"{INTERVAL};refresher=uac"


def test_a_refresh_may_swap_the_refresher(runs: Runs) -> None:
    """After the swap it was theirs to refresh: they did not, and the call ends."""
    run = runs["refresher swap"]
    assert len(run.all("UPDATE")) == 1
    lasted = run.first("BYE", "received").at - run.first("UPDATE").at
    assert lasted == pytest.approx(INTERVAL - INTERVAL / 3, abs=0.3)


def test_a_caller_without_timers_is_refreshed(runs: Runs) -> None:
    run = runs["no timers at the caller"]
    assert run.first("SIP/2.0 200").header("Session-Expires") == f"{INTERVAL};refresher=uas"
    assert not run.first("SIP/2.0 200").header("Require")


def test_a_peer_that_is_gone(runs: Runs) -> None:
    """A refresh without an answer, or with 481: the call ends with a BYE, whether it arrives or not."""
    run = runs["our refresh is not answered"]
    assert run.first("BYE").at - run.first("UPDATE").at < INTERVAL
    run = runs["our refresh meets 481"]
    assert run.first("BYE").at - run.first("UPDATE").at < 0.5


def test_a_callee_wants_a_longer_interval(runs: Runs) -> None:
    run = runs["they want longer"]
    first, second, refresh = run.all("INVITE", "received")
    assert first.header("Session-Expires") == str(INTERVAL)
    assert (second.header("Session-Expires"), second.header("Min-SE")) == ("8", "8")
    assert first.header("Call-ID") == second.header("Call-ID")
    assert refresh.at - second.at == pytest.approx(4.0 - 0.75, abs=1.0)  # half, and a little spread


def test_the_callee_refreshes(runs: Runs) -> None:
    run = runs["they refresh"]
    assert run.first("SIP/2.0 200", "received").header("Session-Expires") == f"{INTERVAL};refresher=uac"


def test_the_callee_forgets_to_refresh(runs: Runs) -> None:
    run = runs["they forget"]
    lasted = run.first("BYE", "received").at - run.first("ACK").at
    assert lasted == pytest.approx(INTERVAL - INTERVAL / 3, abs=0.3)
