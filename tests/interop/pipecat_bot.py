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
from pipecat.frames.frames import (
    InputAudioRawFrame,
    InputDTMFFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    OutputTransportMessageUrgentFrame,
)
from pipecat.serializers.exotel import ExotelFrameSerializer
from pipecat.serializers.genesys import GenesysAudioHookSerializer
from pipecat.serializers.plivo import PlivoFrameSerializer
from pipecat.serializers.telnyx import TelnyxFrameSerializer
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.serializers.vonage import VonageFrameSerializer
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


def serializer_of(kind: str, stream: str) -> Any:
    if kind == "twilio":
        params = TwilioFrameSerializer.InputParams(auto_hang_up=False)
        return TwilioFrameSerializer(stream, params=params)
    if kind == "telnyx":
        return TelnyxFrameSerializer(
            stream, "PCMU", "PCMU", params=TelnyxFrameSerializer.InputParams(auto_hang_up=False)
        )
    if kind == "plivo":
        return PlivoFrameSerializer(stream, params=PlivoFrameSerializer.InputParams(auto_hang_up=False))
    if kind == "exotel":
        return ExotelFrameSerializer(
            stream, params=ExotelFrameSerializer.InputParams(exotel_sample_rate=RATE_HZ)
        )
    if kind == "vonage":
        return VonageFrameSerializer(VonageFrameSerializer.InputParams(vonage_sample_rate=RATE_HZ))
    return GenesysAudioHookSerializer()


def stream_of(read: dict[str, Any]) -> str:
    start = read.get("start", {})
    names = (read.get("stream_id"), start.get("streamSid"), start.get("streamId"), start.get("stream_sid"))
    return next((name for name in names if name), "")


class Bot:
    """One conversation."""

    def __init__(self, socket: ServerConnection, kind: str) -> None:
        self.socket, self.kind = socket, kind
        self.echoing = True
        self.serializer: Any = None

    async def run(self) -> None:
        async for message in self.socket:
            if isinstance(message, str):
                read = json.loads(message)
                if read.get("event") != "media":
                    tell(told=read)
                if self.serializer is None and (
                    self.kind in ("genesys", "vonage") or read.get("event") == "start"
                ):
                    self.serializer = serializer_of(self.kind, stream_of(read))
                    await self.serializer.setup(Setup())
            if self.serializer is None:
                continue
            frame = await self.serializer.deserialize(message)
            if isinstance(frame, InputAudioRawFrame) and self.echoing:
                await self.say(frame.audio)
            elif isinstance(frame, InputDTMFFrame):
                await self.press(frame.button.value)
            elif isinstance(frame, OutputTransportMessageUrgentFrame):
                await self.send(frame)
        tell(over=True)

    async def press(self, key: str) -> None:
        if key == "1":
            self.echoing = False
            await self.say(tone(5.0))
            if self.kind == "twilio":
                await self.socket.send(
                    json.dumps({"event": "mark", "streamSid": "", "mark": {"name": "end"}})
                )
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
    kind = sys.argv[2] if len(sys.argv) > 2 else "twilio"

    async def talk(socket: ServerConnection) -> None:
        await Bot(socket, kind).run()

    async with serve(talk, "127.0.0.1", int(sys.argv[1])):
        tell(ready=True)
        await asyncio.get_running_loop().create_future()


logger.remove()
asyncio.run(main())
