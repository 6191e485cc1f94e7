"""RFC 3261, figures 5 to 8, with RFC 6026, row by row; and each timer as a peer on the wire sees it.

`FIGURES` is written from the RFCs, not from our tables: a row that only one of them has fails a test.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from sipcc.clock import LoopClock
from sipcc.errors import LocalProtocolError, TransactionTimeout
from sipcc.ids import Ids
from sipcc.sip import Endpoint, InboundRequest, InviteSession, NameAddr, SessionEvents, SipSettings, SipUri
from sipcc.sip.build import response
from sipcc.sip.message import Request, Response, transaction_key
from sipcc.sip.parser import parse_datagram
from sipcc.sip.timers import Timers
from sipcc.sip.transaction.machine import (
    AckArrived,
    ClientTransaction,
    Mailbox,
    ResponseArrived,
    ServerTransaction,
    TimedOut,
    TransportFailed,
)
from sipcc.sip.transaction.tables import (
    CLIENT,
    FROM_ABOVE,
    INVITE_CLIENT,
    INVITE_SERVER,
    SERVER,
    Input,
    State,
    Table,
)
from sipcc.sip.transport.base import Address, Flow, Listener
from sipcc.testing.network import MemoryNetwork

SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
TABLES: dict[str, Table] = {
    "figure 5": INVITE_CLIENT,
    "figure 6": CLIENT,
    "figure 7": INVITE_SERVER,
    "figure 8": SERVER,
}
METHODS = {"figure 5": "INVITE", "figure 6": "OPTIONS", "figure 7": "INVITE", "figure 8": "OPTIONS"}


class Row(NamedTuple):
    """One arrow of a figure: what is sent and told on it, and the timers that run after it."""

    figure: str
    before: State
    what: Input
    after: State
    sent: str = ""
    told: str = ""
    runs: str = ""


S, I = State, Input  # noqa: E741  # as in the tables

FIGURES = [
    Row("figure 5", S.CALLING, I.TIMER_A, S.CALLING, "INVITE", "", "AB"),
    Row("figure 5", S.CALLING, I.TIMER_B, S.TERMINATED, "", "timeout"),
    Row("figure 5", S.CALLING, I.GIVE_UP, S.CALLING, "", "timeout", "B"),  # RFC 3263 §4.3, not a timer
    Row("figure 5", S.CALLING, I.TRANSPORT_ERROR, S.TERMINATED, "", "error"),
    Row("figure 5", S.CALLING, I.PROVISIONAL, S.PROCEEDING, "", "response"),
    Row("figure 5", S.CALLING, I.SUCCESS, S.ACCEPTED, "", "response", "M"),
    Row("figure 5", S.CALLING, I.FAILURE, S.COMPLETED, "ACK", "response", "D"),
    Row("figure 5", S.PROCEEDING, I.TRANSPORT_ERROR, S.TERMINATED, "", "error"),
    Row("figure 5", S.PROCEEDING, I.PROVISIONAL, S.PROCEEDING, "", "response"),
    Row("figure 5", S.PROCEEDING, I.SUCCESS, S.ACCEPTED, "", "response", "M"),
    Row("figure 5", S.PROCEEDING, I.FAILURE, S.COMPLETED, "ACK", "response", "D"),
    Row("figure 5", S.COMPLETED, I.PROVISIONAL, S.COMPLETED, "", "", "D"),
    Row("figure 5", S.COMPLETED, I.FAILURE, S.COMPLETED, "ACK", "", "D"),
    Row("figure 5", S.COMPLETED, I.TRANSPORT_ERROR, S.TERMINATED, "", "error"),
    Row("figure 5", S.COMPLETED, I.TIMER_D, S.TERMINATED),
    Row("figure 5", S.ACCEPTED, I.PROVISIONAL, S.ACCEPTED, "", "", "M"),
    Row("figure 5", S.ACCEPTED, I.SUCCESS, S.ACCEPTED, "", "response", "M"),
    Row("figure 5", S.ACCEPTED, I.TIMER_M, S.TERMINATED),
    Row("figure 6", S.TRYING, I.TIMER_E, S.TRYING, "OPTIONS", "", "EF"),
    Row("figure 6", S.TRYING, I.TIMER_F, S.TERMINATED, "", "timeout"),
    Row("figure 6", S.TRYING, I.GIVE_UP, S.TERMINATED, "", "timeout"),
    Row("figure 6", S.TRYING, I.TRANSPORT_ERROR, S.TERMINATED, "", "error"),
    Row("figure 6", S.TRYING, I.PROVISIONAL, S.PROCEEDING, "", "response", "EF"),
    Row("figure 6", S.TRYING, I.SUCCESS, S.COMPLETED, "", "response", "K"),
    Row("figure 6", S.TRYING, I.FAILURE, S.COMPLETED, "", "response", "K"),
    Row("figure 6", S.PROCEEDING, I.TIMER_E, S.PROCEEDING, "OPTIONS", "", "EF"),
    Row("figure 6", S.PROCEEDING, I.TIMER_F, S.TERMINATED, "", "timeout"),
    Row("figure 6", S.PROCEEDING, I.TRANSPORT_ERROR, S.TERMINATED, "", "error"),
    Row("figure 6", S.PROCEEDING, I.PROVISIONAL, S.PROCEEDING, "", "response", "EF"),
    Row("figure 6", S.PROCEEDING, I.SUCCESS, S.COMPLETED, "", "response", "K"),
    Row("figure 6", S.PROCEEDING, I.FAILURE, S.COMPLETED, "", "response", "K"),
    Row("figure 6", S.COMPLETED, I.PROVISIONAL, S.COMPLETED, "", "", "K"),
    Row("figure 6", S.COMPLETED, I.SUCCESS, S.COMPLETED, "", "", "K"),
    Row("figure 6", S.COMPLETED, I.FAILURE, S.COMPLETED, "", "", "K"),
    Row("figure 6", S.COMPLETED, I.TIMER_K, S.TERMINATED),
    Row("figure 7", S.PROCEEDING, I.REQUEST, S.PROCEEDING, "180"),
    Row("figure 7", S.PROCEEDING, I.SEND_PROVISIONAL, S.PROCEEDING, "180"),
    Row("figure 7", S.PROCEEDING, I.SEND_SUCCESS, S.ACCEPTED, "200", "", "L"),
    Row("figure 7", S.PROCEEDING, I.SEND_FAILURE, S.COMPLETED, "486", "", "GH"),
    Row("figure 7", S.PROCEEDING, I.TRANSPORT_ERROR, S.PROCEEDING, "", "error"),
    Row("figure 7", S.COMPLETED, I.REQUEST, S.COMPLETED, "486", "", "GH"),
    Row("figure 7", S.COMPLETED, I.TIMER_G, S.COMPLETED, "486", "", "GH"),
    Row("figure 7", S.COMPLETED, I.TIMER_H, S.TERMINATED, "", "timeout"),
    Row("figure 7", S.COMPLETED, I.TRANSPORT_ERROR, S.COMPLETED, "", "error", "GH"),  # RFC 6026 §8.7
    Row("figure 7", S.COMPLETED, I.ACK, S.CONFIRMED, "", "", "I"),
    Row("figure 7", S.CONFIRMED, I.REQUEST, S.CONFIRMED, "", "", "I"),
    Row("figure 7", S.CONFIRMED, I.ACK, S.CONFIRMED, "", "", "I"),
    Row("figure 7", S.CONFIRMED, I.TIMER_I, S.TERMINATED),
    Row("figure 7", S.ACCEPTED, I.REQUEST, S.ACCEPTED, "", "", "L"),
    Row("figure 7", S.ACCEPTED, I.ACK, S.ACCEPTED, "", "ack", "L"),
    Row("figure 7", S.ACCEPTED, I.SEND_SUCCESS, S.ACCEPTED, "200", "", "L"),
    Row("figure 7", S.ACCEPTED, I.TRANSPORT_ERROR, S.ACCEPTED, "", "error", "L"),
    Row("figure 7", S.ACCEPTED, I.TIMER_L, S.TERMINATED),
    Row("figure 8", S.TRYING, I.REQUEST, S.TRYING),
    Row("figure 8", S.TRYING, I.SEND_PROVISIONAL, S.PROCEEDING, "180"),
    Row("figure 8", S.TRYING, I.SEND_SUCCESS, S.COMPLETED, "200", "", "J"),
    Row("figure 8", S.TRYING, I.SEND_FAILURE, S.COMPLETED, "486", "", "J"),
    Row("figure 8", S.PROCEEDING, I.REQUEST, S.PROCEEDING, "180"),
    Row("figure 8", S.PROCEEDING, I.SEND_PROVISIONAL, S.PROCEEDING, "180"),
    Row("figure 8", S.PROCEEDING, I.SEND_SUCCESS, S.COMPLETED, "200", "", "J"),
    Row("figure 8", S.PROCEEDING, I.SEND_FAILURE, S.COMPLETED, "486", "", "J"),
    Row("figure 8", S.PROCEEDING, I.TRANSPORT_ERROR, S.TERMINATED, "", "error"),
    Row("figure 8", S.COMPLETED, I.REQUEST, S.COMPLETED, "200", "", "J"),
    Row("figure 8", S.COMPLETED, I.TRANSPORT_ERROR, S.TERMINATED, "", "error"),
    Row("figure 8", S.COMPLETED, I.TIMER_J, S.TERMINATED),
]

WAYS: dict[str, dict[State, tuple[Input, ...]]] = {
    "figure 5": {
        S.CALLING: (), S.PROCEEDING: (I.PROVISIONAL,), S.COMPLETED: (I.FAILURE,), S.ACCEPTED: (I.SUCCESS,),
        S.TERMINATED: (I.TRANSPORT_ERROR,),
    },
    "figure 6": {
        S.TRYING: (), S.PROCEEDING: (I.PROVISIONAL,), S.COMPLETED: (I.SUCCESS,),
        S.TERMINATED: (I.TRANSPORT_ERROR,),
    },
    "figure 7": {
        S.PROCEEDING: (I.SEND_PROVISIONAL,), S.COMPLETED: (I.SEND_FAILURE,),
        S.CONFIRMED: (I.SEND_FAILURE, I.ACK), S.ACCEPTED: (I.SEND_SUCCESS,),
        S.TERMINATED: (I.SEND_FAILURE, I.TIMER_H),
    },
    "figure 8": {
        S.TRYING: (), S.PROCEEDING: (I.SEND_PROVISIONAL,), S.COMPLETED: (I.SEND_SUCCESS,),
        S.TERMINATED: (I.SEND_SUCCESS, I.TRANSPORT_ERROR),
    },
}  # fmt: skip
"""How each state is reached."""

STATUS = {
    I.PROVISIONAL: 180, I.SUCCESS: 200, I.FAILURE: 486,
    I.SEND_PROVISIONAL: 180, I.SEND_SUCCESS: 200, I.SEND_FAILURE: 486,
}  # fmt: skip
LETTERS = {TimedOut: "timeout", TransportFailed: "error", ResponseArrived: "response", AckArrived: "ack"}


class StillFlow:
    """A flow that goes nowhere."""

    transport = "udp"
    local, remote = Address("10.0.0.1", 5060), Address("10.0.0.2", 5060)
    peer_names: frozenset[str] = frozenset()
    reliable = closed = False

    def send(self, data: bytes) -> None:
        raise AssertionError("machines do not send by themselves")

    def close(self) -> None: ...


def make(method: str, branch: str = "z9hG4bKabc", call: str = "c", host: str = "10.0.0.1") -> Request:
    return Request.build(
        method,
        "sip:bob@10.0.0.2",
        headers=[
            ("Via", f"SIP/2.0/UDP {host}:5060;branch={branch}"),
            ("Max-Forwards", "70"),
            ("From", "<sip:alice@example.com>;tag=a"),
            ("To", "<sip:bob@example.com>"),
            ("Call-ID", call),
            ("CSeq", f"1 {method}"),
            ("Contact", f"<sip:alice@{host}:5060>"),
        ],
    )


class Machine:
    """One transaction, driven by inputs as the layers around it give them."""

    def __init__(self, figure: str, patience: float | None = None) -> None:
        self.figure = figure
        self.box = Mailbox()
        self.now = 0.0
        request = make(METHODS[figure])
        key, timers = transaction_key(request), Timers()
        self.client: ClientTransaction | None = None
        self.server: ServerTransaction | None = None
        if figure in ("figure 5", "figure 6"):
            self.client = ClientTransaction(
                request, StillFlow(), key, self.box, timers, now=0.0, patience=patience  # type: ignore[arg-type]
            )  # fmt: skip
        else:
            self.server = ServerTransaction(request, StillFlow(), key, self.box, timers)  # type: ignore[arg-type]

    @property
    def tx(self) -> ClientTransaction | ServerTransaction:
        tx = self.client or self.server
        assert tx is not None
        return tx

    def reach(self, state: State) -> None:
        for what in WAYS[self.figure][state]:
            self.give(what)
        assert self.tx.state is state

    def give(self, what: Input) -> None:
        if what is I.TRANSPORT_ERROR:
            self.tx.transport_failed(now=self.now)
        elif what in (I.REQUEST, I.ACK):
            assert self.server is not None
            self.server.receive(make("ACK" if what is I.ACK else METHODS[self.figure]), now=self.now)
        elif what in STATUS:
            answer = response(self.tx.request, STATUS[what], to_tag="b")
            if self.client is not None:
                self.client.receive(answer, now=self.now)
            else:
                assert self.server is not None
                self.server.respond(answer, now=self.now)
        else:
            self._wait_for(what)

    def _wait_for(self, timer: Input) -> None:
        """Let the timers before `timer` fire, and it."""
        fired: list[str] = []
        self.box.on_timer = lambda _tx, letter, _at: fired.append(letter)
        while timer.value not in fired:
            self.box.sends.clear()
            self.box.news.clear()
            deadline = self.tx.deadline
            assert deadline is not None, f"timer {timer} does not run"
            self.now = deadline
            self.tx.expire(now=self.now)

    def sent(self) -> list[str]:
        words = [data.split(b" ", 2) for _flow, data, _tx in self.box.sends]
        return [(word[1] if word[0] == b"SIP/2.0" else word[0]).decode() for word in words]

    def told(self) -> list[str]:
        return [LETTERS[type(news)] for news in self.box.news]

    def runs(self) -> str:
        return "".join(sorted(timer.value for timer in self.tx._due if timer is not I.GIVE_UP))


def test_the_figures_and_the_tables_have_the_same_rows() -> None:
    ours = {
        (name, state, what) for name, table in TABLES.items() for state, row in table.items() for what in row
    }
    assert {(row.figure, row.before, row.what) for row in FIGURES} == ours
    assert len(FIGURES) == len(ours) == sum(len(row) for table in TABLES.values() for row in table.values())


@pytest.mark.parametrize("row", FIGURES, ids=lambda row: f"{row.figure}-{row.before}-{row.what}")
def test_row(row: Row) -> None:
    machine = Machine(row.figure, 0.3 if row.what is I.GIVE_UP else None)
    machine.reach(row.before)
    machine.box.sends.clear()
    machine.box.news.clear()
    machine.give(row.what)
    assert machine.tx.state is row.after
    assert machine.sent() == ([row.sent] if row.sent else [])
    assert machine.told() == ([row.told] if row.told else [])
    assert machine.runs() == row.runs
    assert machine.box.unexpected == 0


UNLISTED = [
    (figure, state, what)
    for figure, table in TABLES.items()
    for state, row in table.items()
    for what in STATUS.keys() | {I.REQUEST, I.ACK}
    if what not in row
    and (what in (I.PROVISIONAL, I.SUCCESS, I.FAILURE)) == (figure in ("figure 5", "figure 6"))
]


@pytest.mark.parametrize(("figure", "state", "what"), sorted(UNLISTED))
def test_what_no_figure_has_changes_nothing(figure: str, state: State, what: Input) -> None:
    machine = Machine(figure)
    machine.reach(state)
    machine.box.sends.clear()
    machine.box.news.clear()
    if what in FROM_ABOVE:
        with pytest.raises(LocalProtocolError):
            machine.give(what)
    else:
        machine.give(what)
        assert machine.box.unexpected == 1
    assert (machine.tx.state, machine.sent(), machine.told()) == (state, [], [])


# -- each timer from the wire --------------------------------------------------------------------------

US, PEER = "10.0.0.2", "10.0.0.1"
FAST = [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
CAPPED = [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]


class Outcome(SessionEvents):
    """What our side was told."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_rejected(self, session: InviteSession, answer: Response | None) -> None:
        self.ends.append(asyncio.get_running_loop().time())


