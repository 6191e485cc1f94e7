from __future__ import annotations

from sipcc.rtp import wire
from sipcc.rtp.events import MediaEvent, PlayEnded, WorkerLost
from sipcc.rtp.flow import RtpStats
from sipcc.rtp.port import EnginePort


class Commander:
    def __init__(self) -> None:
        self.submitted: list[wire.Command] = []

    def submit(self, command: wire.Command) -> None:
        self.submitted.append(command)

    def stats_of(self, port: str) -> RtpStats:
        return RtpStats()


async def test_a_port_that_is_gone_tells_its_last_word_and_keeps_nobody() -> None:
    commander, told = Commander(), list[MediaEvent]()
    port = EnginePort(commander, "port-1", "127.0.0.1", 20000)

    def hear(event: MediaEvent) -> None:
        told.append(event)
        port.stop_playing()  # what its holder does about the last word reaches nobody any more

    port.on_event = hear
    port.finish(RtpStats(packets_received=3), last=WorkerLost("port-1"))
    assert told == [WorkerLost("port-1")]
    assert commander.submitted == []
    assert port.on_event is None
    port.deliver(PlayEnded("port-1", 1, "done", 20))
    assert len(told) == 1
    assert (await port.close()).packets_received == 3
