"""The words of RFC 6665, and one subscription as its notifier sees it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.sip.build import response
from sipcc.sip.message import Request, Response
from sipcc.sip.subscription import (
    EventType,
    Notice,
    SubscriptionState,
    Watch,
    granted,
)

NOTIFY = Request.build("NOTIFY", "sip:a@example.com", headers=[("CSeq", "1 NOTIFY")])


def answer(status: int, *headers: tuple[str, str]) -> Response:
    return response(NOTIFY, status, headers=headers)


@pytest.mark.parametrize(
    ("raw", "event"),
    [
        (b"dialog", EventType("dialog")),
        (b"dialog ; id=7;sla", EventType("dialog", "7", {"sla": ""})),
        (b"presence.winfo;x=y", EventType("presence.winfo", "", {"x": "y"})),
        (b"", None),
        (None, None),
        (b"a b", None),
        (b"dialog;=", None),
        (b"dialog;id=1;id=2", None),
        (b"\xff", None),
    ],
)
def test_event(raw: bytes | None, event: EventType | None) -> None:
    assert EventType.parse(raw) == event
    if event is not None:
        assert EventType.parse(str(event).encode()) == event


@pytest.mark.parametrize(
    ("raw", "state"),
    [
        (b"active;expires=600", SubscriptionState("active", expires=600)),
        (b"Pending", SubscriptionState("pending")),
        (b"terminated ;reason=Timeout", SubscriptionState("terminated", "timeout")),
        (b"terminated;reason=probation;retry-after=5", SubscriptionState("terminated", "probation", None, 5)),
        (b"active;expires=1_0", SubscriptionState("active")),
        (b"active;;", SubscriptionState("active")),
        (b"active;expires=99999999999", SubscriptionState("active", expires=2**32 - 1)),
        (b"", None),
        (None, None),
    ],
)
def test_subscription_state(raw: bytes | None, state: SubscriptionState | None) -> None:
    assert SubscriptionState.parse(raw) == state


@pytest.mark.parametrize(
    ("reason", "retry_after", "pause"),
    [
        ("rejected", None, None), ("noresource", 5, None), ("invariant", None, None),
        ("deactivated", None, 0.0), ("timeout", 9, 0.0), ("probation", 5, 5.0), ("giveup", None, 60.0),
        ("", None, 0.0), ("odd", 7, 7.0), ("probation", 2**32 - 1, 3600.0),
    ],
)  # fmt: skip
def test_when_to_subscribe_again(reason: str, retry_after: int | None, pause: float | None) -> None:
    assert SubscriptionState("terminated", reason, None, retry_after).resubscribe_after() == pause


@pytest.mark.parametrize(
    ("wish", "seconds"), [(None, 600), (0, 0), (59, None), (60, 60), (900, 900), (2**32 - 1, 3600)]
)
def test_seconds_granted(wish: int | None, seconds: int | None) -> None:
    assert granted(wish, default=600, shortest=60, longest=3600) == seconds


@given(st.binary(max_size=60))
def test_words_never_raise(raw: bytes) -> None:
    EventType.parse(raw)
    SubscriptionState.parse(raw)


# -- Watch ----------------------------------------------------------------------------------------------


def said(notice: Notice | None) -> tuple[str, bool, int]:
    assert notice is not None
    return str(notice.state), notice.full, notice.version


def watching(now: float = 0.0) -> Watch:
    """A subscription of 600 s whose first NOTIFY was answered."""
    watch = Watch(interval=1.0)
    watch.subscribe(600, now=now)
    assert said(watch.to_send(now=now)) == ("active;expires=600", True, 0)
    watch.answered(answer(200), now=now)
    return watch


def test_changes_are_told_once_a_second_at_most() -> None:
    watch = watching()
    watch.change(now=5.0)
    assert said(watch.to_send(now=5.0)) == ("active;expires=595", False, 1)
    watch.answered(answer(200), now=5.1)
    for now in (5.2, 5.3, 5.9):
        watch.change(now=now)
        assert watch.to_send(now=now) is None
    assert watch.deadline == 6.0
    assert said(watch.to_send(now=6.0)) == ("active;expires=594", False, 2)
    assert watch.to_send(now=6.0) is None


def test_one_notify_is_under_way_at_a_time() -> None:
    watch = watching()
    watch.change(now=2.0)
    assert watch.to_send(now=2.0) is not None
    watch.change(now=3.0)
    watch.change(now=4.0)
    assert watch.to_send(now=4.0) is None
    assert watch.deadline == 600.0
    watch.answered(answer(200), now=9.0)
    assert said(watch.to_send(now=9.0)) == ("active;expires=591", False, 2)


def test_a_refresh_is_told_at_once_and_in_full() -> None:
    watch = watching()
    watch.change(now=0.2)
    watch.subscribe(300, now=0.5)
    assert said(watch.to_send(now=0.5)) == ("active;expires=300", True, 1)
    assert watch.deadline == 300.5


def test_fetch() -> None:
    watch = Watch(interval=1.0)
    watch.subscribe(0, now=0.0)
    assert watch.ending
    assert said(watch.to_send(now=0.0)) == ("terminated;reason=timeout", True, 0)
    assert not watch.over
    watch.answered(answer(200), now=0.1)
    assert watch.over
    assert watch.deadline is None


def test_its_time_ends_also_while_a_notify_is_under_way() -> None:
    watch = watching()
    watch.change(now=599.0)
    assert watch.to_send(now=599.0) is not None
    watch.expire(now=600.0)
    assert watch.to_send(now=600.0) is None
    assert watch.deadline is None
    watch.answered(answer(200), now=601.0)
    assert said(watch.to_send(now=601.0)) == ("terminated;reason=timeout", True, 2)
    watch.failed()
    assert watch.over


@pytest.mark.parametrize(
    ("status", "headers", "over"),
    [
        (200, [], False),
        (202, [], False),
        (481, [("Retry-After", "5")], True),
        (404, [], True),
        (500, [], True),
        (503, [("Retry-After", "5")], False),
        (486, [("Retry-After", "x")], True),
    ],
)
def test_a_refused_notify_ends_it_unless_the_watcher_says_when(
    status: int, headers: list[tuple[str, str]], over: bool
) -> None:
    watch = watching()
    watch.change(now=10.0)
    assert watch.to_send(now=10.0) is not None
    watch.answered(answer(status, *headers), now=10.0)
    assert watch.over is over
    if status == 503:
        assert watch.deadline == 15.0
        assert said(watch.to_send(now=15.0)) == ("active;expires=585", True, 2)


def test_nothing_is_said_after_the_last_word() -> None:
    watch = watching()
    watch.end("noresource", now=1.0, retry_after=None)
    watch.change(now=1.0)
    watch.end("probation", now=1.0)
    assert said(watch.to_send(now=1.0)) == ("terminated;reason=noresource", True, 1)
    watch.change(now=2.0)
    assert watch.deadline is None
    watch.answered(answer(404), now=2.0)
    assert watch.over


STEPS = st.lists(
    st.tuples(
        st.floats(0.0, 40.0),
        st.sampled_from(
            ["change", "change", "refresh", "leave", "end", "ok", "ok", "busy", "gone", "lost", "wait"]
        ),
    ),
    max_size=60,
)


@given(STEPS)
def test_whatever_happens_the_rules_hold(steps: list[tuple[float, str]]) -> None:
    now, watch = 0.0, Watch(interval=1.0)
    watch.subscribe(100, now=now)
    sent: list[tuple[float, Notice, bool]] = []
    flying = asked = False
    told_at = 0.0

    def look() -> None:
        nonlocal flying, asked
        watch.expire(now=now)
        notice = watch.to_send(now=now)
        if notice is not None:
            assert not flying
            sent.append((now, notice, asked))
            flying, asked = True, False
        assert watch.to_send(now=now) is None

    for pause, step in steps:
        due = now + pause
        look()
        while (at := watch.deadline) is not None and at <= due:
            assert at >= told_at
            told_at = now = max(now, at)
            look()
            if watch.deadline is not None:
                assert watch.deadline > now
        now = due
        if step == "change":
            watch.change(now=now)
        elif step == "refresh" and not watch.ending:
            watch.subscribe(100, now=now)
            asked = True
        elif step == "leave" and not watch.ending:
            watch.subscribe(0, now=now)
        elif step == "end":
            watch.end("noresource", now=now)
        elif flying and step in ("ok", "busy", "gone", "lost"):
            flying = False
            if step == "lost":
                watch.failed()
            else:
                headers = [("Retry-After", "3")] if step == "busy" else []
                status = {"ok": 200, "busy": 503, "gone": 481}[step]
                watch.answered(answer(status, *headers), now=now)
        look()
    assert [notice.version for _, notice, _ in sent] == list(range(len(sent)))
    assert sum(notice.state.terminated for _, notice, _ in sent) <= 1
    assert all(not notice.state.terminated for _, notice, _ in sent[:-1])
    for (before, _, _), (at, notice, was_asked) in pairwise(sent):
        if not notice.full and not was_asked:
            assert at - before >= 1.0 - 1e-9
