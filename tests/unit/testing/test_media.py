from __future__ import annotations

import asyncio

import pytest

from sipcc.rtp.udp import UdpSockets
from sipcc.testing import audio
from sipcc.testing.link import Link
from sipcc.testing.media import FakeMedia, Peer
from sipcc.testing.network import MemoryNetwork


def peer_at(media: FakeMedia, *, codec: str = "PCMU", send: bool = True) -> Peer:
    return Peer(
        host=media.host,
        port=media.port,
        codec="PCMA" if codec == "PCMA" else "PCMU",
        payload_type=8 if codec == "PCMA" else 0,
        event_payload_type=101,
        send=send,
    )


async def pair(link: Link, codec: str = "PCMU") -> tuple[FakeMedia, FakeMedia]:
    network = MemoryNetwork(link=link)
    one = FakeMedia(network.sockets("10.0.0.1"), "10.0.0.1", ssrc=1)
    other = FakeMedia(network.sockets("10.0.0.2"), "10.0.0.2", ssrc=2)
    one.start(peer_at(other, codec=codec))
    other.start(peer_at(one, codec=codec))
    return one, other


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
async def test_two_parties_hear_each_other(codec: str) -> None:
    one, other = await pair(Link(delay=0.01), codec)
    one.say_tone(400)
    other.say_tone(700)
    await asyncio.sleep(2)
    audio.assert_tone(other.heard(1), 400, share=0.99)
    assert one.tones() == [700]
    assert other.breaks() == []
    assert other.longest_gap() == pytest.approx(0.02)
    one.be_silent()
    await asyncio.sleep(1)
    audio.assert_silent(other.heard(0.5))
    audio.assert_tone(other.heard(0.5, before=1.1), 400)
    other.close()
    one.close()


async def test_keys_are_sent_and_received_within_the_unbroken_line() -> None:
    one, other = await pair(Link(duplicate=0.0))
    one.say_tone(400)
    await asyncio.sleep(0.5)
    one.press("40#")
    assert one.pressing
    await asyncio.sleep(2)
    assert not one.pressing
    assert other.digits == "40#"
    assert other.breaks() == []


async def test_breaks_are_told() -> None:
    one, other = await pair(Link())
    await asyncio.sleep(0.2)
    one.sequence += 5
    one._timestamp -= 8000
    await asyncio.sleep(0.1)
    one._ssrc = 99
    await asyncio.sleep(0.1)
    kinds = [text.split(": ")[1].split()[0] for text in other.breaks()]
    assert kinds == ["sequence", "SSRC", "the"]


async def test_mute_and_hold_send_nothing() -> None:
    one, other = await pair(Link())
    await asyncio.sleep(0.11)
    one.muted = True
    other.start(peer_at(one, send=False))
    counts = (len(one.received), len(other.received))
    await asyncio.sleep(1)
    assert (len(one.received), len(other.received)) == counts
    audio.assert_silent(other.heard(0.5))


async def test_ports_run_on_when_taken() -> None:
    network = MemoryNetwork()
    sockets = network.sockets("10.0.0.1")
    ports = [FakeMedia(sockets, "10.0.0.1").port for _ in range(120)]
    assert len(set(ports)) == 120
    assert all(port % 2 == 0 for port in ports)


@pytest.mark.realtime
async def test_the_same_on_real_sockets() -> None:
    sockets = UdpSockets(), UdpSockets()
    one, other = FakeMedia(sockets[0], "127.0.0.1", ssrc=1), FakeMedia(sockets[1], "127.0.0.1", ssrc=2)
    one.start(peer_at(other))
    one.say_tone(400)
    arrived = asyncio.Event()
    other._loop.call_later(0.3, arrived.set)
    await arrived.wait()
    assert other.tones(0.2) == [400]
    one.close()
    other.close()
    for each in sockets:
        each.close_all()


def test_only_whole_frames_can_be_said() -> None:
    with pytest.raises(ValueError, match="one frame"):
        FakeMedia.say(object.__new__(FakeMedia), audio.silence(0.01))
