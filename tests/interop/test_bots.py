"""Bots that are not ours, at the other end of real connections, speak with callers who are not ours."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.interop.centre import WELCOME_HZ
from tests.interop.field import Field
from tests.interop.phones import TONES, Phones, last_call, pause
from tests.interop.programs import ROOT, Program, Softphone, free_port, need, wait_until

from sipcc.ivr.bots.dialects import ExotelPlatform, PlivoPlatform, TelnyxPlatform, VonagePlatform
from sipcc.ivr.bots.genesys import GenesysPlatform
from sipcc.ivr.bots.twilio import TwilioPlatform
from sipcc.ivr.bots.words import Clear, Cleared, Facts, HandOver, Key, Marked, Note, Speak
from sipcc.rtp.codec import g711
from sipcc.testing import audio

PIPECAT = ROOT / "build" / "bots" / "bin" / "python"
JAMBONZ, AUDIOSOCKET = ROOT / "build" / "jambonz", ROOT / "build" / "audiosocket"
BOT_HZ = 500

BOTS = """
[[bots]]
name = "pipecat"
url = "ws://127.0.0.1:{pipecat}/"
parameters = {{ tone = "calm" }}
fallback = "play:hello"
then = "play:music"
[[bots]]
name = "jambonz"
url = "ws://127.0.0.1:{jambonz}/talk"
wire = "jambonz"
rate_hz = 16000
fallback = "play:hello"
then = "play:music"
[[bots]]
name = "audiosocket"
url = "tcp://127.0.0.1:{audiosocket}"
wire = "audiosocket"
fallback = "play:hello"
then = "play:music"
"""
DIALECTS = ("telnyx", "exotel", "plivo", "vonage", "genesys")
"""Other platforms whose serializers pipecat has."""
BOTS += "".join(
    f"""
[[bots]]
name = "{wire}"
url = "ws://127.0.0.1:{{{wire}}}/"
wire = "{wire}"
rate_hz = {16000 if wire in ("exotel", "vonage") else 8000}
parameters = {{{{ tone = "calm" }}}}
fallback = "play:hello"
then = "play:music"
"""
    for wire in DIALECTS
)
KINDS = ("pipecat", "jambonz", "audiosocket", *DIALECTS)


def need_bots() -> None:
    """Skip, or fail in CI, where the foreign bots are not installed."""
    need("node")
    missing = [
        str(path)
        for path in (PIPECAT, JAMBONZ / ".installed", AUDIOSOCKET / ".installed")
        if not path.exists()
    ]
    if missing:
        reason = f"{missing[0]} is not there (make foreign)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


class Bot(Program):
    """A bot as a process, which tells what it hears."""

    def told(self, event: str) -> list[dict[str, Any]]:
        """The messages of one kind that it got."""
        lines = [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]
        return [line["told"] for line in lines if line.get("told", {}).get("event") == event]


class Site:
    """A daemon with one bot of each kind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {kind: free_port() for kind in KINDS}
        self.field = Field(
            folder,
            callers={},
            numbers={f"400800020{index}": f"bot:{kind}" for index, kind in enumerate(KINDS)},
            extra=BOTS.format(**self.ports),
            workers=1,
        )
        self.phones = Phones(self.field)
        self.bots: list[Bot] = []

    def start(self, kind: str) -> Bot:
        here, port = Path(__file__).parent, str(self.ports[kind])
        command = {
            "pipecat": [str(PIPECAT), str(here / "pipecat_bot.py"), port],
            **{wire: [str(PIPECAT), str(here / "pipecat_bot.py"), port, wire] for wire in DIALECTS},
            "jambonz": ["node", str(here / "jambonz_bot.cjs"), port],
            "audiosocket": ["node", str(here / "audiosocket_bot.mjs"), port, str(AUDIOSOCKET)],
        }[kind]
        env = {"NODE_PATH": str(JAMBONZ / "node_modules")}
        bot = Bot(f"{kind}-{len(self.bots)}", command, self.folder, env=env)
        self.bots.append(bot)
        wait_until(lambda: '"ready"' in bot.output or not bot.running, 20, bot.tail)
        assert bot.running, bot.tail()
        return bot

    def call(self, number: str) -> tuple[Softphone, int]:
        phone = self.phones("1003")
        call = last_call(phone) + 1
        phone.tell(f"call sip:{number}@{self.field.centre.target}")
        phone.wait_event("media", call=call, status=[1])
        return phone, call

    def close(self) -> None:
        for bot in self.bots:
            bot.end()
        self.field.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    need_bots()
    site = Site(tmp_path_factory.mktemp("bots"))
    yield site
    site.close()