class Peer:
    """Sends what it is told to, and writes down what comes and when; answers nothing by itself."""

    def __init__(self, network: MemoryNetwork) -> None:
        self.network = network
        self.got: list[tuple[float, Request | Response]] = []
        self._listener: Listener

    async def start(self) -> None:
        self._listener = await self.network.listen("udp", Address(PEER, 5060), self)
        self.began = asyncio.get_running_loop().time()

    def blocked(self, host: str) -> bool:
        return False

    def datagram_received(self, data: bytes, flow: Flow, waited: float | None = None) -> None:
        at = asyncio.get_running_loop().time() - self.began
        self.got.append((round(at, 3), parse_datagram(data)))

    def stream_received(self, data: bytes, flow: Flow) -> None: ...
    def message_received(self, data: bytes, flow: Flow) -> None: ...
    def flow_closed(self, flow: Flow, error: Exception | None) -> None: ...

    def send(self, message: Request | Response) -> None:
        self._listener.flow_to(Address(US, 5060)).send(bytes(message))

    def times(self, word: str) -> list[float]:
        """When messages came whose method or status is `word`."""
        return [at for at, message in self.got if word == _word(message)]

    def words(self) -> list[str]:
        return [_word(message) for _at, message in self.got]

    @property
    def first(self) -> Request:
        message = self.got[0][1]
        assert isinstance(message, Request)
        return message


