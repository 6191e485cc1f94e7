"""A listener may do anything from within each callback, or raise: both ends come to rest all the same."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from sipcc.clock import LoopClock
from sipcc.errors import LocalProtocolError
from sipcc.ids import Ids
from sipcc.sip import Endpoint, InviteSession, NameAddr, Response, SessionEvents, SipSettings, SipUri
from sipcc.testing.network import MemoryNetwork

OFFER = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"


class ListenerFailed(Exception):
    """What a broken listener raises."""


def fail(_session: InviteSession) -> None:
    raise ListenerFailed


def ask(session: InviteSession) -> None:
    """Send a request, and hang up when its answer comes."""

    def answered(_response: Response | None) -> None:
        with suppress(LocalProtocolError):
            session.bye()

    session.send_request("INFO", on_response=answered)


VERBS: dict[str, Callable[[InviteSession], None]] = {
    "bye": lambda session: session.bye(),
    "cancel": lambda session: session.cancel(),
    "reject": lambda session: session.reject(486),
    "ring": lambda session: session.ring(183, body=OFFER),
    "accept": lambda session: session.accept(OFFER),
    "reinvite": lambda session: session.reinvite(OFFER),
    "reinvite without an offer": lambda session: session.reinvite(b""),
    "update": lambda session: session.update(OFFER),
    "answer": lambda session: session.answer_offer(OFFER),
    "refuse": lambda session: session.refuse_offer(488),
    "info": ask,
    "raise": fail,
}

CALLBACKS = [name for name in dir(SessionEvents) if name.startswith("on_")]


class Meddler(SessionEvents):
    """Does `what` within each callback named `where`, twice at most, and then what is usual."""

    def __init__(self, where: str, what: str) -> None:
        self.left = 2
        self._where = where
        self._what = what

    def __getattribute__(self, name: str) -> Any:
        usual = super().__getattribute__(name)
        if not name.startswith("on_") or name != self._where:
            return usual

        def meddle(session: InviteSession, *args: Any) -> None:
            if self.left:
                self.left -= 1
                with suppress(LocalProtocolError):
                    VERBS[self._what](session)
            with suppress(LocalProtocolError):
                usual(session, *args)

        return meddle


class Call:
    """Alice calls Bob, and each side does everything that a call can do."""

    def __init__(self, alice: SessionEvents, bob: SessionEvents) -> None:
        self.network = MemoryNetwork()
        self.ends = [self._endpoint("10.0.0.1"), self._endpoint("10.0.0.2")]
        self._listeners = alice, bob
        self._called: list[InviteSession] = []

    def _endpoint(self, host: str) -> Endpoint:
        settings = SipSettings(listen=(f"udp:{host}:5060",), reliable="supported")
        ids = Ids(random.Random(host))
        return Endpoint(settings, network=self.network.host(host), clock=LoopClock(wall=0.0), ids=ids)

    def _on_invite(self, session: InviteSession) -> None:
        session.listener = self._listeners[1]
        self._called.append(session)

    async def run(self, *, late: bool) -> None:
        for end in self.ends:
            await end.start()
        self.ends[1].on_invite = self._on_invite
        caller = self.ends[0].invite(
            SipUri.parse("sip:bob@10.0.0.2"),
            from_=NameAddr.parse("<sip:alice@example.com>"),
            body=b"" if late else OFFER,
            listener=self._listeners[0],
        )
        await asyncio.sleep(0.1)
        called = self._called[0]
        script: list[Callable[[], None]] = [
            lambda: called.ring(183, body=OFFER),
            lambda: caller.update(OFFER),
            lambda: called.accept(OFFER),
            lambda: caller.acknowledge(OFFER),
            lambda: caller.reinvite(OFFER),
            lambda: called.reinvite(b""),
            lambda: called.acknowledge(OFFER),
            lambda: called.update(OFFER),
            lambda: caller.send_request("INFO"),
            lambda: called.send_request("MESSAGE"),
            lambda: caller.cancel() if late else called.bye(),
            caller.cancel,
        ]
        for step in script:
            with suppress(LocalProtocolError, ListenerFailed):
                step()
            await asyncio.sleep(0.1)
        await asyncio.sleep(300)

    def assert_nothing_left(self) -> None:
        for end in self.ends:
            assert (len(end.layer), end.sessions, len(end.scope), end.scope.crashes) == (0, 0, 0, 0)
            assert end.outbound.deadlines.first is None


@pytest.mark.parametrize("late", [False, True], ids=["offer", "late offer"])
@pytest.mark.parametrize("side", [0, 1], ids=["caller", "called"])
@pytest.mark.parametrize("where", CALLBACKS)
@pytest.mark.parametrize("what", VERBS)
async def test_any_verb_within_any_callback(what: str, where: str, side: int, late: bool) -> None:
    listeners = [SessionEvents(), SessionEvents()]
    listeners[side] = Meddler(where, what)
    call = Call(*listeners)
    await call.run(late=late)
    call.assert_nothing_left()
    crashes = sum(end.counters["crashes"] + end.counters["handler_crashes"] for end in call.ends)
    assert what == "raise" or not crashes
    for end in call.ends:
        await end.stop()
