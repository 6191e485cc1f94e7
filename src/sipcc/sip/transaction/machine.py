"""Runs one transaction: a row of its table at a time, with its timers and its stored bytes.

A core: `now` comes in as an argument, bytes and news go out through the `Outbox` that the layer shares
among all of its transactions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import msgspec

from sipcc.errors import LocalProtocolError
from sipcc.sip.build import ack as build_ack
from sipcc.sip.message import Request, Response
from sipcc.sip.timers import Timers
from sipcc.sip.transaction.tables import (
    CLIENT,
    FROM_ABOVE,
    INVITE_CLIENT,
    INVITE_SERVER,
    SERVER,
    Action,
    Input,
    State,
    Step,
    Table,
)
from sipcc.sip.transport.base import Flow

Key: TypeAlias = tuple[bytes, bytes, bytes]


class ResponseArrived(msgspec.Struct, frozen=True):
    """A response for the TU: each provisional, the first final, and each 2xx to an INVITE."""

    transaction: ClientTransaction
    response: Response


class AckArrived(msgspec.Struct, frozen=True):
    """An ACK that carries the branch of its accepted INVITE, as some old peers send it."""

    transaction: ServerTransaction
    request: Request


class TimedOut(msgspec.Struct, frozen=True):
    """Timer B, F (no final response) or H (no ACK for a refusal) fired."""

    transaction: Transaction
    timer: str


class TransportFailed(msgspec.Struct, frozen=True):
    """The bytes of this transaction could not be sent, or its connection is gone."""

    transaction: Transaction


Event: TypeAlias = ResponseArrived | AckArrived | TimedOut | TransportFailed


class Outbox(Protocol):
    """Where transactions put what they have to say."""

    sends: list[tuple[Flow, bytes, Transaction | None]]
    news: list[Event]
    unexpected: int
    """Inputs from the network that no table row listed."""
    on_timer: Callable[[Transaction, str, float], None] | None
    """Told of each timer that fires, by its letter, before what it does."""


class Mailbox:
    """The plain `Outbox`."""

    def __init__(self) -> None:
        self.sends: list[tuple[Flow, bytes, Transaction | None]] = []
        self.news: list[Event] = []
        self.unexpected = 0
        self.on_timer: Callable[[Transaction, str, float], None] | None = None


class Transaction:
    """What all four machines have in common. `user` belongs to the TU and is not touched here."""

    __slots__ = (
        "_due",
        "_interval",
        "_item",
        "_outbox",
        "_sent",
        "_table",
        "_timers",
        "flow",
        "heaped",
        "key",
        "provisionals",
        "request",
        "state",
        "user",
    )

    def __init__(
        self, table: Table, request: Request, flow: Flow, key: Key, outbox: Outbox, timers: Timers
    ) -> None:
        self.state: State = next(iter(table))
        self.request = request
        self.flow = flow
        self.key = key
        self.user: Any = None
        self.provisionals = 0
        """Provisional responses that were received (client) or sent (server)."""
        self.heaped: float | None = None
        """The deadline under which the layer has this transaction in its heap."""
        self._table = table
        self._outbox = outbox
        self._timers = timers
        self._interval = timers.t1
        self._due: dict[Input, float] = {}
        self._sent = b""
        self._item: Request | Response | None = None

    @property
    def deadline(self) -> float | None:
        """When the next timer fires, or None."""
        due = self._due
        return min(due.values()) if due else None

    @property
    def stored(self) -> bytes:
        """The bytes that were last sent: the request, or the last response."""
        return self._sent

    def expire(self, *, now: float) -> None:
        """Fire each timer that is due at `now`, the earliest first."""
        while self._due:
            timer = min(self._due, key=self._due.__getitem__)
            if self._due[timer] > now:
                return
            del self._due[timer]
            if self._outbox.on_timer is not None:
                self._outbox.on_timer(self, timer.value, now)
            self.step(timer, now=now)

    def transport_failed(self, *, now: float) -> None:
        """Tell that sending failed for good."""
        self.step(Input.TRANSPORT_ERROR, now=now)

    def step(self, what: Input, *, now: float, item: Request | Response | None = None) -> None:
        """Take one row of the table.

        Raises:
            LocalProtocolError: the layer above gave an input that this state does not list.
        """
        row: Step | None = self._table[self.state].get(what)
        if row is None:
            if what in FROM_ABOVE:
                raise LocalProtocolError(f"{what} in state {self.state}")
            self._outbox.unexpected += 1
            return
        self.state, actions = row
        self._item = item
        for action in actions:
            start = _STARTS.get(action)
            if start is not None:
                start(self, now)
            else:
                _DEEDS[action](self, what)
        self._item = None
        if self.state is State.TERMINATED:
            self._due.clear()

    def _start(self, timer: Input, at: float) -> None:
        self._due[timer] = at

    def _send(self, data: bytes) -> None:
        self._outbox.sends.append((self.flow, data, self))

    def _tell(self, event: Event) -> None:
        self._outbox.news.append(event)


class ClientTransaction(Transaction):
    """RFC 3261 §17.1: sends the request when it is made.

    With `patience`, GIVE_UP comes when nothing was answered for so many seconds.
    """

    __slots__ = ("_ack",)

    def __init__(
        self,
        request: Request,
        flow: Flow,
        key: Key,
        outbox: Outbox,
        timers: Timers,
        *,
        now: float,
        patience: float | None = None,
    ) -> None:
        invite = request.method == "INVITE"
        super().__init__(INVITE_CLIENT if invite else CLIENT, request, flow, key, outbox, timers)
        self._sent = bytes(request)
        self._ack = b""
        self._send(self._sent)
        self._due[Input.TIMER_B if invite else Input.TIMER_F] = now + 64 * timers.t1
        if patience is not None:
            self._due[Input.GIVE_UP] = now + patience
        _STARTS[Action.START_A if invite else Action.START_E](self, now)

    @property
    def completed(self) -> bool:
        """True after a final response."""
        return self.state in _FINAL_STATES

    def receive(self, response: Response, *, now: float) -> None:
        """Take a response that matches this transaction."""
        status = response.status
        self._due.pop(Input.GIVE_UP, None)
        if status < 200:
            self.provisionals += 1
            self.step(Input.PROVISIONAL, now=now, item=response)
        elif status < 300:
            self.step(Input.SUCCESS, now=now, item=response)
        else:
            self.step(Input.FAILURE, now=now, item=response)

    def abandon(self) -> None:
        """End without a final response: for a CANCEL that nobody heeded (RFC 3261 §9.1)."""
        self.state = State.TERMINATED
        self._due.clear()


class ServerTransaction(Transaction):
    """RFC 3261 §17.2: answers retransmissions with the stored bytes."""

    __slots__ = ("source", "status")

    def __init__(self, request: Request, flow: Flow, key: Key, outbox: Outbox, timers: Timers) -> None:
        invite = request.method == "INVITE"
        super().__init__(INVITE_SERVER if invite else SERVER, request, flow, key, outbox, timers)
        self.status = 0
        """The status of the last response that was sent, or 0."""
        self.source = flow
        """The flow that the request came on; the way back may be another one (RFC 3581)."""

    def receive(self, request: Request, *, now: float) -> None:
        """Take a retransmission, or the ACK of a refused INVITE."""
        what = Input.ACK if request.method == "ACK" else Input.REQUEST
        self.step(what, now=now, item=request)

    def respond(self, response: Response, *, now: float) -> None:
        """Send a response.

        Raises:
            LocalProtocolError: a final response was sent before.
        """
        status = response.status
        what = (
            Input.SEND_PROVISIONAL
            if status < 200
            else Input.SEND_SUCCESS
            if status < 300
            else Input.SEND_FAILURE
        )
        if what not in self._table[self.state]:
            raise LocalProtocolError(f"{status} after {self.status} to {self.request.method}")
        self.status = status
        self._sent = bytes(response)
        self.step(what, now=now, item=response)

    def repeat(self) -> None:
        """Send the stored 1xx or 2xx again (RFC 3261 §13.3.1); nothing in any other state."""
        if self._sent and self.state in (State.PROCEEDING, State.ACCEPTED):
            self._send(self._sent)


_FINAL_STATES = frozenset({State.COMPLETED, State.ACCEPTED, State.TERMINATED})


def _send_stored(tx: Transaction, _what: Input) -> None:
    if tx._sent:
        tx._send(tx._sent)


def _send_ack(tx: Transaction, _what: Input) -> None:
    if not isinstance(tx, ClientTransaction) or not isinstance(tx._item, Response):
        raise TypeError("only an INVITE client acknowledges")
    if not tx._ack:
        tx._ack = bytes(build_ack(tx.request, tx._item))
    tx._send(tx._ack)


def _pass_up(tx: Transaction, _what: Input) -> None:
    item = tx._item
    if isinstance(tx, ClientTransaction) and isinstance(item, Response):
        tx._tell(ResponseArrived(tx, item))
    elif isinstance(tx, ServerTransaction) and isinstance(item, Request):
        tx._tell(AckArrived(tx, item))


def _report_timeout(tx: Transaction, what: Input) -> None:
    tx._tell(TimedOut(tx, what.value))


def _report_error(tx: Transaction, _what: Input) -> None:
    tx._tell(TransportFailed(tx))


def _stop(timer: Input) -> Callable[[Transaction, Input], None]:
    def stop(tx: Transaction, _what: Input) -> None:
        tx._due.pop(timer, None)

    return stop


def _backing_off(timer: Input, *, cap: bool) -> Callable[[Transaction, float], None]:
    """A retransmission timer: T1, doubled each time, up to T2 with `cap`; never on a stream."""

    def start(tx: Transaction, now: float) -> None:
        if tx.flow.reliable:
            return
        tx._due[timer] = now + tx._interval
        tx._interval = min(2 * tx._interval, tx._timers.t2) if cap else 2 * tx._interval

    return start


def _e_at_t2(tx: Transaction, now: float) -> None:
    if not tx.flow.reliable:
        tx._due[Input.TIMER_E] = now + tx._timers.t2


def _lasting(timer: Input, t1s: int, t4s: int, *, streams: bool) -> Callable[[Transaction, float], None]:
    """A timer of fixed length; without `streams` it has length 0 on a stream."""

    def start(tx: Transaction, now: float) -> None:
        length = t1s * tx._timers.t1 + t4s * tx._timers.t4
        tx._due[timer] = now + length if streams or not tx.flow.reliable else now

    return start


_STARTS: dict[Action, Callable[[Transaction, float], None]] = {
    Action.START_A: _backing_off(Input.TIMER_A, cap=False),
    Action.START_B: _lasting(Input.TIMER_B, 64, 0, streams=True),
    Action.START_D: _lasting(Input.TIMER_D, 64, 0, streams=False),
    Action.START_E: _backing_off(Input.TIMER_E, cap=True),
    Action.START_E_T2: _e_at_t2,
    Action.START_F: _lasting(Input.TIMER_F, 64, 0, streams=True),
    Action.START_G: _backing_off(Input.TIMER_G, cap=True),
    Action.START_H: _lasting(Input.TIMER_H, 64, 0, streams=True),
    Action.START_I: _lasting(Input.TIMER_I, 0, 1, streams=False),
    Action.START_J: _lasting(Input.TIMER_J, 64, 0, streams=False),
    Action.START_K: _lasting(Input.TIMER_K, 0, 1, streams=False),
    Action.START_L: _lasting(Input.TIMER_L, 64, 0, streams=True),
    Action.START_M: _lasting(Input.TIMER_M, 64, 0, streams=True),
}

_DEEDS: dict[Action, Callable[[Transaction, Input], None]] = {
    Action.SEND_REQUEST: _send_stored,
    Action.SEND_RESPONSE: _send_stored,
    Action.SEND_ACK: _send_ack,
    Action.PASS_UP: _pass_up,
    Action.REPORT_TIMEOUT: _report_timeout,
    Action.REPORT_ERROR: _report_error,
    Action.STOP_A: _stop(Input.TIMER_A),
    Action.STOP_B: _stop(Input.TIMER_B),
    Action.STOP_E: _stop(Input.TIMER_E),
    Action.STOP_F: _stop(Input.TIMER_F),
    Action.STOP_G: _stop(Input.TIMER_G),
    Action.STOP_H: _stop(Input.TIMER_H),
}