def _word(message: Request | Response) -> str:
    return message.method if isinstance(message, Request) else str(message.status)


class Wire:
    def __init__(self) -> None:
        self.network = MemoryNetwork()
        self.peer = Peer(self.network)
        self.outcome = Outcome()
        self.sessions: list[InviteSession] = []
        self.asked: list[Request] = []
        self.us = Endpoint(
            SipSettings(listen=(f"udp:{US}:5060",)),
            network=self.network.host(US),
            clock=LoopClock(wall=0.0),
            ids=Ids(random.Random(1)),
        )
        self.us.on_invite = self.sessions.append
        self.us.on_request["OPTIONS"] = self._asked

    def _asked(self, inbound: InboundRequest) -> None:
        self.asked.append(inbound.request)
        inbound.reply(200)

    def invite(self) -> InviteSession:
        return self.us.invite(
            SipUri.parse(f"sip:alice@{PEER}"),
            from_=NameAddr.parse("<sip:bob@example.com>"),
            body=SDP,
            listener=self.outcome,
        )

    def options(self) -> asyncio.Task[Response]:
        us = NameAddr.parse("<sip:bob@example.com>")
        target = SipUri.parse(f"sip:alice@{PEER}")
        return asyncio.ensure_future(self.us.request("OPTIONS", target, from_=us, to=us))


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    wire = Wire()
    await wire.us.start()
    await wire.peer.start()
    yield wire
    await asyncio.sleep(100)
    assert (len(wire.us.layer), wire.us.sessions) == (0, 0)
    await wire.us.stop()


