"""The SIP messages of one call, drawn as a ladder in text.

      0.000   127.0.0.2:40001            sipcc            127.0.0.3:40007
                    |                      |                      |
      0.000         |--INVITE 4008123456-->|                      |
                    |        (SDP)         |                      |

Messages of all legs of a call are drawn in one ladder, with one column for each address that took part.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import msgspec

from sipcc.bus import Bus
from sipcc.call.events import CallStarted, LegStarted
from sipcc.sip.transport.base import Address, Flow

if TYPE_CHECKING:
    from sipcc.sip import Endpoint

MAX_CALLS = 64
"""Ladders kept; the oldest goes first."""
MAX_MESSAGES = 200
"""Messages kept of one SIP dialog; what comes later is counted only."""

_CALL_ID = re.compile(rb"(?im)^(?:call-id|i)[ \t]*:[ \t]*([^\r\n]+?)[ \t]*\r?$")
_CSEQ = re.compile(rb"(?im)^cseq[ \t]*:[ \t]*([0-9]+)[ \t]+([^\s]+)")
_TIME_WIDTH = 12
_COLUMN_WIDTH = 30


class Rung(msgspec.Struct, frozen=True):
    """One message: when, with whom, which way, and what to write on the arrow."""

    at: float
    peer: Address
    direction: Literal["in", "out"]
    label: str


class Ladder:
    """Listens to an endpoint and draws any recent call."""

    def __init__(self, *, here: str = "sipcc", name_of: Callable[[Address], str] = str) -> None:
        self._here = here
        self._name_of = name_of
        self._dialogs: OrderedDict[str, list[Rung]] = OrderedDict()
        self._legs: OrderedDict[str, list[str]] = OrderedDict()
        self.overflowed = 0
        """Messages beyond `MAX_MESSAGES` of their dialog."""

    def attach(self, endpoint: Endpoint, bus: Bus) -> None:
        """Listen to the messages of `endpoint`, and learn from `bus` which legs make a call."""
        endpoint.on_message = self.saw
        bus.on(CallStarted, lambda event: self.join(event.call, event.sip_call_id))
        bus.on(LegStarted, lambda event: self.join(event.call, event.sip_call_id))

    def saw(self, direction: Literal["in", "out"], data: bytes, flow: Flow, at: float) -> None:
        """Take note of one message."""
        found = _CALL_ID.search(data)
        if found is None:
            return
        key = found[1].decode("utf-8", "replace")
        rungs = self._dialogs.setdefault(key, [])
        if len(rungs) >= MAX_MESSAGES:
            self.overflowed += 1
            return
        rungs.append(Rung(at, flow.remote, direction, label_of(data)))
        while len(self._dialogs) > 4 * MAX_CALLS:
            self._dialogs.popitem(last=False)

    def join(self, call: str, sip_call_id: str) -> None:
        """The dialog `sip_call_id` is a leg of `call`."""
        self._legs.setdefault(call, []).append(sip_call_id)
        while len(self._legs) > MAX_CALLS:
            self._legs.popitem(last=False)

    @property
    def last_call(self) -> str | None:
        """The call that started last."""
        return next(reversed(self._legs), None)

    def text(self, call: str | None = None) -> str:
        """The ladder of `call`, or of the last one; says so when there is none."""
        call = call or self.last_call
        legs = self._legs.get(call or "", [])
        rungs = sorted(
            (rung for leg in legs for rung in self._dialogs.get(leg, [])), key=lambda rung: rung.at
        )
        if not rungs:
            return "No SIP message of a call was seen yet."
        return f"Call {call}\n{draw(rungs, here=self._here, name_of=self._name_of)}"


def label_of(data: bytes) -> str:
    """What to write on the arrow: method and user, or status and what it answers; and whether SDP is in."""
    head, _, body = data.partition(b"\r\n\r\n")
    start = head.split(b"\r\n", 1)[0].decode("utf-8", "replace")
    if start.startswith("SIP/2.0 "):
        cseq = _CSEQ.search(head)
        label = f"{start[8:]} ({cseq[2].decode('ascii', 'replace')})" if cseq else start[8:]
    else:
        method, _, rest = start.partition(" ")
        user = re.match(r"sips?:([^@;\s]+)@", rest)
        label = f"{method} {user[1]}" if user else method
    return f"{label} SDP" if body.startswith(b"v=0") else label


def draw(rungs: list[Rung], *, here: str = "sipcc", name_of: Callable[[Address], str] = str) -> str:
    """The ladder of messages in order of time; the first peer stands left, all others right of us."""
    peers = list(dict.fromkeys(name_of(rung.peer) for rung in rungs))
    names = [peers[0], here, *peers[1:]]
    middle = [_TIME_WIDTH + _COLUMN_WIDTH // 2 + index * _COLUMN_WIDTH for index in range(len(names))]
    header = [" "] * (middle[-1] + _COLUMN_WIDTH // 2)
    for name, at in zip(names, middle, strict=True):
        text = name[: _COLUMN_WIDTH - 2]
        start = at - len(text) // 2
        header[start : start + len(text)] = text
    lines = ["".join(header).rstrip()]
    for rung in rungs:
        line = [" "] * (middle[-1] + 1)
        for at in middle:
            line[at] = "|"
        time = f"{rung.at - rungs[0].at:9.3f} s"
        line[: len(time)] = time
        peer = middle[names.index(name_of(rung.peer))]
        _arrow(line, *((peer, middle[1]) if rung.direction == "in" else (middle[1], peer)), rung.label)
        lines.append("".join(line))
    return "\n".join(lines)


def _arrow(line: list[str], source: int, target: int, label: str) -> None:
    left, right = sorted((source, target))
    line[left + 1 : right] = "-" * (right - left - 1)
    if target == right:
        line[right - 1] = ">"
    else:
        line[left + 1] = "<"
    room = min(right - left, _COLUMN_WIDTH) - 5
    text = label if len(label) <= room else label[: room - 1] + "~"
    near = left + 3 if source == left else right - 2 - len(text)
    line[near : near + len(text)] = text
