"""Sessions that outlive their process."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from tests.unit.sip.test_endpoint import ANSWER, OFFER, Log, Pair

from sipcc.errors import ParseError
from sipcc.sip import Endpoint, InviteSession, SessionState
from sipcc.sip.reviving import SavedSession, revive, save


async def talking(pair: Pair, transport: str = "udp") -> tuple[InviteSession, InviteSession]:
    """A call of Alice's that Bob has answered, as both see it."""
    await pair.alice.start()
    await pair.bob.start()
    ours = pair.call(transport)
    ours.listener = pair.at_alice
    await asyncio.sleep(1)
    theirs = pair.incoming[0]
    theirs.accept(ANSWER)
    await asyncio.sleep(1)
    assert ours.state is theirs.state is SessionState.CONFIRMED
    return ours, theirs


async def restarted(pair: Pair, dead: Endpoint, host: str, saved: SavedSession) -> tuple[Endpoint, Log]:
    """Another process takes the session up, from what was written down."""
    await dead.stop()
    await asyncio.sleep(0.1)  # the peer learns that its streams are gone
    endpoint = pair.endpoint(host, 99)
    await endpoint.start()
    written = msgspec.msgpack.decode(msgspec.msgpack.encode(saved), type=SavedSession)
    session = revive(endpoint, written)
    session.listener = log = Log()
    pair.incoming.append(session)
    return endpoint, log


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("role", ["uac", "uas"])
async def test_the_peer_of_a_revived_session_can_offer_and_hang_up(role: str, transport: str) -> None:
    pair = Pair()
    ours, theirs = await talking(pair, transport)
    dying, living = (ours, theirs) if role == "uac" else (theirs, ours)
    saved = save(dying)
    assert saved is not None
    assert saved.role == role
    dead, host = (pair.alice, "10.0.0.1") if role == "uac" else (pair.bob, "10.0.0.2")
    endpoint, log = await restarted(pair, dead, host, saved)
    living.reinvite(OFFER.replace(b"4000", b"4400"))
    await asyncio.sleep(1)
    assert log.said[0] == ("offer", "INVITE", OFFER.replace(b"4000", b"4400"))
    living.bye()
    await asyncio.sleep(1)
    assert log.said[-1] == ("ended", "peer")
    await asyncio.sleep(40)
    assert endpoint.sessions == 0
    await endpoint.stop()
    await (pair.bob if role == "uac" else pair.alice).stop()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("role", ["uac", "uas"])
async def test_a_revived_session_can_offer_and_hang_up(role: str, transport: str) -> None:
    pair = Pair()
    ours, theirs = await talking(pair, transport)
    dying = ours if role == "uac" else theirs
    peers = pair.at_bob if role == "uac" else pair.at_alice
    saved = save(dying)
    assert saved is not None
    dead, host = (pair.alice, "10.0.0.1") if role == "uac" else (pair.bob, "10.0.0.2")
    endpoint, log = await restarted(pair, dead, host, saved)
    revived = pair.incoming[-1]
    revived.reinvite(OFFER.replace(b"4000", b"4600"))
    await asyncio.sleep(1)
    assert ("offer", "INVITE", OFFER.replace(b"4000", b"4600")) in peers.said
    assert log.said[-1] == ("reinvite", 200)
    revived.bye()
    await asyncio.sleep(1)
    assert peers.said[-1] == ("ended", "peer")
    await endpoint.stop()
    await (pair.bob if role == "uac" else pair.alice).stop()


async def test_only_a_confirmed_session_is_saved() -> None:
    pair = Pair()
    await pair.alice.start()
    await pair.bob.start()
    ours = pair.call()
    ours.listener = pair.at_alice
    assert save(ours) is None
    await asyncio.sleep(1)
    assert save(pair.incoming[0]) is None
    pair.incoming[0].accept(ANSWER)
    await asyncio.sleep(1)
    ours.bye()
    assert save(ours) is None
    await pair.alice.stop()
    await pair.bob.stop()


async def test_a_session_timer_goes_on() -> None:
    pair = Pair()
    ours, _ = await talking(pair)
    saved = save(ours)
    assert saved is not None
    saved = msgspec.structs.replace(saved, interval=120, refresher="us")
    endpoint, log = await restarted(pair, pair.alice, "10.0.0.1", saved)
    await asyncio.sleep(70)
    assert ("reinvite", 200) not in log.said  # a refresh of the timer is the session's own matter
    assert [said for said in pair.at_bob.said if said[0] == "offer"]
    await endpoint.stop()
    await pair.bob.stop()


async def test_what_is_damaged_is_refused() -> None:
    pair = Pair()
    ours, _ = await talking(pair)
    saved = save(ours)
    assert saved is not None
    for damage in ({"invite": b"SIP/2.0 200 OK\r\n\r\n"}, {"target": "no uri"}, {"local": "<"}):
        with pytest.raises(ParseError):
            revive(pair.alice, msgspec.structs.replace(saved, **damage))
    await pair.alice.stop()
    await pair.bob.stop()
