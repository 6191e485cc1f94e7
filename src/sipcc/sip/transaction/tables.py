"""The four transaction machines of RFC 3261 §17 with the corrections of RFC 6026, as data.

A table maps (state, input) to (next state, actions in order). Inputs that a table does not list are
counted and dropped when they come from the network, and are an error when they come from above; the
runner in `sipcc.sip.transaction.machine` decides that once. `mermaid` prints any table as a diagram.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias


class State(StrEnum):
    """The states of figures 5 to 8 of RFC 3261, and Accepted of RFC 6026 §7."""

    CALLING = "Calling"
    TRYING = "Trying"
    PROCEEDING = "Proceeding"
    COMPLETED = "Completed"
    ACCEPTED = "Accepted"
    CONFIRMED = "Confirmed"
    TERMINATED = "Terminated"


class Input(StrEnum):
    """What can happen to a transaction. Timer inputs have the letters of the RFC."""

    PROVISIONAL = "1xx"
    SUCCESS = "2xx"
    FAILURE = "300-699"
    REQUEST = "request"
    ACK = "ACK"
    SEND_PROVISIONAL = "1xx from TU"
    SEND_SUCCESS = "2xx from TU"
    SEND_FAILURE = "300-699 from TU"
    TRANSPORT_ERROR = "transport error"
    TIMER_A = "A"
    TIMER_B = "B"
    TIMER_D = "D"
    TIMER_E = "E"
    TIMER_F = "F"
    TIMER_G = "G"
    TIMER_H = "H"
    TIMER_I = "I"
    TIMER_J = "J"
    TIMER_K = "K"
    TIMER_L = "L"
    TIMER_M = "M"
    GIVE_UP = "no answer"
    """Nothing came for as long as the TU wants to wait: RFC 3263 §4.3, not a timer of RFC 3261."""


class Action(StrEnum):
    """What a transaction does on the way from one state to the next."""

    SEND_REQUEST = "send request"
    SEND_RESPONSE = "send response"
    SEND_ACK = "send ACK"
    PASS_UP = "pass to TU"
    REPORT_TIMEOUT = "report time-out"
    REPORT_ERROR = "report transport error"
    START_A = "start A"
    START_B = "start B"
    START_D = "start D"
    START_E = "start E"
    START_E_T2 = "start E at T2"
    START_F = "start F"
    START_G = "start G"
    START_H = "start H"
    START_I = "start I"
    START_J = "start J"
    START_K = "start K"
    START_L = "start L"
    START_M = "start M"
    STOP_A = "stop A"
    STOP_B = "stop B"
    STOP_E = "stop E"
    STOP_F = "stop F"
    STOP_G = "stop G"
    STOP_H = "stop H"


Step: TypeAlias = tuple[State, tuple[Action, ...]]
Table: TypeAlias = dict[State, dict[Input, Step]]

FROM_ABOVE = frozenset({Input.SEND_PROVISIONAL, Input.SEND_SUCCESS, Input.SEND_FAILURE})
"""Inputs of the layer above: unlisted ones are a `LocalProtocolError`."""

_S, _I, _A = State, Input, Action

_GIVE_UP: Step = (_S.TERMINATED, (_A.REPORT_ERROR,))

INVITE_CLIENT: Table = {
    # RFC 3261 §17.1.1, figure 5; Accepted and timer M: RFC 6026 §7.2
    _S.CALLING: {
        _I.TIMER_A: (_S.CALLING, (_A.SEND_REQUEST, _A.START_A)),
        _I.TIMER_B: (_S.TERMINATED, (_A.REPORT_TIMEOUT,)),
        # the request may have arrived all the same: a late answer must still find its transaction
        _I.GIVE_UP: (_S.CALLING, (_A.STOP_A, _A.REPORT_TIMEOUT)),
        _I.TRANSPORT_ERROR: _GIVE_UP,
        _I.PROVISIONAL: (_S.PROCEEDING, (_A.STOP_A, _A.STOP_B, _A.PASS_UP)),
        _I.SUCCESS: (_S.ACCEPTED, (_A.STOP_A, _A.STOP_B, _A.PASS_UP, _A.START_M)),
        _I.FAILURE: (_S.COMPLETED, (_A.STOP_A, _A.STOP_B, _A.SEND_ACK, _A.PASS_UP, _A.START_D)),
    },
    _S.PROCEEDING: {
        _I.TRANSPORT_ERROR: _GIVE_UP,
        _I.PROVISIONAL: (_S.PROCEEDING, (_A.PASS_UP,)),
        _I.SUCCESS: (_S.ACCEPTED, (_A.PASS_UP, _A.START_M)),
        _I.FAILURE: (_S.COMPLETED, (_A.SEND_ACK, _A.PASS_UP, _A.START_D)),
    },
    _S.COMPLETED: {
        _I.PROVISIONAL: (_S.COMPLETED, ()),
        _I.FAILURE: (_S.COMPLETED, (_A.SEND_ACK,)),
        _I.TRANSPORT_ERROR: _GIVE_UP,
        _I.TIMER_D: (_S.TERMINATED, ()),
    },
    _S.ACCEPTED: {
        _I.PROVISIONAL: (_S.ACCEPTED, ()),
        _I.SUCCESS: (_S.ACCEPTED, (_A.PASS_UP,)),
        _I.TIMER_M: (_S.TERMINATED, ()),
    },
    _S.TERMINATED: {},
}

CLIENT: Table = {
    # RFC 3261 §17.1.2, figure 6
    _S.TRYING: {
        _I.TIMER_E: (_S.TRYING, (_A.SEND_REQUEST, _A.START_E)),
        _I.TIMER_F: (_S.TERMINATED, (_A.REPORT_TIMEOUT,)),
        _I.GIVE_UP: (_S.TERMINATED, (_A.REPORT_TIMEOUT,)),
        _I.TRANSPORT_ERROR: _GIVE_UP,
        _I.PROVISIONAL: (_S.PROCEEDING, (_A.PASS_UP, _A.START_E_T2)),
        _I.SUCCESS: (_S.COMPLETED, (_A.STOP_E, _A.STOP_F, _A.PASS_UP, _A.START_K)),
        _I.FAILURE: (_S.COMPLETED, (_A.STOP_E, _A.STOP_F, _A.PASS_UP, _A.START_K)),
    },
    _S.PROCEEDING: {
        _I.TIMER_E: (_S.PROCEEDING, (_A.SEND_REQUEST, _A.START_E_T2)),
        _I.TIMER_F: (_S.TERMINATED, (_A.REPORT_TIMEOUT,)),
        _I.TRANSPORT_ERROR: _GIVE_UP,
        _I.PROVISIONAL: (_S.PROCEEDING, (_A.PASS_UP,)),
        _I.SUCCESS: (_S.COMPLETED, (_A.STOP_E, _A.STOP_F, _A.PASS_UP, _A.START_K)),
        _I.FAILURE: (_S.COMPLETED, (_A.STOP_E, _A.STOP_F, _A.PASS_UP, _A.START_K)),
    },
    _S.COMPLETED: {
        _I.PROVISIONAL: (_S.COMPLETED, ()),
        _I.SUCCESS: (_S.COMPLETED, ()),
        _I.FAILURE: (_S.COMPLETED, ()),
        _I.TIMER_K: (_S.TERMINATED, ()),
    },
    _S.TERMINATED: {},
}

INVITE_SERVER: Table = {
    # RFC 3261 §17.2.1, figure 7; Accepted and timer L: RFC 6026 §7.1
    _S.PROCEEDING: {
        _I.REQUEST: (_S.PROCEEDING, (_A.SEND_RESPONSE,)),
        _I.SEND_PROVISIONAL: (_S.PROCEEDING, (_A.SEND_RESPONSE,)),
        _I.SEND_SUCCESS: (_S.ACCEPTED, (_A.SEND_RESPONSE, _A.START_L)),
        _I.SEND_FAILURE: (_S.COMPLETED, (_A.SEND_RESPONSE, _A.START_G, _A.START_H)),
        _I.TRANSPORT_ERROR: (_S.PROCEEDING, (_A.REPORT_ERROR,)),
    },
    _S.COMPLETED: {
        _I.REQUEST: (_S.COMPLETED, (_A.SEND_RESPONSE,)),
        _I.TIMER_G: (_S.COMPLETED, (_A.SEND_RESPONSE, _A.START_G)),
        _I.TIMER_H: (_S.TERMINATED, (_A.REPORT_TIMEOUT,)),
        _I.TRANSPORT_ERROR: (_S.COMPLETED, (_A.REPORT_ERROR,)),
        _I.ACK: (_S.CONFIRMED, (_A.STOP_G, _A.STOP_H, _A.START_I)),
    },
    _S.CONFIRMED: {
        _I.REQUEST: (_S.CONFIRMED, ()),
        _I.ACK: (_S.CONFIRMED, ()),
        _I.TIMER_I: (_S.TERMINATED, ()),
    },
    _S.ACCEPTED: {
        # the TU repeats the 2xx by itself (RFC 3261 §13.3.1.4), a repeated INVITE is absorbed
        _I.REQUEST: (_S.ACCEPTED, ()),
        _I.ACK: (_S.ACCEPTED, (_A.PASS_UP,)),
        _I.SEND_SUCCESS: (_S.ACCEPTED, (_A.SEND_RESPONSE,)),
        _I.TRANSPORT_ERROR: (_S.ACCEPTED, (_A.REPORT_ERROR,)),
        _I.TIMER_L: (_S.TERMINATED, ()),
    },
    _S.TERMINATED: {},
}

SERVER: Table = {
    # RFC 3261 §17.2.2, figure 8
    _S.TRYING: {
        _I.REQUEST: (_S.TRYING, ()),
        _I.SEND_PROVISIONAL: (_S.PROCEEDING, (_A.SEND_RESPONSE,)),
        _I.SEND_SUCCESS: (_S.COMPLETED, (_A.SEND_RESPONSE, _A.START_J)),
        _I.SEND_FAILURE: (_S.COMPLETED, (_A.SEND_RESPONSE, _A.START_J)),
    },
    _S.PROCEEDING: {
        _I.REQUEST: (_S.PROCEEDING, (_A.SEND_RESPONSE,)),
        _I.SEND_PROVISIONAL: (_S.PROCEEDING, (_A.SEND_RESPONSE,)),
        _I.SEND_SUCCESS: (_S.COMPLETED, (_A.SEND_RESPONSE, _A.START_J)),
        _I.SEND_FAILURE: (_S.COMPLETED, (_A.SEND_RESPONSE, _A.START_J)),
        _I.TRANSPORT_ERROR: _GIVE_UP,
    },
    _S.COMPLETED: {
        _I.REQUEST: (_S.COMPLETED, (_A.SEND_RESPONSE,)),
        _I.TRANSPORT_ERROR: _GIVE_UP,
        _I.TIMER_J: (_S.TERMINATED, ()),
    },
    _S.TERMINATED: {},
}


def mermaid(table: Table, title: str) -> str:
    """The state diagram of `table` as Mermaid text."""
    lines = ["---", f"title: {title}", "---", "stateDiagram-v2", f"    [*] --> {next(iter(table))}"]
    for state, row in table.items():
        for what, (then, actions) in row.items():
            label = f"timer {what}" if len(what) == 1 else what
            does = f" / {', '.join(actions)}" if actions else ""
            lines.append(f"    {state} --> {then}: {label}{does}")
    lines.append(f"    {State.TERMINATED} --> [*]")
    return "\n".join(lines) + "\n"
