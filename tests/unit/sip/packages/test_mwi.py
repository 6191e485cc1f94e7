"""Message summaries: written for phones, read from servers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.errors import LocalProtocolError, ParseError
from sipcc.sip.packages import Mailboxes, Summary, parse_summary
from sipcc.sip.uri import SipUri


def boxes() -> Mailboxes:
    return Mailboxes(
        lambda uri: "1001" if uri.user == "1001" else None, lambda name: f"sip:{name}@vm.example.com"
    )


def test_an_empty_mailbox() -> None:
    assert boxes().document("1001", version=0, since=None, now=0).body == (
        b"Messages-Waiting: no\r\nMessage-Account: sip:1001@vm.example.com\r\nVoice-Message: 0/0\r\n"
    )


def test_what_waits_is_told_once() -> None:
    what = boxes()
    told: list[str] = []
    what.changed = told.append
    what.set("1001", new=2, old=8, old_urgent=2)
    what.set("1001", new=2, old=8, old_urgent=2)
    assert told == ["1001"]
    body = what.document("1001", version=3, since=0, now=0).body
    assert body.endswith(b"Voice-Message: 2/8 (0/2)\r\n")
    assert parse_summary(body) == Summary(new=2, old=8, old_urgent=2, account="sip:1001@vm.example.com")


def test_mailboxes_that_are_no_user() -> None:
    what = boxes()
    group = SipUri.parse("sip:sales@example.com")
    assert what.resource_of(group) is None
    what.set("sales", new=1, account="sip:*97@example.com")
    assert what.resource_of(group) == "sales"
    assert what.resource_of(SipUri.parse("sip:1001@example.com")) == "1001"
    assert (
        b"Message-Account: sip:*97@example.com\r\n"
        in what.document("sales", version=0, since=None, now=0).body
    )


@pytest.mark.parametrize("wrong", [{"new": -1}, {"new": 2**32}, {"new": 0, "account": "sip:a\r\nX: y"}])
def test_what_no_mailbox_can_hold(wrong: dict[str, int | str]) -> None:
    with pytest.raises(LocalProtocolError):
        boxes().set("1001", **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "summary"),
    [
        (b"Messages-Waiting: yes\r\n", Summary(new=1)),
        (
            b"messages-waiting:YES\nvoice-message : 3 / 4 ( 1 / 2 )\n",
            Summary(new=3, old=4, new_urgent=1, old_urgent=2),
        ),
        (b"Messages-Waiting: no\r\nVoice-Message: x/y\r\n", Summary()),
        (b"Messages-Waiting: no\r\nVoice-Message: 1_0/0\r\nFax-Message: 7/7\r\n", Summary()),
        (b"Messages-Waiting: no\r\nVoice-Message: 9999999999/0", Summary(new=2**32 - 1)),
    ],
)
def test_summaries_are_read(body: bytes, summary: Summary) -> None:
    assert parse_summary(body) == summary


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Voice-Message: 1/1",
        b"Messages-Waiting: yes\r\nMessage-Account: sip:" + b"a" * 3000,
        b"Messages-Waiting: yes\r\n" + b"x" * 5000,
    ],
)
def test_what_is_no_summary(body: bytes) -> None:
    with pytest.raises(ParseError):
        parse_summary(body)


@given(st.binary(max_size=200))
def test_reading_raises_nothing_else(raw: bytes) -> None:
    try:
        parse_summary(b"Messages-Waiting: yes\r\n" + raw)
    except ParseError:
        return