def lengths(samples: audio.Samples, rate: int, hz: float) -> float:
    """For how many seconds a tape has a tone of `hz`."""
    frame = rate // 50
    blocks = samples[: len(samples) // frame * frame].reshape(-1, frame).astype(np.float64)
    turn = np.exp(-2j * np.pi * hz * np.arange(frame) / rate)
    powers = np.abs(blocks @ turn) ** 2 * 2 / frame
    energies = (blocks**2).sum(axis=1)
    return float(np.count_nonzero((energies > frame * 200**2) & (powers > 0.8 * energies))) / 50


def test_pipecat_hears_speaks_is_interrupted_and_leaves(site: Site) -> None:
    bot = site.start("pipecat")
    phone, call = site.call("4008000200")
    site.phones.hears(phone, call, TONES["1003"], seconds=6)  # its own voice comes back
    phone.tell("keys 1")
    site.phones.hears(phone, call, BOT_HZ)
    pause(1.0)
    phone.tell("keys 2")
    wait_until(lambda: bool(bot.told("mark")), 2, bot.tail)  # five seconds early, for it was cleared
    pause(1.0)
    phone.tell("keys 9")
    site.phones.hears(phone, call, 900)  # where the settings send a caller whom it leaves
    phone.tell("hangup")
    phone.wait_event("call", call=call, state="DISCONNECTED")
    samples, rate = site.phones.tape(phone, call)
    assert 0.8 < lengths(samples, rate, BOT_HZ) < 3.0
    [connected], [start] = bot.told("connected"), bot.told("start")
    assert connected == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert start["start"]["customParameters"] == {"from": "1003", "to": "4008000200", "tone": "calm"}
    assert [told["dtmf"]["digit"] for told in bot.told("dtmf")] == ["1", "2", "9"]
    assert [told["mark"]["name"] for told in bot.told("mark")] == ["end"]

    bot.end()


def test_when_a_bot_dies_the_fallback_has_the_caller_and_when_it_is_not_there_too(site: Site) -> None:
    bot = site.start("pipecat")
    phone, call = site.call("4008000200")
    site.phones.hears(phone, call, TONES["1003"], seconds=6)
    phone.tell("keys 0")
    site.phones.hears(phone, call, WELCOME_HZ, seconds=5)
    phone.tell("hangup")
    phone.wait_event("call", call=call, state="DISCONNECTED")
    bot.wait(5)
    phone, call = site.call("4008000200")
    site.phones.hears(phone, call, WELCOME_HZ, seconds=5)
    phone.tell("hangup")
    phone.wait_event("call", call=call, state="DISCONNECTED")


def test_jambonz_own_library_hears_speaks_drops_plays_clips_and_leaves(site: Site) -> None:
    bot = site.start("jambonz")
    phone, call = site.call("4008000201")
    site.phones.hears(phone, call, TONES["1003"], seconds=6)
    phone.tell("keys 1")
    site.phones.hears(phone, call, BOT_HZ)
    pause(0.5)
    phone.tell("keys 2")
    wait_until(lambda: bool(bot.told("mark")), 2, bot.tail)
    phone.tell("keys 3")
    site.phones.hears(phone, call, 800)
    wait_until(lambda: bool(bot.told("playDone")), 3, bot.tail)
    phone.tell("keys 9")
    site.phones.hears(phone, call, 900)
    phone.tell("hangup")
    phone.wait_event("call", call=call, state="DISCONNECTED")
    samples, rate = site.phones.tape(phone, call)
    assert lengths(samples, rate, BOT_HZ) < 3.0
    assert 0.9 < lengths(samples, rate, 800) < 1.1
    [start] = bot.told("start")
    told = {name: start[name] for name in ("from", "to", "sampleRate", "mixType", "direction")}
    assert told == {
        "from": "1003",
        "to": "4008000201",
        "sampleRate": 16000,
        "mixType": "mono",
        "direction": "inbound",
    }
    assert [key["digit"] for key in bot.told("dtmf")] == ["1", "2", "3", "9"]
    assert [(mark["name"], mark["how"]) for mark in bot.told("mark")] == [
        ("end", "cleared"),
        ("forgotten", "cleared"),
    ]
    assert bot.told("playDone") == [{"event": "playDone", "id": "clip"}]
    bot.end()


def test_a_foreign_audiosocket_hears_speaks_and_hangs_up(site: Site) -> None:
    bot = site.start("audiosocket")
    phone, call = site.call("4008000202")
    site.phones.hears(phone, call, TONES["1003"])
    site.phones.hears(phone, call, BOT_HZ)
    site.phones.hears(phone, call, 900)
    phone.tell("hangup")
    phone.wait_event("call", call=call, state="DISCONNECTED")
    samples, rate = site.phones.tape(phone, call)
    assert 1.4 < lengths(samples, rate, BOT_HZ) < 1.6
    [start], [hangup] = bot.told("start"), bot.told("hangup")
    assert len(start["uuid"]) == 36
    assert hangup["frames"] > 150
    bot.end()


@pytest.mark.parametrize("wire", DIALECTS)
def test_pipecat_hears_speaks_is_interrupted_and_leaves_on_other_platforms_wires(
    site: Site, wire: str
) -> None:
    bot = site.start(wire)
    phone, call = site.call(f"400800020{KINDS.index(wire)}")
    site.phones.hears(phone, call, TONES["1003"], seconds=6)  # its own voice comes back
    phone.tell("keys 1")
    site.phones.hears(phone, call, BOT_HZ)
    pause(1.0)
    phone.tell("keys 2")  # five seconds were said at once
    pause(1.0)
    phone.tell("keys 9")
    site.phones.hears(phone, call, 900)
    phone.tell("hangup")
    phone.wait_event("call", call=call, state="DISCONNECTED")
    samples, rate = site.phones.tape(phone, call)
    assert 0.8 < lengths(samples, rate, BOT_HZ) < 3.0
    assert "calm" in bot.output
    assert "4008000" in bot.output
    bot.end()


WIRES: dict[str, type[Any]] = {
    "twilio": TwilioPlatform,
    "telnyx": TelnyxPlatform,
    "exotel": ExotelPlatform,
    "plivo": PlivoPlatform,
    "vonage": VonagePlatform,
    "genesys": GenesysPlatform,
}


def test_pipecat_reads_what_we_write_and_we_read_what_it_writes_on_six_wires() -> None:
    need_bots()
    samples = audio.tone(BOT_HZ, 0.02)
    pcm = samples.astype("<i2").tobytes()
    wires = {kind: make(Facts(call="c", stream="s", parameters={"a": "b"})) for kind, make in WIRES.items()}
    messages: dict[str, list[dict[str, str]]] = {}
    for kind, wire in wires.items():
        said = g711.encode(samples, "PCMU") if wire.form.law else pcm
        opening = wire.begin()
        if kind == "genesys":  # no audio goes before a session is open
            opened = {"media": [{"type": "audio", "format": "PCMU", "channels": ["external"], "rate": 8000}]}
            wire.receive(json.dumps({"type": "opened", "seq": 1, "parameters": opened}))
        written = [*opening, *wire.hear(said, b"", 20), *wire.tell(Key("5", 100))]
        written += [*wire.tell(Marked('"m"')), *wire.tell(Cleared(20, 20)), *wire.end()]
        messages[kind] = [
            {"bytes": base64.b64encode(message).decode()} if isinstance(message, bytes) else {"text": message}
            for message in written
        ]
    asked = json.dumps({"messages": messages, "audio": base64.b64encode(pcm).decode()})
    script = str(Path(__file__).with_name("pipecat_golden.py"))
    done = subprocess.run([str(PIPECAT), script], input=asked, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    coded = g711.decode(g711.encode(samples, "PCMU"), "PCMU").tobytes()
    for kind, wire in wires.items():
        heard = base64.b64encode(coded if wire.form.law else pcm).decode()
        assert answers[kind]["heard"] == [["audio", heard, "8000"], ["key", "5"]], kind
        (spoken,), (cleared,), *left = (
            wire.receive(base64.b64decode(said["bytes"]) if "bytes" in said else said["text"])
            for said in answers[kind]["said"]
        )
        assert isinstance(spoken, Speak), kind
        assert cleared == Clear(), kind
        assert left == ([[Note(context={"action": "transfer"}), HandOver()]] if kind == "genesys" else [])
        replies = [json.loads(reply["text"])["type"] for reply in answers[kind]["replies"]]
        assert replies == (["opened", "closed"] if kind == "genesys" else []), kind
        back = g711.decode(spoken.audio, "PCMU") if wire.form.law else np.frombuffer(spoken.audio, "<i2")
        assert np.max(np.abs(back.astype(int) - samples)) <= (700 if wire.form.law else 0), kind
        assert wire.counts.malformed == wire.counts.unknown == 0, kind
