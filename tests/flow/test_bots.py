"""Bots at the end of a connection speak with callers: heard, cleared, marked, lost and left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, CONFIG, WELCOME_HZ, Centre
from tests.flow.test_no_garbage import no_collector

from sipcc import Call
from sipcc.call.events import Decision
from sipcc.ivr.bots.links import LinkEnded
from sipcc.ivr.bots.serve import stream
from sipcc.ivr.bots.talk import MAX_LETTERS
from sipcc.ivr.bots.twilio import TwilioBot
from sipcc.ivr.bots.words import Heard, Key, Marked, Started, Stopped, ToBot
from sipcc.ivr.events import BotJoined, BotLeft, ContextGiven
from sipcc.ivr.live import LiveSession
from sipcc.ivr.steps import Stream, Streamed
from sipcc.rtp.codec import g711
from sipcc.rtp.events import PlayEnded
from sipcc.switch.bots import MAX_HANDED_ON
from sipcc.testing.audio import find_tones, tone
from sipcc.testing.phone import Answer, Decline

LINE = "4008000100"
BOT_HZ = 500.0


def mulaw(frequency_hz: float, seconds: float) -> bytes:
    return g711.encode(np.round(tone(frequency_hz, seconds) * 1).astype(np.int16), "PCMU")


class Wire:
    """A connection in memory, with a bot of ours at its other end."""

    def __init__(self) -> None:
        self.to_bot: asyncio.Queue[str | bytes | LinkEnded] = asyncio.Queue()
        self.to_switch: asyncio.Queue[str | bytes | LinkEnded] = asyncio.Queue()
        self.bot = TwilioBot()
        self.told: list[ToBot] = []
        self.raw: list[str] = []
        self.closed = self.block = False
        self.work: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # what the switch has
    async def send(self, message: str | bytes) -> None:
        if self.closed:
            raise LinkEnded(lost=True)
        if self.block:
            await asyncio.get_running_loop().create_future()
        self.to_bot.put_nowait(message)

    async def receive(self) -> str | bytes:
        message = await self.to_switch.get()
        if isinstance(message, LinkEnded):
            self.closed = True
            raise LinkEnded(lost=message.lost)  # one that is held by this frame would be a ring
        return message

    async def close(self) -> None:
        self.closed = True

    # what the bot has
    async def hears(self, kind: type[ToBot]) -> ToBot:
        """The next word of a kind; all others are kept in `told`."""
        while True:
            message = await self.to_bot.get()
            assert isinstance(message, str)
            self.raw.append(message)
            for word in self.bot.receive(message):
                self.told.append(word)
                if isinstance(word, kind):
                    return word

    async def until_stopped(self) -> None:
        while not isinstance(await self.hears(object), Stopped):  # type: ignore[type-abstract, arg-type]
            pass

    def says(self, *messages: str) -> None:
        for message in messages:
            self.to_switch.put_nowait(message)

    def extends(self, **content: object) -> None:
        self.says(json.dumps({"event": "sipcc", "sipcc": content}))

    def leaves(self, *, lost: bool = False) -> None:
        self.to_switch.put_nowait(LinkEnded(lost=lost))

    def sound(self) -> np.ndarray:
        coded = b"".join(word.audio for word in self.told if isinstance(word, Heard))
        return g711.decode(coded, "PCMU")


def dialler(bot: Work, wires: list[Wire], asked: list[Asked]) -> Callable[..., Awaitable[Wire]]:
    """What connects with `bot`, a new one for each connection; one that is not there refuses."""

    async def connect(
        url: str, *, protocols: Sequence[str], headers: Mapping[str, str], timeout: float
    ) -> Wire:
        asked.append((url, list(protocols), dict(headers)))
        if "nobody" in url:
            raise OSError("refused")
        wire = Wire()
        wire.work = asyncio.ensure_future(bot(wire))  # type: ignore[arg-type]
        wires.append(wire)
        return wire

    return connect


Asked = tuple[str, list[str], dict[str, str]]
Work = Callable[[Wire], Awaitable[None]]


class Stage:
    """A centre with one number behind which a bot is."""

    def __init__(self, folder: Path, bot: Work, step: Stream | None = None, config: str = CONFIG) -> None:
        self.results: list[Streamed] = []
        self.wires: list[Wire] = []
        self.asked: list[Asked] = []
        step = step or Stream(url="ws://bot.example.com/talk", parameters={"from": "someone"})
        connect = dialler(bot, self.wires, self.asked)

        async def handler(call: Call) -> None:
            session = LiveSession(call, self.centre.switch.treatments.services)
            result = await call.unless_ended(stream(session, step, connect=connect))
            self.results.append(result)

        self.centre = Centre(folder, apps={LINE: handler}, config=config)

    async def __aenter__(self) -> Stage:
        await self.centre.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.centre.__aexit__(*exc)
        await asyncio.gather(*(wire.work for wire in self.wires))


async def test_a_bot_hears_the_caller_and_is_heard(tmp_path: Path) -> None:
    async def bot(wire: Wire) -> None:
        await wire.hears(Started)
        wire.says(wire.bot.speak(mulaw(BOT_HZ, 2.0)), wire.bot.mark("said"))
        await wire.hears(Marked)
        key = await wire.hears(Key)
        assert isinstance(key, Key)
        assert key.digit == "5"
        await asyncio.sleep(1)
        wire.leaves()

    async with Stage(tmp_path, bot) as stage:
        caller = await stage.centre.carrier.call(LINE)
        await caller.hears(BOT_HZ)
        await asyncio.sleep(2)
        await caller.press("5")
        await caller.ended()
    [wire], [result] = stage.wires, stage.results
    assert result == Streamed(ended_by="program")
    start = json.loads(wire.raw[1])["start"]
    assert start["customParameters"] == {"from": "someone"}
    assert start["callSid"] == stage.centre.told("CallStarted")[0].call  # type: ignore[attr-defined]
    assert wire.told[1].__class__ is Heard
    assert round(find_tones(wire.sound()[4000:12000])[0]) == round(CALLER_HZ)
    marked = next(word for word in wire.told if isinstance(word, Marked))
    assert marked.name == "said"
    [joined], [left] = stage.centre.told("BotJoined"), stage.centre.told("BotLeft")
    assert isinstance(joined, BotJoined)
    assert isinstance(left, BotLeft)
    assert (joined.bot, joined.wire) == ("ws://bot.example.com/talk", "twilio")
    assert (left.ended_by, left.to, left.dropped) == ("program", "", 0)
    assert 2.0 < left.seconds < 5.0


async def test_clearing_silences_and_tells_how_much_was_heard(tmp_path: Path) -> None:
    moments: list[float] = []

    async def bot(wire: Wire) -> None:
        loop = asyncio.get_running_loop()
        await wire.hears(Started)
        wire.extends(type="hello")
        wire.says(wire.bot.speak(mulaw(BOT_HZ, 60.0)), wire.bot.mark("never"))  # all at once
        await asyncio.sleep(1.5)
        wire.says(wire.bot.clear())
        moments.append(loop.time())
        marked = await wire.hears(Marked)
        moments.append(loop.time())
        assert isinstance(marked, Marked)
        assert marked.name == "never"
        assert abs((marked.ms or 0) - 1500) <= 40
        while '"cleared"' not in wire.raw[-1]:
            await wire.hears(object)  # type: ignore[type-abstract, arg-type]
        await asyncio.sleep(1)
        wire.says(wire.bot.speak(mulaw(700.0, 1.0)), wire.bot.mark("all"))
        last = await wire.hears(Marked)
        assert last == Marked("all", ms=1000)
        wire.extends(type="hangup")
        await wire.until_stopped()

    async with Stage(tmp_path, bot) as stage:
        caller = await stage.centre.carrier.call(LINE)
        await caller.hears(BOT_HZ)
        await caller.hears_silence()
        await caller.hears(700.0)
        await caller.ended()
    [cleared] = [json.loads(raw)["sipcc"] for raw in stage.wires[0].raw if '"cleared"' in raw]
    assert cleared["heardMs"] == cleared["totalMs"]
    assert moments[1] - moments[0] < 0.02


async def test_where_the_bot_sends_the_call_and_what_it_knows(tmp_path: Path) -> None:
    async def bot(wire: Wire) -> None:
        await wire.hears(Started)
        wire.extends(type="note", transcript="so far", context={"order": "12"})
        wire.says(wire.bot.speak(mulaw(BOT_HZ, 1.0)))
        wire.extends(type="queue", queue="sales", context={"mood": "good"})
        await wire.until_stopped()

    async with Stage(tmp_path, bot) as stage:
        caller = await stage.centre.carrier.call(LINE)
        await caller.hears(BOT_HZ)  # it is heard to its end first
        await caller.ended()
    assert stage.results == [
        Streamed(
            ended_by="program", transcript="so far", context={"order": "12", "mood": "good"}, to="queue:sales"
        )
    ]
    [given] = stage.centre.told("ContextGiven")
    assert isinstance(given, ContextGiven)
    assert (given.queue, given.context["transcript"]) == ("sales", "so far")
    [left] = stage.centre.told("BotLeft")
    assert isinstance(left, BotLeft)
    assert left.to == "queue:sales"
    assert left.seconds >= 1.0


async def test_a_bot_that_dies_is_lost_at_once_and_what_it_noted_is_kept(tmp_path: Path) -> None:
    async def bot(wire: Wire) -> None:
        await wire.hears(Started)
        wire.extends(type="note", transcript="so far")
        wire.says(wire.bot.speak(mulaw(BOT_HZ, 30.0)))
        await asyncio.sleep(1)
        wire.leaves(lost=True)

    async with Stage(tmp_path, bot) as stage:
        caller = await stage.centre.carrier.call(LINE)
        await caller.ended()
    assert stage.results == [Streamed(ended_by="lost", transcript="so far")]
    [left] = stage.centre.told("BotLeft")
    assert isinstance(left, BotLeft)
    assert left.seconds < 1.2


async def test_a_caller_who_hangs_up_is_told_to_the_bot(tmp_path: Path) -> None:
    stopped: list[ToBot] = []

    async def bot(wire: Wire) -> None:
        stopped.append(await wire.hears(Stopped))

    async with Stage(tmp_path, bot) as stage:
        caller = await stage.centre.carrier.call(LINE)
        await asyncio.sleep(1)
        await caller.hangup()
        await asyncio.sleep(1)
    assert stopped == [Stopped()]
    assert stage.results == []
    assert stage.wires[0].closed
    [left] = stage.centre.told("BotLeft")
    assert isinstance(left, BotLeft)
    assert left.ended_by == "hangup"


async def test_a_stream_that_dies_with_its_worker_answers_its_marks_and_the_next_word_is_heard(
    tmp_path: Path,
) -> None:
    died = asyncio.Event()

    async def bot(wire: Wire) -> None:
        await wire.hears(Started)
        wire.says(wire.bot.speak(mulaw(BOT_HZ, 30.0)), wire.bot.mark("half said"))
        await wire.hears(Marked)
        died.set()
        wire.says(wire.bot.speak(mulaw(700.0, 1.0)), wire.bot.mark("said"))
        assert await wire.hears(Marked) == Marked("said")
        wire.leaves()

    async with Stage(tmp_path, bot) as stage:
        caller = await stage.centre.carrier.call(LINE)
        await caller.hears(BOT_HZ)
        [started] = stage.centre.told("CallStarted")
        call = stage.centre.switch.calls.get(started.call)  # type: ignore[attr-defined]
        assert call is not None
        call.player.on_event(PlayEnded("port", call.player._token, "done", 0))
        await asyncio.wait_for(died.wait(), 1)
        await caller.hears(700.0)
        await caller.ended()


async def test_a_bot_that_asks_for_more_than_it_reads_is_given_up(tmp_path: Path) -> None:
    async def bot(wire: Wire) -> None:
        await wire.hears(Started)
        wire.block = True
        for _ in range(MAX_LETTERS + 100):
            wire.says(wire.bot.mark("m"))

    step = Stream(url="ws://someone:secret@bot.example.com/talk?token=secret")
    async with Stage(tmp_path, bot, step) as stage:
        caller = await stage.centre.carrier.call(LINE)
        await caller.ended()
    assert stage.results == [Streamed(ended_by="lost")]
    [left] = stage.centre.told("BotLeft")
    assert isinstance(left, BotLeft)
    assert left.bot == "ws://bot.example.com/talk"


# -- the destination bot:NAME ------------------------------------------------------------------------------

BOTS = """
[[bots]]
name = "helper"
url = "ws://bot.example.com/talk"
secret = "Bearer abc"
parameters = {{ tone = "calm" }}
fallback = "queue:help"
then = "play:welcome"
max_time = 20
[[bots]]
name = "gone"
url = "ws://nobody.example.com/"
wire = "jambonz"
fallback = "queue:help"
[[bots]]
name = "restless"
url = "ws://bot.example.com/again"
fallback = "play:welcome"
[[numbers]]
number = "4008000101"
to = "bot:helper"
[[numbers]]
number = "4008000102"
to = "bot:gone"
[[numbers]]
number = "4008000103"
to = "bot:restless"
"""


class Site:
    """A centre with bots in its configuration."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, bot: Work, config: str = CONFIG
    ) -> None:
        self.wires: list[Wire] = []
        self.asked: list[Asked] = []
        monkeypatch.setattr("sipcc.ivr.bots.links.connect", dialler(bot, self.wires, self.asked))
        self.centre = Centre(folder, config=config + BOTS)

    def told(self, *kinds: str) -> list[str]:
        return [type(event).__name__ for event in self.centre.events if type(event).__name__ in kinds]

    async def __aenter__(self) -> Centre:
        return await self.centre.__aenter__()

    async def __aexit__(self, *exc: object) -> None:
        await self.centre.__aexit__(*exc)
        await asyncio.gather(*(wire.work for wire in self.wires))


