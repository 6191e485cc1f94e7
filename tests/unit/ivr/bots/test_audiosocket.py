"""AudioSocket, both sides, byte for byte and cut anywhere."""

from __future__ import annotations

import random
import uuid

import pytest

from sipcc.ivr.bots.audiosocket import (
    DTMF,
    ERROR,
    HANGUP,
    RATES_HZ,
    TYPES,
    UUID,
    AudioSocketBot,
    AudioSocketPlatform,
    frame,
    uuid_of,
)
from sipcc.ivr.bots.words import Facts, Failed, Form, Heard, Key, Leave, SendKeys, Speak, Started, Stopped

ID = uuid.UUID("40325ec2-5efd-4bd3-805f-53576e581d13")
AUDIO = bytes(range(160)) * 2


def test_what_the_platform_writes() -> None:
    wire = AudioSocketPlatform(Facts(call="call-1", parameters={"uuid": str(ID)}))
    assert wire.begin() == [b"\x01\x00\x10" + ID.bytes]
    assert wire.hear(AUDIO, b"", 0) == [b"\x10\x01\x40" + AUDIO]
    assert wire.tell(Key("#")) == [b"\x03\x00\x01#"]
    assert wire.end() == [b"\x00\x00\x00"]
    wide = AudioSocketPlatform(Facts(call="call-1", form=Form(rate_hz=16000)))
    assert wide.hear(AUDIO * 2, b"", 0) == [b"\x12\x02\x80" + AUDIO * 2]
    assert AudioSocketPlatform(Facts(call="c", form=Form(rate_hz=11025))).form.rate_hz == 8000
    assert uuid_of("call-1") == uuid_of("call-1") != uuid_of("call-2")


TO_PLATFORM = [
    (frame(0x10, AUDIO), Speak(AUDIO, 8000)),
    (frame(0x11, AUDIO), Speak(AUDIO, 12000)),
    (frame(0x13, AUDIO), Speak(AUDIO, 24000)),
    (frame(DTMF, b"5"), SendKeys("5")),
    (frame(ERROR, b"\x01"), Failed("error 01")),
    (frame(HANGUP), Leave()),
]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 100, 10_000])
def test_what_a_bot_wants_cut_anywhere(step: int) -> None:
    wire = AudioSocketPlatform(Facts(call="c"))
    stream = b"".join(data for data, _ in TO_PLATFORM)
    words = [word for at in range(0, len(stream), step) for word in wire.receive(stream[at : at + step])]
    assert words == [word for _, word in TO_PLATFORM]
    assert wire.counts.malformed == wire.counts.unknown == 0


@pytest.mark.parametrize(
    ("data", "malformed", "unknown"),
    [
        (frame(0x10, b"odd"), 1, 0),
        (frame(DTMF, b"xy"), 1, 0),
        (frame(DTMF, b"\xff"), 1, 0),
        (frame(DTMF), 1, 0),
        (frame(0x42, b"anything"), 0, 1),
        (frame(0x19, AUDIO), 0, 1),
    ],
)
def test_junk_is_counted_and_dropped(data: bytes, malformed: int, unknown: int) -> None:
    platform, bot = AudioSocketPlatform(Facts(call="c")), AudioSocketBot()
    assert platform.receive(data + frame(DTMF, b"1")) == [SendKeys("1")]
    assert bot.receive(data + frame(DTMF, b"1")) == [Key("1")]
    for counts in (platform.counts, bot.counts):
        assert (counts.malformed, counts.unknown) == (malformed, unknown)


def test_noise_never_raises_and_never_piles_up() -> None:
    dice = random.Random(5)
    platform, bot = AudioSocketPlatform(Facts(call="c")), AudioSocketBot()
    for _ in range(300):
        noise = dice.randbytes(dice.randrange(2000))
        platform.receive(noise)
        bot.receive(noise)
        assert len(platform._frames._buffer) <= 65_538 + 2000


@pytest.mark.parametrize("rate_hz", sorted(RATES_HZ.values()))
def test_a_bot_of_ours_understands_what_a_platform_writes(rate_hz: int) -> None:
    bot = AudioSocketBot()
    audio = bytes(rate_hz // 50 * 2)
    kind = TYPES[rate_hz]
    stream = (
        frame(UUID, ID.bytes) + frame(kind, audio) + frame(kind, audio) + frame(DTMF, b"7") + frame(HANGUP)
    )
    facts = Facts(call=str(ID), stream=str(ID), form=Form(rate_hz=rate_hz))
    assert bot.receive(stream) == [Started(facts), Heard(audio, 0), Heard(audio, 20), Key("7"), Stopped()]
    assert bot.speak(audio) == frame(kind, audio)
    assert bot.hang_up() == b"\0\0\0"
    assert bot.receive(frame(0x10 if kind != 0x10 else 0x11, AUDIO)) == []  # the rate does not change
    assert bot.counts.malformed == 1
    assert bot.receive(frame(ERROR, b"\x02")) == [Stopped("error 02")]