async def test_a_and_b_on_the_wire(wire: Wire) -> None:
    session = wire.invite()
    await asyncio.sleep(40)
    assert wire.peer.times("INVITE") == FAST
    assert isinstance(session.failure, TransactionTimeout)
    assert wire.outcome.ends == [pytest.approx(wire.peer.began + 32.0)]


async def test_d_on_the_wire(wire: Wire) -> None:
    wire.invite()
    await asyncio.sleep(0.1)
    refusal = response(wire.peer.first, 486, to_tag="p")
    for pause in (0.0, 1.0, 30.5, 2.0):  # the last one comes 33.5 s after the first
        await asyncio.sleep(pause)
        wire.peer.send(refusal)
    await asyncio.sleep(1)
    assert wire.peer.words() == ["INVITE", "ACK", "ACK", "ACK"]
    acks = [bytes(message) for _at, message in wire.peer.got[1:]]
    assert len(set(acks)) == 1


async def test_e_and_f_on_the_wire(wire: Wire) -> None:
    asking = wire.options()
    with pytest.raises(TransactionTimeout):
        await asking
    assert wire.peer.times("OPTIONS") == CAPPED
    assert asyncio.get_running_loop().time() == pytest.approx(wire.peer.began + 32.0)


async def test_e_goes_on_at_t2_after_a_provisional_on_the_wire(wire: Wire) -> None:
    asking = wire.options()
    await asyncio.sleep(0.2)
    wire.peer.send(response(wire.peer.first, 100))
    with pytest.raises(TransactionTimeout):
        await asking
    assert wire.peer.times("OPTIONS") == [0.0, 4.2, 8.2, 12.2, 16.2, 20.2, 24.2, 28.2]