async def test_an_agent_knows_what_the_bot_found_out_before_its_phone_rings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def bot(wire: Wire) -> None:
        started = await wire.hears(Started)
        assert isinstance(started, Started)
        assert started.facts.parameters == {"from": "13800138000", "to": "4008000101", "tone": "calm"}
        wire.extends(type="queue", queue="sales", transcript="asks for a refund", context={"order": "12"})
        await wire.until_stopped()

    site = Site(tmp_path, monkeypatch, bot)
    async with site as centre:
        await centre.phone("1001", Answer(after=1.0))
        caller = await centre.carrier.call("4008000101")
        await caller.hears(AGENT_HZ["1001"], timeout=10)
        await caller.hangup()
    assert site.asked == [("ws://bot.example.com/talk", [], {"Authorization": "Bearer abc"})]
    [given] = centre.told("ContextGiven")
    assert isinstance(given, ContextGiven)
    assert given.queue == "sales"
    assert given.context == {"order": "12", "transcript": "asks for a refund"}
    assert site.told("BotLeft", "ContextGiven", "OfferMade") == ["BotLeft", "ContextGiven", "OfferMade"]


async def test_the_phone_that_rings_is_told_what_the_bot_found_out_where_that_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def bot(wire: Wire) -> None:
        await wire.hears(Started)
        wire.extends(type="queue", queue="sales", transcript="x" * 200, context={"order": "12"})
        await wire.until_stopped()

    settings = '[calls]\nagent_context = 100\nagent_context_url = "https://crm.example.com/{{call}}"\n'
    async with Site(tmp_path, monkeypatch, bot, CONFIG + settings) as centre:
        phone = await centre.phone("1001", Answer(after=1.0))
        caller = await centre.carrier.call("4008000101")
        await caller.hears(AGENT_HZ["1001"], timeout=10)
        await caller.hangup()
    [invite] = phone.seen("INVITE", "in")
    [joined] = centre.told("BotJoined")
    assert isinstance(joined, BotJoined)
    known = b'{"order":"12"}'.hex()
    assert f"User-To-User: {known};encoding=hex".encode() in invite.data
    assert f"Call-Info: <https://crm.example.com/{joined.call}>;purpose=info".encode() in invite.data


