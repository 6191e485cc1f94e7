"""A bot made of pipecat's serializers, run by an environment of its own: a WebSocket server.

    python pipecat_bot.py PORT SERIALIZER

It says back what it hears. Key 1 has it say five seconds of a tone at once and ask for a mark behind them,
key 2 interrupts, key 9 leaves, and key 0 dies. What comes in is told on stdout, a line of JSON each.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import struct
import sys
from typing import Any

from loguru import logger
from pipecat.frames.frames import InputAudioRawFrame, InputDTMFFrame, InterruptionFrame, OutputAudioRawFrame
from pipecat.serializers.twilio import TwilioFrameSerializer
from websockets.asyncio.server import ServerConnection, serve

RATE_HZ = 16000
TONE_HZ = 500.0


class Setup:
    """What a serializer reads of its pipeline."""

    audio_in_sample_rate = RATE_HZ


def tone(seconds: float) -> bytes:
    count = int(seconds * RATE_HZ)
    return struct.pack(
        f"<{count}h", *(int(8000 * math.sin(2 * math.pi * TONE_HZ * at / RATE_HZ)) for at in range(count))
    )


def tell(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


class Bot:
    """One conversation."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket
        self.echoing = True
        self.serializer: Any = None

    async def run(self) -> None:
        async for message in self.socket:
            read = json.loads(message)
            if read["event"] != "media":
                tell(told=read)
            if read["event"] == "start":
                params = TwilioFrameSerializer.InputParams(auto_hang_up=False)
                self.serializer = TwilioFrameSerializer(read["start"]["streamSid"], params=params)
                await self.serializer.setup(Setup())
            if self.serializer is None:
                continue
            frame = await self.serializer.deserialize(message)
            if isinstance(frame, InputAudioRawFrame) and self.echoing:
                await self.say(frame.audio)
            elif isinstance(frame, InputDTMFFrame):
                await self.press(frame.button.value)
        tell(over=True)

    async def press(self, key: str) -> None:
        if key == "1":
            self.echoing = False
            await self.say(tone(5.0))
            await self.socket.send(json.dumps({"event": "mark", "streamSid": "", "mark": {"name": "end"}}))
        elif key == "2":
            await self.send(InterruptionFrame())
        elif key == "9":
            await self.socket.close()
        elif key == "0":
            os._exit(1)

    async def say(self, audio: bytes) -> None:
        await self.send(OutputAudioRawFrame(audio=audio, sample_rate=RATE_HZ, num_channels=1))

    async def send(self, frame: Any) -> None:
        message = await self.serializer.serialize(frame)
        if message is not None:
            await self.socket.send(message)


async def main() -> None:
    async def talk(socket: ServerConnection) -> None:
        await Bot(socket).run()

    async with serve(talk, "127.0.0.1", int(sys.argv[1])):
        tell(ready=True)
        await asyncio.get_running_loop().create_future()


logger.remove()
asyncio.run(main())