async def test_g_and_h_on_the_wire(wire: Wire) -> None:
    wire.peer.send(make("INVITE"))
    await asyncio.sleep(0.0001)
    wire.sessions[0].reject(486)
    await asyncio.sleep(40)
    assert wire.peer.times("486") == CAPPED
    assert len(wire.us.layer) == 0


async def test_i_on_the_wire(wire: Wire) -> None:
    """Until it fires, a late copy of the INVITE is absorbed; afterwards it is a new call."""
    invite = make("INVITE")
    wire.peer.send(invite)
    await asyncio.sleep(0.1)
    wire.sessions[0].reject(486)
    await asyncio.sleep(0.1)
    refusal = wire.peer.got[-1][1]
    assert isinstance(refusal, Response)
    ack = make("ACK")
    ack.headers.set("To", refusal.headers.get("To") or "")
    wire.peer.send(ack)
    for pause in (0.1, 4.8):
        await asyncio.sleep(pause)
        wire.peer.send(invite)
    await asyncio.sleep(0.05)
    assert (wire.peer.words(), len(wire.sessions)) == (["100", "486"], 1)
    await asyncio.sleep(0.2)
    wire.peer.send(invite)
    await asyncio.sleep(0.05)
    assert len(wire.sessions) == 2
    wire.sessions[1].reject(486)