@pytest.mark.parametrize("number", ["4008000101", "4008000102"])
async def test_a_bot_that_dies_or_is_not_there_loses_its_caller_to_the_fallback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    async def bot(wire: Wire) -> None:
        await wire.hears(Started)
        wire.leaves(lost=True)

    site = Site(tmp_path, monkeypatch, bot)
    async with site as centre:
        await centre.phone("1003", Answer(after=0.1))
        caller = await centre.carrier.call(number)
        await caller.hears(AGENT_HZ["1003"], timeout=3)
        await caller.hangup()
    [left] = centre.told("BotLeft")
    assert isinstance(left, BotLeft)
    assert left.ended_by == ("lost" if number.endswith("1") else "unreachable")
    assert len(site.asked[0][1]) == (0 if number.endswith("1") else 2)
    whys = [event.why for event in centre.events if isinstance(event, Decision)]
    assert left.ended_by in whys


async def test_a_bot_that_leaves_goes_where_the_settings_say_and_one_that_stays_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def bot(wire: Wire) -> None:
        await wire.hears(Started)
        if len(site.wires) == 1:
            wire.extends(type="note", transcript="nothing to do")
            wire.leaves()
        elif len(site.wires) == 2:
            wire.extends(type="note", transcript="no idea")
            wire.extends(type="transfer", to="menu:of no such name")
            await wire.until_stopped()
        else:
            await wire.until_stopped()  # it never leaves

    site = Site(tmp_path, monkeypatch, bot)
    async with site as centre:
        await centre.phone("1003", Answer(after=0.1))
        caller = await centre.carrier.call("4008000101")
        await caller.hears(WELCOME_HZ)
        await caller.hangup()
        for patience in (3, 25):
            caller = await centre.carrier.call("4008000101")
            await caller.hears(AGENT_HZ["1003"], timeout=patience)
            await caller.hangup()
            await asyncio.sleep(10)
    lefts = [event for event in centre.events if isinstance(event, BotLeft)]
    assert [(event.ended_by, event.to) for event in lefts] == [
        ("program", ""),
        ("program", "menu:of no such name"),
        ("lost", ""),
    ]
    assert lefts[2].seconds == 20.0
    given = [event for event in centre.events if isinstance(event, ContextGiven)]
    assert [(event.queue, event.context) for event in given] == [
        ("", {"transcript": "nothing to do"}),
        ("", {"transcript": "no idea"}),  # for the menu that there is not,
        ("help", {"transcript": "no idea"}),  # and for where the call really went
    ]


