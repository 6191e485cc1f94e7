"""Noise in calls: the messages of RFC 4475, and thousands of damaged requests, in a dialog that lives on."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from tests.faults.corpus import SHAPES
from tests.faults.rogue import DESCRIPTION, Place
from tests.faults.test_corpus import Scene
from tests.rfc.conftest import need_corpus

from sipcc.sip.transport.base import TransportName

METHODS = [
    "OPTIONS",
    "INVITE",
    "INFO",
    "UPDATE",
    "PRACK",
    "MESSAGE",
    "REFER",
    "NOTIFY",
    "SUBSCRIBE",
    "REGISTER",
]
"""All but those that end a call as they should."""

SIZES = [4, 16, 28, 40]
"""Bits of numbers: a CSeq of up to 28 leaves room for the requests that follow, one of 40 is none."""

_HARMLESS = re.compile(rb"\b(?:BYE|CANCEL)\b")
_IN_DIALOG = ("Call-ID", "From", "To")


def adopted(data: bytes, place: Place) -> bytes:
    """The message with Call-ID, From and To of the place's dialog in the place of its own."""
    sample = place.request("OPTIONS")  # which takes a number
    for name in _IN_DIALOG:
        start = sample.index(f"\r\n{name}: ".encode()) + 2
        ours = sample[start : sample.index(b"\r\n", start)]
        short = {"Call-ID": "i", "From": "f", "To": "t"}[name]
        theirs = re.compile(rb"(?im)^(?:%b|%b)[ \t]*:[^\r\n]*" % (name.encode(), short.encode()))
        data = theirs.sub(lambda _match, ours=ours: ours, data, count=1)  # type: ignore[misc]
    data = re.sub(rb"(?im)^CSeq[ \t]*:[ \t]*[0-9]+", b"CSeq: %d" % place.cseq, data, count=1)
    return _HARMLESS.sub(b"INFO", data)


def damaged(data: bytes, bits: random.Random) -> bytes:
    """The message with some of its octets or lines changed, doubled, moved or lost."""
    found = bytearray(data)
    for _ in range(bits.randrange(1, 6)):
        at = bits.randrange(len(found) or 1)
        match bits.randrange(7):
            case 0:
                found[at : at + 1] = bytes([bits.randrange(256)])
            case 1:
                del found[at : at + bits.randrange(1, 20)]
            case 2:
                found[at:at] = bits.choice(
                    [b"\r\n", b"\n", b"\0", b";", b",", b'"', b"<", b">", b"%", b"\xff"]
                )
            case 3:
                found[at:at] = bytes(found[at : at + bits.randrange(1, 200)])
            case 4:
                lines = bytes(found).split(b"\r\n")
                bits.shuffle(lines)
                found = bytearray(b"\r\n".join(lines))
            case 5:
                found[at:at] = bits.choice([b"9" * 400, b"a" * 5000, b"(" * 500, b", " * 300])
            case _:
                found = bytearray(
                    re.sub(
                        rb"[0-9]+",
                        lambda _: b"%d" % bits.getrandbits(bits.choice(SIZES)),
                        bytes(found),
                        count=3,
                    )
                )
    return _HARMLESS.sub(b"INFO", bytes(found))


async def endure(scene: Scene, noise: list[bytes]) -> None:
    """Send it all; then calls go on, and when they and what noise has begun are over nothing is left."""
    rogue = scene.rogue
    counters = scene.centre.switch.endpoint.counters
    for number, data in enumerate(noise):
        await rogue.throw(data, wait=0.002)
        assert counters["crashes"] + counters["handler_crashes"] == 0, data
        if number % 50 == 0 or number == len(noise) - 1:
            if scene.transport == "tcp":  # half a message may be waiting, and would swallow what follows
                rogue.drop()
                await rogue.open()
            await rogue.settle()
            assert await rogue.place("4008000001").send("OPTIONS") == 200
    scene.place.cseq = 2**30
    # the offers of RFC 4475 have two media, and no later one may have less (RFC 3264 §8)
    left = await scene.close(140.0, DESCRIPTION + b"m=video 0 RTP/AVP 31\r\n")
    assert set(left.values()) == {0}, left


@pytest.mark.parametrize("situation", ["early", "confirmed"])
@pytest.mark.parametrize("transport", ["udp", "tcp", "ws"])
async def test_rfc_4475_in_a_call(tmp_path: Path, transport: TransportName, situation: str) -> None:
    files = sorted(need_corpus("rfc4475").glob("*.dat"))
    async with Scene(tmp_path, transport, situation) as scene:
        whole = [path.read_bytes() for path in files]
        await endure(
            scene,
            [_HARMLESS.sub(b"INFO", data) for data in whole] + [adopted(data, scene.place) for data in whole],
        )


@pytest.mark.parametrize("situation", ["early", "confirmed"])
@pytest.mark.parametrize("transport", ["udp", "tcp", "ws"])
async def test_damaged_requests_in_a_call(tmp_path: Path, transport: TransportName, situation: str) -> None:
    bits = random.Random(f"{transport}/{situation}")
    async with Scene(tmp_path, transport, situation) as scene:
        noise = [
            damaged(scene.place.request(bits.choice(METHODS), body=DESCRIPTION * bits.randrange(2)), bits)
            for _ in range(600)
        ]
        noise += [damaged(bits.choice(SHAPES).make(scene.place), bits) for _ in range(200)]
        await endure(scene, noise)
