"""The way to a program and back, in virtual time: who is heard on a tap is answered by a stream."""

from __future__ import annotations

import asyncio
import random

import pytest
from tests.flow.stage import Leg

from sipcc.call.playing import Player
from sipcc.ids import Ids
from sipcc.rtp import LocalEngine, MediaSettings
from sipcc.rtp.events import AudioTapped, MediaEvent
from sipcc.rtp.flow import PlayStream
from sipcc.rtp.packet import HEADER, PLAIN
from sipcc.testing.media import FakeMedia, Peer
from sipcc.testing.network import MemoryNetwork

SECONDS, WATCHED_S = 10.0, 8.0
ANSWERED_S = 0.004
"""What a program on the same machine takes."""


async def echoes_ms(begins: float, *, jitter_s: float = 0.0, loss: float = 0.0) -> tuple[list[float], int]:
    """How long each packet took to the program and back, once the ear knows its sender; and the late ones."""
    network, random_ = MemoryNetwork(), random.Random(7)
    settings = MediaSettings(address="10.0.0.1", ports=(20000, 20199), clock_ms=1)
    engine = LocalEngine(settings, sockets=network.sockets("10.0.0.1"), ids=Ids(random_))
    party = FakeMedia(network.sockets("10.0.1.1"), "10.0.1.1", ssrc=9)
    leg = Leg(await engine.open(), party, "PCMU", None)
    leg.configure()
    party.muted = True
    party.start(Peer(host=leg.port.host, port=leg.port.port, codec="PCMU", payload_type=0))
    loop, port = asyncio.get_running_loop(), leg.port
    player = Player(port)
    stream = player.open_stream(PlayStream(law="PCMU", lead_ms=20), on_news=print, on_end=lambda: None)

    def hear(event: MediaEvent) -> None:
        if isinstance(event, AudioTapped) and event.said:
            loop.call_later(ANSWERED_S, stream.feed, event.said)

    port.on_event = hear
    port.tap(True, coded=True)
    sent: dict[bytes, float] = {}
    begin = loop.time() + 0.5 + begins
    for number in range(round(SECONDS * 50)):
        mark = bytes([number % 100 + 1, number // 100 + 1])
        sent[mark] = begin + number * 0.02
        if random_.random() >= loss:
            packet = HEADER.pack(PLAIN, 0, number, number * 160, 9) + mark * 80
            at = sent[mark] + jitter_s * random_.random()
            loop.call_at(at, party._sockets.send, party._rtp, packet, (port.host, port.port))
    await asyncio.sleep(0.7 + begins + SECONDS)
    [session] = engine._core._sessions.values()
    late = session.ear.late
    got = [(item.at, item.payload[:2]) for item in party.received if item.at > begin + WATCHED_S]
    party.close()
    await engine.stop()
    return [1000 * (at - sent[mark]) for at, mark in got if mark in sent], late


async def test_an_answer_goes_out_within_45_ms_of_the_word_whenever_packets_come() -> None:
    for begins_ms in range(0, 20, 4):
        delays, late = await echoes_ms(begins_ms / 1000 + 0.0003)
        assert len(delays) > 90
        assert max(delays) <= 45.0
        assert late == 0


@pytest.mark.parametrize(("jitter_s", "loss"), [(0.015, 0.0), (0.030, 0.05)])
async def test_on_a_bad_network_no_packet_comes_too_late_for_that(jitter_s: float, loss: float) -> None:
    delays, late = await echoes_ms(0.0073, jitter_s=jitter_s, loss=loss)
    assert len(delays) > 80
    assert max(delays) <= 45.0 + 1000 * jitter_s
    assert late == 0
