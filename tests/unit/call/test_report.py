from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sipcc.call.report import Report
from sipcc.errors import LocalProtocolError
from sipcc.sip.refer import status_of


class Session:
    def __init__(self) -> None:
        self.told: list[tuple[int, str, str]] = []
        self.answer: Any = None
        self.held = 0
        self.over = False

    def hold_dialog(self) -> None:
        self.held += 1

    def release_dialog(self) -> None:
        self.held -= 1

    def send_request(
        self, method: str, *, body: bytes, content_type: str, headers: Any, on_response: Any
    ) -> None:
        if self.over:
            raise LocalProtocolError("over")
        values = dict(headers)
        self.told.append((status_of(body), values["Event"], values["Subscription-State"]))
        self.answer = on_response


def make(*, first: bool = True) -> tuple[Report, Session]:
    session = Session()
    return Report(SimpleNamespace(session=session), 7, first=first), session  # type: ignore[arg-type]


OK = SimpleNamespace(status=200)


def test_one_notify_at_a_time_and_what_is_overtaken_is_left_out() -> None:
    report, session = make()
    for status in (100, 182, 180, 180):
        report.tell(status)
    assert session.told == [(100, "refer", "active;expires=180")]
    session.answer(OK)
    assert session.told[1:] == [(180, "refer", "active;expires=180")]
    session.answer(OK)
    report.tell(200)
    assert session.told[2:] == [(200, "refer", "terminated;reason=noresource")]
    assert session.held == 1
    session.answer(OK)
    assert session.held == 0
    report.tell(200)
    assert len(session.told) == 3


def test_the_last_word_waits_for_no_answer() -> None:
    report, session = make()
    report.tell(100)
    report.tell(180)
    before = session.answer
    report.tell(200)
    report.tell(500)
    assert [status for status, *_ in session.told] == [100, 200]
    before(SimpleNamespace(status=500))  # it was overtaken
    assert (session.held, len(session.told)) == (1, 2)
    session.answer(OK)
    assert (session.held, report.over) == (0, True)


@pytest.mark.parametrize("response", [None, SimpleNamespace(status=481)])
def test_a_transferor_that_does_not_listen_is_told_no_more(response: Any) -> None:
    report, session = make(first=False)
    report.tell(100)
    assert session.told[0][1] == "refer;id=7"
    session.answer(response)
    report.tell(200)
    assert (len(session.told), session.held, report.over) == (1, 0, True)


def test_a_dialog_that_is_gone_ends_it() -> None:
    report, session = make()
    session.over = True
    report.tell(100)
    assert (report.over, session.held) == (True, 0)


@pytest.mark.parametrize(("expires", "over"), [("0", True), ("60", False), ("", False)])
def test_the_transferor_refreshes_or_ends_it(expires: str, over: bool) -> None:
    report, _ = make()
    replied: list[int] = []
    request = SimpleNamespace(headers={"Expires": expires})
    inbound: Any = SimpleNamespace(request=request, reply=lambda status, headers=(): replied.append(status))
    report.subscribed(inbound)
    assert report.over is over
    report.subscribed(inbound)
    assert replied == ([200, 481] if over else [200, 200])
