from __future__ import annotations

from sipcc.cli.ladder import draw, title
from sipcc.sip.trace import Direction, Ladder, Rung

CARRIER, AGENT, THIRD = "127.0.0.2:5060", "127.0.0.3:5070", "127.0.0.4:5080"


def message(
    at: float, remote: str, direction: Direction, label: str, *, repeat: bool = False, text: str = ""
) -> Rung:
    return Rung(
        at=at, wall=at, kind="message", label=label, direction=direction, remote=remote,
        local="127.0.0.1:5060", repeat=repeat, text=text,
    )  # fmt: skip


def ladder(*rungs: Rung, dropped: int = 0) -> Ladder:
    return Ladder(
        call="call-1",
        caller="13800138000",
        called="4008123456",
        sip_call_ids=["a", "b"],
        rungs=list(rungs),
        dropped=dropped,
    )


def test_both_legs_with_timers_and_decisions() -> None:
    names = {CARRIER: "carrier", AGENT: "ann"}
    drawn = draw(
        ladder(
            message(0.0, CARRIER, "in", "INVITE 4008123456 SDP"),
            Rung(at=0.001, wall=0, kind="decision", label="route: queue:sales", why="number 4008123456"),
            message(0.1, CARRIER, "out", "100 Trying (INVITE)"),
            message(0.2, AGENT, "out", "INVITE 1001 SDP"),
            Rung(at=0.7, wall=0, kind="timer", label="timer A: INVITE sent again", remote=AGENT),
            message(0.7, AGENT, "out", "INVITE 1001 SDP", repeat=True),
            Rung(at=0.8, wall=0, kind="timer", label="timer G: refusal sent again", remote=CARRIER),
            message(12.3, AGENT, "in", "603 Decline for a very long reason (INVITE)"),
            Rung(at=12.4, wall=0, kind="decision", label="call over: normal"),
        ),
        name_of=lambda address: names[address],
    )
    assert drawn.splitlines() == [
        "Call call-1: 13800138000 called 4008123456",
        "                        carrier                        sipcc                          ann",
        "    0.000 s                |--INVITE 4008123456 SDP----->|                             |",
        "    0.001 s  * route: queue:sales (number 4008123456)",
        "    0.100 s                |<-------100 Trying (INVITE)--|                             |",
        "    0.200 s                |                             |--INVITE 1001 SDP----------->|",
        "    0.700 s                |                             | timer A: INVITE sent again  |",
        "    0.700 s                |                             |--INVITE 1001 SDP again----->|",
        "    0.800 s                | timer G: refusal sent again |                             |",
        "   12.300 s                |                             |<-603 Decline for a very l~--|",
        "   12.400 s  * call over: normal",
    ]


def test_an_arrow_may_pass_another_column() -> None:
    drawn = draw(
        ladder(
            message(0.0, CARRIER, "in", "INVITE"),
            message(0.1, AGENT, "out", "INVITE"),
            message(0.2, THIRD, "out", "INVITE"),
        )
    )
    last = drawn.splitlines()[-1]
    assert last.count("|") == 3
    assert last.endswith("->|")


def test_whole_messages_cannot_drive_the_terminal() -> None:
    drawn = draw(
        ladder(message(0.0, CARRIER, "in", "BYE", text="BYE sip:a SIP/2.0\r\nSubject: \x1b[2J\r\n\r\nbody")),
        texts=True,
    )
    assert drawn.splitlines()[3:] == [
        "               BYE sip:a SIP/2.0",
        "               Subject: ?[2J",
        "               ",
        "               body",
    ] or drawn.splitlines()[3:] == [
        "               BYE sip:a SIP/2.0",
        "               Subject: ?[2J",
        "",
        "               body",
    ]  # fmt: skip
    assert "\x1b" not in drawn


def test_a_call_without_messages_and_a_dialog_without_a_call() -> None:
    only = Ladder(
        call="call-1",
        caller="",
        called="",
        sip_call_ids=[],
        rungs=[Rung(at=0, wall=0, kind="decision", label="refused: 503", why="no route")],
        dropped=3,
    )
    assert draw(only).splitlines()[0] == "Call call-1"
    assert draw(only).splitlines()[2:] == [
        "    0.000 s  * refused: 503 (no route)",
        "3 more messages and notes were between the first and the last ones.",
    ]
    alone = Ladder(call="", caller="", called="", sip_call_ids=["x"], rungs=[])
    assert title(alone) == "Dialog x, of no call"
    assert draw(alone).splitlines()[0] == "Dialog x, of no call"
