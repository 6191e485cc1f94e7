"""RTP without SIP: plays a sound file to an address, and says what was sent.

Start: `python 07_rtp_only.py welcome.wav 127.0.0.1 5004`.
Nothing is dialled; listen with a program that takes PCMU at that port, such as
`ffplay rtp://127.0.0.1:5004`.
"""

import asyncio
import sys

from sipcc.rtp import (
    LocalEngine,
    MediaEvent,
    MediaSettings,
    PlayEnded,
    PlayFile,
    RtpStats,
    StreamParams,
)


async def play(engine: LocalEngine, path: str, host: str, port: int) -> RtpStats:
    """Play `path` to its end; the figures of the stream."""
    ended = asyncio.get_running_loop().create_future()

    def on_event(event: MediaEvent) -> None:
        if isinstance(event, PlayEnded) and not ended.done():
            ended.set_result(event)

    media = await engine.open()
    media.on_event = on_event
    media.configure(
        StreamParams(
            remote_host=host, remote_port=port, remote_rtcp_port=port + 1, codec="PCMU", payload_type=0
        )
    )
    media.play([PlayFile(path)])
    await ended
    return await media.close()


async def main(path: str, host: str, port: int) -> None:
    engine = LocalEngine(MediaSettings(address="127.0.0.1" if host.startswith("127.") else "0.0.0.0"))
    try:
        stats = await play(engine, path, host, port)
    finally:
        await engine.stop()
    print(f"{stats.packets_sent} packets, {stats.bytes_sent} bytes")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