@pytest.mark.parametrize("to", ["dial:nobody", "dial:1002", "queue:nosuch", "rubbish"])
async def test_who_is_not_there_or_declines_leaves_the_caller_with_the_fallback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    async def bot(wire: Wire) -> None:
        await wire.hears(Started)
        wire.extends(type="transfer", to=to, context={"order": "12"})
        await wire.until_stopped()

    site = Site(tmp_path, monkeypatch, bot)
    async with site as centre:
        await centre.phone("1002", Decline(603, after=0.5))
        await centre.phone("1003", Answer(after=0.1))
        caller = await centre.carrier.call("4008000101")
        await caller.hears(AGENT_HZ["1003"], timeout=5)
        await caller.hangup()
    queues = [event.queue for event in centre.events if isinstance(event, ContextGiven)]
    assert queues[-1] == "help"
    assert set(queues) <= {"", "help"}
    whats = [event.what for event in centre.events if isinstance(event, Decision)]
    assert "bot helper: queue:help" in whats


async def test_bots_that_send_a_call_in_a_circle_lose_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def bot(wire: Wire) -> None:
        await wire.hears(Started)
        wire.extends(type="transfer", to="bot:restless", now=True)
        await wire.until_stopped()

    site = Site(tmp_path, monkeypatch, bot)
    async with site as centre:
        caller = await centre.carrier.call("4008000103")
        await caller.hears(WELCOME_HZ)
        await caller.hangup()
    assert len(site.wires) == MAX_HANDED_ON


@pytest.mark.parametrize("how", ["leaves", "dies", "is left"])
async def test_a_conversation_that_is_over_leaves_no_ring_of_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    async def bot(wire: Wire) -> None:
        await wire.hears(Started)
        wire.says(wire.bot.speak(mulaw(BOT_HZ, 1.0)), wire.bot.mark("m"))
        await wire.hears(Marked)
        wire.says(wire.bot.speak(mulaw(BOT_HZ, 1.0)), wire.bot.mark("n"))
        if how != "is left":
            wire.leaves(lost=how == "dies")
        else:
            await wire.until_stopped()

    site = Site(tmp_path, monkeypatch, bot)
    async with site as centre:
        await centre.phone("1003", Answer(after=0.1))
        with no_collector() as garbage:
            for _ in range(3):
                caller = await centre.carrier.call("4008000101")
                await asyncio.sleep(1.5 if how == "is left" else 4)
                await caller.hangup()
                await asyncio.sleep(10)
            site.wires.clear()
            await asyncio.sleep(40)
    assert not garbage