async def test_j_on_the_wire(wire: Wire) -> None:
    for pause in (0.0, 31.9, 0.2):
        await asyncio.sleep(pause)
        wire.peer.send(make("OPTIONS"))
    await asyncio.sleep(0.05)
    assert wire.peer.words() == ["200", "200", "200"]
    first, copy, other = (bytes(message) for _at, message in wire.peer.got)
    assert first == copy
    assert len(wire.asked) == 2, "the third came after the timer, and is a request of its own"
    assert other != first


async def test_k_on_the_wire(wire: Wire) -> None:
    asking = wire.options()
    await asyncio.sleep(0.1)
    answer = response(wire.peer.first, 200, to_tag="p")
    wire.peer.send(answer)
    assert (await asking).status == 200
    strays = wire.us.counters["stray_responses"]
    for pause, left, stray in ((1.0, 1, 0), (3.9, 1, 0), (0.2, 0, 1)):
        await asyncio.sleep(pause)
        wire.peer.send(answer)
        await asyncio.sleep(0.0001)
        assert len(wire.us.layer) == left
        assert wire.us.counters["stray_responses"] - strays == stray


async def test_l_on_the_wire(wire: Wire) -> None:
    """Copies of an accepted INVITE open nothing, even when the call is over, until the timer fires."""
    invite = make("INVITE")
    wire.peer.send(invite)
    await asyncio.sleep(0.0001)
    wire.sessions[0].accept(SDP)
    await asyncio.sleep(0.0001)
    accepted = wire.peer.got[-1][1]
    assert isinstance(accepted, Response)
    for number, method in ((1, "ACK"), (2, "BYE")):
        request = make(method, f"z9hG4bK{method}")
        request.headers.set("To", accepted.headers.get("To") or "")
        request.headers.set("CSeq", f"{number} {method}")
        wire.peer.send(request)
    for pause in (1.0, 30.9):
        await asyncio.sleep(pause)
        wire.peer.send(invite)
    await asyncio.sleep(0.05)
    assert (wire.peer.words(), len(wire.sessions)) == (["100", "200", "200"], 1)
    await asyncio.sleep(0.2)
    wire.peer.send(invite)
    await asyncio.sleep(0.05)
    assert len(wire.sessions) == 2
    wire.sessions[1].reject(486)


async def test_m_on_the_wire(wire: Wire) -> None:
    """A 2xx of another fork is acknowledged and hung up as long as the timer runs, and then no more."""
    session = wire.invite()
    await asyncio.sleep(0.1)
    wire.peer.send(
        response(wire.peer.first, 200, to_tag="one", headers=[("Contact", f"<sip:{PEER}>")], body=SDP)
    )
    for pause, tag in ((31.8, "two"), (0.4, "late")):
        await asyncio.sleep(pause)
        fork = response(wire.peer.first, 200, to_tag=tag, headers=[("Contact", f"<sip:{PEER}>")], body=SDP)
        wire.peer.send(fork)
    await asyncio.sleep(0.1)
    tags = {(_word(m), m.to.tag) for _at, m in wire.peer.got if isinstance(m, Request)}
    assert {("ACK", "one"), ("ACK", "two"), ("BYE", "two")} <= tags
    assert not {tag for _word, tag in tags} & {"late"}
    session.bye()
