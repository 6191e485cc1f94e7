"""Two endpoints on a network in memory that loses, repeats and reorders, and calls between them at random.

Everything comes from one seed: what each side does and when, and what the network does to it. All time is
virtual. Also used by ``tests/flow/test_sip_races.py``.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sipcc.clock import LoopClock
from sipcc.errors import LocalProtocolError
from sipcc.ids import Ids
from sipcc.sip import (
    Endpoint,
    InviteSession,
    NameAddr,
    Request,
    Response,
    SessionEvents,
    SessionPolicy,
    SessionState,
    SipSettings,
    SipUri,
)
from sipcc.sip.session_timer import TimerPolicy
from sipcc.testing.link import Link
from sipcc.testing.network import MemoryNetwork

NEAR, FAR = "10.0.0.1", "10.0.0.2"
SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
LOSSY = Link(loss=0.2, duplicate=0.1, reorder=0.2, delay=0.02, jitter=0.03)
"""20 % loss, 10 % duplication, a fifth of the packets 30 ms late."""
SETTLED_S = 200.0
"""After so long without a new verb nothing may be left: BYE 32 s, its ACK 32 s, transactions 32 s."""


class Party(SessionEvents):
    """One side of one call: answers what must be answered, at once or a little later, as the dice say."""

    def __init__(self, dice: random.Random, *, hasty: bool = False) -> None:
        self.dice = dice
        self.hasty = hasty
        """True answers all offers at once and with yes."""
        self.said: list[tuple[Any, ...]] = []
        self.session: InviteSession | None = None
        self._later: list[asyncio.TimerHandle] = []

    @property
    def over(self) -> bool:
        """True once the session is."""
        return self.session is None or self.session.state is SessionState.TERMINATED

    def told(self, what: str) -> int:
        """How often the listener was told `what`."""
        return sum(said[0] == what for said in self.said)

    def do(self, verb: Callable[[], None]) -> bool:
        """Call a verb; False when the state of the session did not allow it."""
        with suppress(LocalProtocolError):
            verb()
            return True
        return False

    def soon(self, verb: Callable[[], None]) -> None:
        """Call a verb now, or within 2 s."""
        if self.hasty or self.dice.random() < 0.5:
            self.do(verb)
        else:
            asyncio.get_running_loop().call_later(self.dice.uniform(0, 2), self.do, verb)

    def on_provisional(self, session: InviteSession, response: Response) -> None:
        self.said.append(("provisional", response.status))
        if session.owes_prack(response):
            self.soon(lambda: session.acknowledge_provisional(response, SDP))

    def on_accepted(self, session: InviteSession, response: Response) -> None:
        self.said.append(("accepted", response.status))
        if session.owes_ack:
            self.soon(lambda: session.acknowledge(SDP))

    def on_rejected(self, session: InviteSession, response: Response | None) -> None:
        self.said.append(("rejected", response and response.status))

    def on_cancelled(self, session: InviteSession) -> None:
        self.said.append(("cancelled",))

    def on_acknowledged(self, session: InviteSession, body: bytes) -> None:
        self.said.append(("acknowledged", body))

    def on_offer(self, session: InviteSession, request: Request) -> None:
        self.said.append(("offer", request.method))
        body = b"" if request.method == "UPDATE" and not request.body else SDP
        if self.hasty or self.dice.random() < 0.8:
            self.soon(lambda: session.answer_offer(body))
        else:
            self.soon(lambda: session.refuse_offer(488))

    def on_reinvite_answered(self, session: InviteSession, response: Response | None) -> None:
        self.said.append(("reinvite", response and response.status))
        if session.owes_ack:
            self.soon(lambda: session.acknowledge(SDP))

    def on_ended(self, session: InviteSession, by: str, request: Request | None) -> None:
        self.said.append(("ended", by))


class Pair:
    """Two endpoints; `near` calls `far`, whose calls come to `answer`."""

    def __init__(self, seed: int, link: Link = LOSSY) -> None:
        self.dice = random.Random(seed)
        self.network = MemoryNetwork(seed=seed, link=link)
        self.near, self.far = self._endpoint(NEAR), self._endpoint(FAR)
        self.answer: Callable[[InviteSession], None] = lambda session: session.reject(480)
        self.far_policy = SessionPolicy()
        self.far.on_invite = lambda session: self.answer(session)
        self.far.policy_of = lambda _admitted: self.far_policy

    async def start(self) -> None:
        """Open the sockets."""
        await self.near.start()
        await self.far.start()

    async def stop(self) -> None:
        """Close them."""
        await self.near.stop()
        await self.far.stop()

    def call(self, party: Party, *, body: bytes = SDP, policy: SessionPolicy | None = None) -> InviteSession:
        """`near` calls `far`."""
        party.session = self.near.invite(
            SipUri.parse(f"sip:4008123456@{FAR}"),
            from_=NameAddr.parse("<sip:13800138000@example.com>"),
            body=body,
            listener=party,
            policy=policy,
        )
        return party.session

    def left(self) -> dict[str, int]:
        """What is still there; nothing when all is well."""
        found = Counter[str]()
        for endpoint in (self.near, self.far):
            found["transactions"] += len(endpoint.layer)
            found["sessions"] += endpoint.sessions
            found["tasks"] += len(endpoint.scope)
            found["crashes"] += endpoint.counters["crashes"] + endpoint.counters["handler_crashes"]
            found["timers"] += endpoint.layer.deadline is not None
            found["timers"] += endpoint.outbound.deadlines.first is not None
        return {what: count for what, count in found.items() if count}

    def _endpoint(self, host: str) -> Endpoint:
        return Endpoint(
            SipSettings(listen=(f"udp:{host}:5060",), user_agent=""),
            network=self.network.host(host),
            clock=LoopClock(wall=0.0),
            ids=Ids(random.Random(f"{host}/{self.dice.random()}")),
        )


class RandomCall:
    """One call whose two sides do what the dice say, and hang up in the end."""

    def __init__(self, pair: Pair, dice: random.Random) -> None:
        self.pair = pair
        self.dice = dice
        self.caller, self.called = Party(dice), Party(dice)
        self._offer = SDP if dice.random() < 0.8 else b""

    def begin(self) -> None:
        """The INVITE leaves; all that follows is on timers."""
        policy = SessionPolicy(
            reliable=self.dice.choice(("off", "supported", "supported", "required")),
            timer=TimerPolicy(mode=self.dice.choice(("off", "supported")), interval=90),
        )
        self.pair.call(self.caller, body=self._offer, policy=policy)
        for _ in range(self.dice.randrange(4)):
            self._later(self.dice.uniform(0.5, 60), self._caller_does)
        if self.dice.random() < 0.3:
            self._later(self.dice.uniform(0, 8), self._cancel)
        self._later(150.0, self.hang_up)

    def arrive(self, session: InviteSession) -> None:
        """The INVITE came to the other side."""
        self.called.session = session
        session.listener = self.called
        for _ in range(self.dice.randrange(4)):
            self._later(self.dice.uniform(0, 4), self._ring)
        self._later(self.dice.uniform(0, 6), self._decide)
        for _ in range(self.dice.randrange(4)):
            self._later(self.dice.uniform(0.5, 60), self._called_does)

    def hang_up(self) -> None:
        """End what has not ended."""
        for party in (self.caller, self.called):
            session = party.session
            if session is None or party.over:
                continue
            end = session.cancel if session.role == "uac" else lambda session=session: session.reject(480)
            if not party.do(session.bye):
                party.do(end)

    def _later(self, seconds: float, verb: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(seconds, verb)

    def _cancel(self) -> None:
        session = self.caller.session
        if session is not None:
            self.caller.do(session.cancel)

    def _ring(self) -> None:
        session, status = self.called.session, self.dice.choice((180, 181, 183))
        body = SDP if self.dice.random() < 0.6 else b""
        if session is not None and not self.called.do(lambda: session.ring(status, body=body)):
            self.called.do(lambda: session.ring(status))

    def _decide(self) -> None:
        session, luck = self.called.session, self.dice.random()
        if session is None or luck > 0.9:
            return  # lets it ring
        if luck < 0.2:
            self.called.do(lambda: session.reject(486))
        else:
            self.called.do(lambda: session.accept(SDP))

    def _caller_does(self) -> None:
        self._does(self.caller)

    def _called_does(self) -> None:
        self._does(self.called)

    def _does(self, party: Party) -> None:
        session = party.session
        if session is None or party.over:
            return
        verbs: list[Callable[[], None]] = [
            lambda: session.reinvite(SDP),
            lambda: session.reinvite(b""),
            lambda: session.update(SDP),
            lambda: session.update(),
            lambda: session.send_request("INFO", body=b"Signal=1", content_type="application/dtmf-relay"),
            lambda: session.send_request("OPTIONS"),
            session.bye,
        ]
        party.do(self.dice.choice(verbs))


async def simulate(calls: int, *, seed: int, link: Link = LOSSY, gap: float = 0.1) -> dict[str, Any]:
    """`calls` random calls, one every `gap` seconds of virtual time; what came of them and what is left."""
    pair = Pair(seed, link)
    await pair.start()
    made: list[RandomCall] = []
    waiting: dict[str, RandomCall] = {}

    def arrive(session: InviteSession) -> None:
        waiting.pop(session.call_id).arrive(session)

    pair.answer = arrive
    pair.far_policy = SessionPolicy(reliable="supported", timer=TimerPolicy("supported", 90))
    for _ in range(calls):
        call = RandomCall(pair, random.Random(pair.dice.getrandbits(64)))
        call.begin()
        made.append(call)
        assert call.caller.session is not None
        waiting[call.caller.session.call_id] = call
        await asyncio.sleep(gap)
    await asyncio.sleep(150.0 + SETTLED_S)
    stuck = sum(not call.caller.over or not call.called.over for call in made)
    result = {
        "calls": calls,
        "answered": sum(call.caller.told("accepted") > 0 for call in made),
        "refused": sum(call.caller.told("rejected") > 0 for call in made),
        "datagrams": sum(pair.network.counts[fate] for fate in ("sent", "lost")),
        "lost": pair.network.counts["lost"],
        "stuck": stuck,
        "left": sum(pair.left().values()),
        "what": ", ".join(f"{count} {what}" for what, count in pair.left().items()) or "nothing",
    }
    await pair.stop()
    return result
