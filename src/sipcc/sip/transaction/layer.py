"""Matches messages to transactions (RFC 3261 §17.1.3, §17.2.3) and keeps all their timers in one heap.

A core. `receive` gives a `Verdict`; what is not ABSORBED is for the endpoint to decide: a NEW request
gets a transaction only when the endpoint asks for one with `serve`, so that strangers can be answered
without state.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from sipcc.sip.deadlines import Deadlines
from sipcc.sip.message import Request, Response, transaction_key
from sipcc.sip.timers import Timers
from sipcc.sip.transaction.machine import (
    ClientTransaction,
    Event,
    Key,
    Mailbox,
    ServerTransaction,
    Transaction,
)
from sipcc.sip.transaction.tables import State
from sipcc.sip.transport.base import Flow

MergeKey = tuple[str, str, int, str]


class Verdict(Enum):
    """What became of a message."""

    ABSORBED = "absorbed"
    """It belonged to a transaction; news, if any, is in `take_events`."""
    NEW = "new"
    """A request that no transaction knows."""
    MERGED = "merged"
    """A copy of a request in progress that came by another way: answer 482 (RFC 3261 §8.2.2.2)."""
    STRAY = "stray"
    """An ACK or a response without a transaction."""


class TransactionLayer:
    """All transactions of one endpoint."""

    def __init__(self, timers: Timers) -> None:
        self.timers = timers
        self._clients: dict[Key, ClientTransaction] = {}
        self._servers: dict[Key, ServerTransaction] = {}
        self._merging: dict[MergeKey, Key] = {}
        self._merge_keys: dict[Key, MergeKey] = {}
        self._of_stream: dict[int, set[Key]] = {}
        self._deadlines: Deadlines[Transaction] = Deadlines()
        self._out = Mailbox()
        self._over: list[Transaction] = []

    def __len__(self) -> int:
        """How many transactions live; 0 proves that nothing leaked."""
        return len(self._clients) + len(self._servers)

    def serves(self, key: Key) -> bool:
        """True while a request with `key` is being served."""
        return key in self._servers

    def over(self) -> list[Transaction]:
        """The transactions that have gone since the last call."""
        over, self._over = self._over, []
        return over

    @property
    def unexpected(self) -> int:
        """Messages from the network that no table listed in the state at hand."""
        return self._out.unexpected

    def watch_timers(self, tell: Callable[[Transaction, str, float], None] | None) -> None:
        """Have `tell` told of each timer that fires, by its letter; None ends that."""
        self._out.on_timer = tell

    def receive(self, message: Request | Response, key: Key, *, now: float) -> Verdict:
        """Take one message from the network, with its `transaction_key`."""
        if isinstance(message, Response):
            client = self._clients.get(key)
            if client is None:
                return Verdict.STRAY
            client.receive(message, now=now)
            self._settle(client, now)
            return Verdict.ABSORBED
        server = self._servers.get(key)
        if server is not None and _reuses_branch(server, message):
            self._drop(server)
            server = None
        if server is not None:
            server.receive(message, now=now)
            self._settle(server, now)
            return Verdict.ABSORBED
        if message.method == "ACK":
            return Verdict.STRAY
        if message.method != "CANCEL" and self._is_merged(message, key):
            return Verdict.MERGED
        return Verdict.NEW

    def serve(self, request: Request, flow: Flow, key: Key) -> ServerTransaction:
        """Open a server transaction for a request whose verdict was NEW or MERGED.

        `key` is the one that `receive` had; an RFC 2543 key changes when the Via is completed.
        """
        transaction = ServerTransaction(request, flow, key, self._out, self.timers)
        self._servers[key] = transaction
        merge_key = _merge_key(request)
        if merge_key is not None and request.method != "CANCEL" and merge_key not in self._merging:
            self._merging[merge_key] = key
            self._merge_keys[key] = merge_key
        return transaction

    def request(
        self, request: Request, flow: Flow, *, now: float, patience: float | None = None
    ) -> ClientTransaction:
        """Open a client transaction; its request is sent at once.

        With `patience`, TimedOut tells that nothing was answered for so many seconds; an INVITE still
        takes what comes later.
        """
        key = transaction_key(request)
        transaction = ClientTransaction(
            request, flow, key, self._out, self.timers, now=now, patience=patience
        )
        self._clients[key] = transaction
        if flow.reliable:
            self._of_stream.setdefault(id(flow), set()).add(key)
        self._settle(transaction, now)
        return transaction

    def respond(self, transaction: ServerTransaction, response: Response, *, now: float) -> None:
        """Send a response of the TU.

        Raises:
            LocalProtocolError: the transaction has its final response already.
        """
        transaction.respond(response, now=now)
        self._settle(transaction, now)

    def invite_of(self, cancel: Key) -> ServerTransaction | None:
        """The INVITE transaction that the CANCEL with this key means (RFC 3261 §9.2), or None."""
        branch, sent_by, _method = cancel
        return self._servers.get((branch, sent_by, b"INVITE"))

    def abandon(self, transaction: ClientTransaction) -> None:
        """Forget an INVITE that was cancelled and that nobody answers."""
        transaction.abandon()
        self._drop(transaction)

    def transport_failed(self, transaction: Transaction, *, now: float) -> None:
        """Tell that the bytes of `transaction` could not be sent."""
        transaction.transport_failed(now=now)
        self._settle(transaction, now)

    def flow_closed(self, flow: Flow, *, now: float) -> None:
        """A stream is gone: requests that still wait for their final answer on it have failed."""
        for key in self._of_stream.pop(id(flow), ()):
            client = self._clients.get(key)
            if client is not None and not client.completed:
                self.transport_failed(client, now=now)

    @property
    def deadline(self) -> float | None:
        """When `expire` wants to be called, or None."""
        return self._deadlines.first

    @property
    def hint(self) -> float | None:
        """Not later than `deadline`, and cheap."""
        return self._deadlines.hint

    def expire(self, *, now: float) -> None:
        """Fire every timer that is due."""
        for transaction in self._deadlines.due(now):
            transaction.expire(now=now)
            self._settle(transaction, now)

    def send(self, flow: Flow, data: bytes) -> None:
        """Send bytes outside of all transactions, in their order with the rest."""
        self._out.sends.append((flow, data, None))

    def repeat(self, transaction: ServerTransaction) -> None:
        """Send the last 1xx or 2xx of an INVITE once more."""
        transaction.repeat()

    def to_send(self) -> list[tuple[Flow, bytes, Transaction | None]]:
        """Bytes to send since the last call, in order."""
        sends = self._out.sends
        if sends:
            self._out.sends = []
        return sends

    def events(self) -> list[Event]:
        """News for the TU since the last call, in order."""
        news = self._out.news
        if news:
            self._out.news = []
        return news

    def _settle(self, transaction: Transaction, now: float) -> None:
        """After each step: fire timers of length 0, see to the heap, drop what has ended."""
        deadline = transaction.deadline
        if deadline is not None and deadline <= now:
            transaction.expire(now=now)
            deadline = transaction.deadline
        if transaction.state is State.TERMINATED:
            self._drop(transaction)
        else:
            self._deadlines.note(transaction)

    def _drop(self, transaction: Transaction) -> None:
        key = transaction.key
        if isinstance(transaction, ClientTransaction):
            self._clients.pop(key, None)
            if transaction.flow.reliable:
                of_flow = self._of_stream.get(id(transaction.flow))
                if of_flow is not None:
                    of_flow.discard(key)
                    if not of_flow:
                        del self._of_stream[id(transaction.flow)]
        elif self._servers.pop(key, None) is not None:
            merge_key = self._merge_keys.pop(key, None)
            if merge_key is not None:
                del self._merging[merge_key]
        transaction.heaped = None
        self._over.append(transaction)

    def _is_merged(self, request: Request, key: Key) -> bool:
        if not self._merging:
            return False
        merge_key = _merge_key(request)
        return merge_key is not None and self._merging.get(merge_key, key) != key


def _merge_key(request: Request) -> MergeKey | None:
    """What copies of one request have in common; None for requests within a dialog."""
    if request.to.tag:
        return None
    cseq = request.cseq
    return (request.call_id, request.from_.tag or "", cseq.number, cseq.method)


def _reuses_branch(server: ServerTransaction, request: Request) -> bool:
    """True for a re-INVITE that has the branch of an INVITE that is over, as some phones send it."""
    if request.method != "INVITE" or server.state not in (State.ACCEPTED, State.CONFIRMED):
        return False
    return request.headers.first().get("CSeq") != server.request.headers.first().get("CSeq")
