"""The funnel of the menus: every entry ends in one way, and the same after a replay in pieces."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sipcc.acd.events import QueueLeft
from sipcc.call.events import CallEndedEvent
from sipcc.events import Event
from sipcc.ivr.events import MenuEntered, MenuLeft
from sipcc.records.eventlog import REGISTRY
from sipcc.records.funnel import Funnel, FunnelFold


def entered(at: float, menu: str, call: str = "c1") -> MenuEntered:
    return MenuEntered(at=at, call=call, menu=menu)


def left(at: float, menu: str, keys: str, to: str, call: str = "c1", **more: Any) -> MenuLeft:
    reason = more.pop("reason", "option")
    retries = more.pop("retries", 0)
    return MenuLeft(at=at, call=call, menu=menu, reason=reason, keys=keys, destination=to, retries=retries)


def answered(at: float, call: str = "c1", exit_: Any = "answered") -> QueueLeft:
    return QueueLeft(at=at, entry=f"e-{call}-{at}", queue="sales", call=call, exit=exit_, waited=1.0)


def ended(at: float, call: str = "c1", by: Any = "caller") -> CallEndedEvent:
    return CallEndedEvent(at=at, call=call, cause="normal", sip_status=200, ended_by=by)


def folded(events: list[Event], *, since: float = 0.0, until: float = 1000.0) -> Funnel:
    fold = FunnelFold(since=since, until=until)
    for event in events:
        fold.apply(event, event.at)
    return fold.result()


def test_a_walk_through_two_menus_to_an_agent() -> None:
    funnel = folded(
        [
            entered(1.0, "main"),
            left(2.0, "main", "1", "menu:billing", retries=1),
            entered(2.0, "billing"),
            left(3.0, "billing", "23", "queue:sales"),
            answered(4.0),
            answered(5.0),  # a second queue after a transfer
            ended(9.0),
        ]
    )
    main, billing = funnel.menus
    assert (main.entries, main.choices, main.replayed, main.to) == (1, {"1": 1}, 1, {"menu:billing": 1})
    assert (billing.entries, billing.choices, billing.hung_up) == (1, {"23": 1}, 0)
    assert (funnel.callers, funnel.reached, funnel.presses_to_agent, funnel.mean_presses) == (
        1,
        1,
        {3: 1},
        3.0,
    )


def test_every_way_out_of_a_menu() -> None:
    calls = ("quiet", "wrong", "gone", "cut", "there", "again")
    events: list[Event] = [entered(1.0, "main", call) for call in calls]
    events += [
        left(2.0, "main", "", "queue:sales", "quiet", reason="noinput", retries=2),
        left(2.0, "main", "", "hangup", "wrong", reason="nomatch", retries=2),
        ended(3.0, "gone"),
        ended(3.0, "cut", "us"),
        entered(4.0, "main", "again"),
        answered(5.0, "quiet"),
        ended(6.0, "quiet", "callee"),
    ]
    funnel = folded(events)
    (main,) = funnel.menus
    assert (main.entries, main.timed_out, main.mistaken, main.hung_up, main.cut, main.still_there) == (
        7, 1, 1, 1, 2, 2,
    )  # fmt: skip
    assert (funnel.callers, funnel.presses_to_agent) == (6, {0: 1})
    assert main.replayed == 4


def test_calls_count_where_they_began() -> None:
    events: list[Event] = [
        entered(9.0, "main", "early"),
        left(11.0, "main", "1", "menu:more", "early"),
        entered(11.0, "more", "early"),
        ended(12.0, "early"),
        entered(19.0, "main", "in time"),
        left(25.0, "main", "1", "queue:sales", "in time"),
        answered(26.0, "in time"),
        entered(20.0, "main", "late"),
    ]
    funnel = folded(events, since=10.0, until=20.0)
    assert (funnel.callers, funnel.reached, [menu.menu for menu in funnel.menus]) == (1, 1, ["main"])
    assert (funnel.menus[0].entries, funnel.menus[0].choices) == (1, {"1": 1})
    assert folded([]).mean_presses is None


STEPS = st.sampled_from(["enter", "option", "noinput", "nomatch", "answer", "end", "cut"])


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["m", "n"]), STEPS), max_size=60))
def test_entries_are_the_sum_of_their_ends_and_a_replay_says_the_same(
    steps: list[tuple[str, str, str]],
) -> None:
    events: list[Event] = []
    for at, (call, menu, step) in enumerate(steps):
        match step:
            case "enter":
                events.append(entered(float(at), menu, call))
            case "answer":
                events.append(answered(float(at), call))
            case "end" | "cut":
                events.append(ended(float(at), call, "caller" if step == "end" else "us"))
            case _:
                events.append(left(float(at), menu, "1" * (step == "option"), "hangup", call, reason=step))
    funnel = folded(events)
    for menu in funnel.menus:
        out = sum(menu.choices.values()) + menu.timed_out + menu.mistaken
        assert menu.entries == out + menu.hung_up + menu.cut + menu.still_there
    rows = [REGISTRY.encode(event, wall=event.at) for event in events]
    again = [event for row in rows if (event := REGISTRY.decode(row.type, row.json)) is not None]
    assert folded(again) == funnel
