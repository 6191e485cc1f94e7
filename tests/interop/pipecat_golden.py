"""What pipecat makes of our messages, and what it writes: JSON in, JSON out, for `test_bots.py`."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from typing import Any

from loguru import logger
from pipecat.frames.frames import (
    EndFrame,
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

RATE_HZ = 8000


class Setup:
    """What a serializer reads of its pipeline."""

    audio_in_sample_rate = RATE_HZ


def serializer(kind: str) -> Any:
    if kind == "twilio":
        return TwilioFrameSerializer("s", params=TwilioFrameSerializer.InputParams(auto_hang_up=False))
    if kind == "telnyx":
        params = TelnyxFrameSerializer.InputParams(auto_hang_up=False)
        return TelnyxFrameSerializer("s", "PCMU", "PCMU", params=params)
    if kind == "plivo":
        return PlivoFrameSerializer("s", params=PlivoFrameSerializer.InputParams(auto_hang_up=False))
    if kind == "exotel":
        return ExotelFrameSerializer("s")
    if kind == "genesys":
        return GenesysAudioHookSerializer()
    return VonageFrameSerializer(VonageFrameSerializer.InputParams(vonage_sample_rate=RATE_HZ))


def shown(message: str | bytes | None) -> dict[str, str]:
    if isinstance(message, bytes):
        return {"bytes": base64.b64encode(message).decode()}
    return {"text": message or ""}


def told(frame: Any) -> list[str] | None:
    if isinstance(frame, InputAudioRawFrame):
        return ["audio", base64.b64encode(frame.audio).decode(), str(frame.sample_rate)]
    if isinstance(frame, InputDTMFFrame):
        return ["key", frame.button.value]
    return None if frame is None else [type(frame).__name__]


async def take(ours: Any, message: dict[str, str], heard: list[Any], replies: list[Any]) -> None:
    data = base64.b64decode(message["bytes"]) if "bytes" in message else message["text"]
    frame = await ours.deserialize(data)
    if isinstance(frame, OutputTransportMessageUrgentFrame):
        replies.append(shown(await ours.serialize(frame)))
    elif (word := told(frame)) is not None:
        heard.append(word)


async def main() -> None:
    asked = json.load(sys.stdin)
    answers = {}
    for kind, (*messages, last) in asked["messages"].items():
        ours = serializer(kind)
        await ours.setup(Setup())
        heard: list[Any] = []
        replies: list[Any] = []
        for message in messages:
            await take(ours, message, heard, replies)
        audio = base64.b64decode(asked["audio"])
        frames = [OutputAudioRawFrame(audio=audio, sample_rate=RATE_HZ, num_channels=1), InterruptionFrame()]
        if kind == "genesys":
            frames.append(EndFrame())
        said = [shown(await ours.serialize(frame)) for frame in frames]
        await take(ours, last, heard, replies)
        answers[kind] = {"heard": heard, "replies": replies, "said": said}
    sys.stdout.write(json.dumps(answers))


logger.remove()
asyncio.run(main())
