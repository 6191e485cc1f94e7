"""Webhook applications on real calls: prompts are heard, keys come over RTP, and a dead one loses nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, CONFIG, MUSIC_HZ, WELCOME_HZ, Centre
from tests.unit.ivr.hooks.webapp import App

from sipcc.call.events import Decision
from sipcc.ivr.fetch import Fetched, FetchError, FetchRequest
from sipcc.ivr.fetchguard import Guard
from sipcc.testing.audio import level_dbfs, tone, write_wav
from sipcc.testing.phone import Answer, Decline

LINE = "4008000200"
ONE_HZ = 500.0

WEBAPP = """
[[webapps]]
name = "bank"
url = "http://app.example.com/start"
kind = "{kind}"
status_url = "http://app.example.com/status"
fallback = "queue:sales"
[[numbers]]
number = "4008000200"
to = "webapp:bank"
"""


class Net(App):
    """The application as the only server of the network; some of its places never answer."""

    def __init__(self, answers: Mapping[str, Any], *, slow: str = "") -> None:
        super().__init__({"/status": "", **answers})
        self._slow = slow
        self.guard = Guard()
        self.allowed: list[str] = []

    def allow(self, url: str) -> None:
        self.allowed.append(url)

    def session(self) -> Net:
        return self

    async def fetch(self, request: FetchRequest) -> Fetched:
        if self._slow and request.target.endswith(self._slow):
            assert request.timeout is not None
            await asyncio.sleep(request.timeout)
            raise FetchError(request.target, "timeout", "nothing came")
        return await super().fetch(request)


@asynccontextmanager
async def centre_with(
    folder: Path, net: Net, *, kind: str = "jambonz", more: str = ""
) -> AsyncIterator[Centre]:
    async with Centre(folder, config=CONFIG, extra=WEBAPP.format(kind=kind) + more) as centre:
        centre.switch.fetching.of = lambda settings: net  # type: ignore
        yield centre


GATHER = {"verb": "gather", "numDigits": 2, "actionHook": "/got", "play": {"url": "prompt:welcome"}}


async def test_a_jambonz_application_hears_keys_and_sends_the_caller_to_a_queue(tmp_path: Path) -> None:
    left = [{"verb": "enqueue", "name": "sales", "actionHook": "/left"}]
    net = Net({"/start": [GATHER], "/got": left, "/left": [{"verb": "hangup"}]})
    async with centre_with(tmp_path, net) as centre:
        phone = await centre.phone("1001")
        caller = await centre.carrier.call(LINE)
        await caller.hears(WELCOME_HZ)
        await caller.press("42")
        await caller.hears(MUSIC_HZ)
        await caller.hears(AGENT_HZ["1001"])
        await (await phone.next_call()).hangup()
        await caller.ended()
    assert net.told("/got")["digits"] == "42"
    assert net.told("/left")["queue_result"] == "bridged"
    assert [sent["call_status"] for path, sent in net.asked if path == "/status"] == [
        "in-progress",
        "completed",
    ]


async def test_a_twiml_application_dials_a_user(tmp_path: Path) -> None:
    net = Net(
        {
            "/start": "<Response><Gather numDigits='1' action='/got'><Play>prompt:welcome</Play></Gather>"
            "</Response>",
            "/got": "<Response><Dial action='/over'><Client>1002</Client></Dial></Response>",
            "/over": "<Response><Play>prompt:one</Play></Response>",
        }
    )
    async with centre_with(tmp_path, net, kind="twiml") as centre:
        write_wav(tmp_path / "prompts" / "one.wav", tone(ONE_HZ, 1.0))
        phone = await centre.phone("1002")
        caller = await centre.carrier.call(LINE)
        await caller.hears(WELCOME_HZ)
        await caller.press("1")
        await caller.hears(AGENT_HZ["1002"])
        rung = await phone.next_call()
        await rung.hears(CALLER_HZ)
        await rung.hangup()
        await caller.hears(ONE_HZ)
        await caller.ended()
    assert net.told("/got")["Digits"] == "1"
    assert net.told("/over")["DialCallStatus"] == "completed"


async def test_a_slow_hook_leads_to_the_fallback_after_three_seconds(tmp_path: Path) -> None:
    net = Net({"/start": [GATHER]}, slow="/got")
    async with centre_with(tmp_path, net) as centre:
        caller = await centre.carrier.call(LINE)
        await caller.hears(WELCOME_HZ)
        began = centre.switch.clock.now()
        await caller.press("42")
        await caller.hears(MUSIC_HZ)
        waited = centre.switch.clock.now() - began
        await caller.hangup()
    assert 3.0 <= waited < 5.0
    (decided,) = [event for event in centre.events if isinstance(event, Decision) and "webapp" in event.what]
    assert decided.what == "webapp bank: queue:sales"
    assert decided.why.startswith("slow:")


async def test_what_a_caller_hears_in_the_queue_is_asked_for_again_and_again(tmp_path: Path) -> None:
    queue = [{"verb": "enqueue", "name": "sales", "waitHook": "/wait", "actionHook": "/left"}]
    net = Net(
        {"/start": queue, "/wait": [{"verb": "play", "url": "prompt:one"}], "/left": [{"verb": "hangup"}]}
    )
    async with centre_with(tmp_path, net) as centre:
        write_wav(tmp_path / "prompts" / "one.wav", tone(ONE_HZ, 1.0))
        phone = await centre.phone("1001", Answer(after=4.0))
        caller = await centre.carrier.call(LINE)
        await caller.hears(ONE_HZ)
        await asyncio.sleep(2.0)
        await caller.hears(ONE_HZ)
        await caller.hears(AGENT_HZ["1001"])
        await (await phone.next_call()).hangup()
        await caller.ended()
    asked = [sent for path, sent in net.asked if path == "/wait"]
    assert 3 <= len(asked) <= 5
    assert asked[0]["queue_position"] == 0
    assert asked[0]["queue_sid"] == "queue:sipcc:sales"
    assert asked[-1]["queue_time"] >= 2
    assert net.told("/left")["queue_result"] == "bridged"


async def test_an_application_takes_its_caller_out_of_the_queue_again(tmp_path: Path) -> None:
    net = Net(
        {
            "/start": "<Response><Enqueue waitUrl='/wait' action='/left'>sales</Enqueue></Response>",
            "/wait": "<Response><Gather numDigits='1' action='/key'><Play>prompt:one</Play></Gather>"
            "</Response>",
            "/key": "<Response><Leave/></Response>",
            "/left": "<Response><Play>prompt:welcome</Play></Response>",
        }
    )
    async with centre_with(tmp_path, net, kind="twiml") as centre:
        write_wav(tmp_path / "prompts" / "one.wav", tone(ONE_HZ, 1.0))
        caller = await centre.carrier.call(LINE)
        await caller.hears(ONE_HZ)
        await caller.press("7")
        await caller.hears(WELCOME_HZ)
        await caller.ended()
    assert net.told("/wait")["QueuePosition"] == "1"
    assert net.told("/key")["Digits"] == "7"
    assert net.told("/left")["QueueResult"] == "leave"


async def test_a_wait_hook_that_fails_leaves_the_caller_to_the_music(tmp_path: Path) -> None:
    queue = [{"verb": "enqueue", "name": "sales", "waitHook": "/wait"}]
    net = Net({"/start": queue, "/wait": [{"verb": "dial", "target": [{"type": "user", "name": "1002"}]}]})
    async with centre_with(tmp_path, net) as centre:
        caller = await centre.carrier.call(LINE)
        await caller.hears(MUSIC_HZ)
        await caller.hangup()


async def test_while_a_hook_takes_its_time_the_caller_hears_something(tmp_path: Path) -> None:
    delay = {
        "noResponseTimeout": 1,
        "noResponseGiveUpTimeout": 6,
        "actions": [{"play": {"url": "prompt:one"}}],
        "giveUpActions": [{"play": {"url": "prompt:welcome"}}],
    }
    gather = GATHER | {"actionHookDelayAction": delay}
    net = Net({"/start": [gather]}, slow="/got")
    async with centre_with(tmp_path, net) as centre:
        write_wav(tmp_path / "prompts" / "one.wav", tone(ONE_HZ, 1.0))
        caller = await centre.carrier.call(LINE)
        await caller.hears(WELCOME_HZ)
        await caller.press("42")
        await caller.hears(ONE_HZ)
        await caller.hears(WELCOME_HZ, 8.0)
        await caller.ended()
    assert not [event for event in centre.events if isinstance(event, Decision) and "webapp" in event.what]


async def test_a_message_is_recorded_and_told_of(tmp_path: Path) -> None:
    net = Net(
        {
            "/start": "<Response><Record action='/voice' maxLength='3'/></Response>",
            "/voice": "<Response><Hangup/></Response>",
        }
    )
    async with centre_with(tmp_path, net, kind="twiml") as centre:
        caller = await centre.carrier.call(LINE)
        await caller.answered()
        await caller.ended()
    told = net.told("/voice")
    assert (told["Digits"], told["RecordingDuration"]) == ("", "3")
    assert told["RecordingSid"]


TWO = """
[[webapps]]
name = "desk"
url = "http://app.example.com/desk"
fallback = "hangup"
[[numbers]]
number = "4008000201"
to = "webapp:desk"
"""


async def test_a_call_takes_the_first_caller_out_of_the_line(tmp_path: Path) -> None:
    net = Net(
        {
            "/start": [{"verb": "enqueue", "name": "sales", "actionHook": "/left"}],
            "/left": [{"verb": "hangup"}],
            "/desk": [{"verb": "dequeue", "name": "sales", "timeout": 5, "actionHook": "/taken"}],
            "/taken": [{"verb": "play", "url": "prompt:welcome"}],
        }
    )
    async with centre_with(tmp_path, net, more=TWO) as centre:
        caller = await centre.carrier.call(LINE)
        await caller.hears(MUSIC_HZ)
        other = await centre.carrier.call("4008000201", caller="13900139000", tone_hz=1500.0)
        await caller.hears(1500.0)
        await other.hears(CALLER_HZ)
        await caller.hangup()
        await other.hears(WELCOME_HZ)
        await other.ended()
    assert net.told("/taken")["dequeue_result"] == "complete"


async def test_whoever_was_taken_out_of_the_line_goes_on_when_the_other_leaves(tmp_path: Path) -> None:
    net = Net(
        {
            "/start": [{"verb": "enqueue", "name": "sales", "actionHook": "/left"}],
            "/left": [{"verb": "play", "url": "prompt:welcome"}],
            "/desk": [{"verb": "dequeue", "name": "sales"}],
        }
    )
    async with centre_with(tmp_path, net, more=TWO) as centre:
        other = await centre.carrier.call("4008000201", caller="13900139000", tone_hz=1500.0)
        await other.answered()
        caller = await centre.carrier.call(LINE)
        await caller.hears(1500.0)
        await other.hangup()
        await caller.hears(WELCOME_HZ)
        await caller.ended()
    assert net.told("/left")["queue_result"] == "bridged"


async def test_nobody_in_the_line_is_told_of(tmp_path: Path) -> None:
    net = Net(
        {
            "/start": "<Response><Dial timeout='2' action='/none'><Queue>sales</Queue></Dial></Response>",
            "/none": "<Response><Play>prompt:welcome</Play></Response>",
        }
    )
    async with centre_with(tmp_path, net, kind="twiml") as centre:
        caller = await centre.carrier.call(LINE)
        await caller.hears(WELCOME_HZ)
        await caller.ended()
    assert net.told("/none")["DialCallStatus"] == "no-answer"


async def test_a_conference_ends_after_its_time(tmp_path: Path) -> None:
    room = {"verb": "room", "name": "team", "endConferenceDuration": 3, "actionHook": "/over"}
    net = Net({"/start": [room], "/over": [{"verb": "play", "url": "prompt:welcome"}]})
    async with centre_with(tmp_path, net) as centre:
        caller = await centre.carrier.call(LINE)
        await caller.hears(WELCOME_HZ)
        await caller.ended()
    assert "/over" in net.paths


async def test_a_stream_to_an_address_inside_is_refused(tmp_path: Path) -> None:
    net = Net({"/start": [{"verb": "listen", "url": "ws://10.1.2.3/audio"}]})
    async with centre_with(tmp_path, net) as centre:
        caller = await centre.carrier.call(LINE)
        await caller.hears(MUSIC_HZ)
        await caller.hangup()
    (decided,) = [event for event in centre.events if isinstance(event, Decision) and "webapp" in event.what]
    assert decided.why.startswith("refused:")


@pytest.mark.parametrize(
    "verb",
    [
        {"verb": "play", "url": "http://169.254.169.254/x.wav"},
        {**GATHER, "play": {"url": "http://10.1.2.3/x.wav"}},
        {"verb": "dial", "target": [{"type": "user", "name": "1002"}], "dialMusic": "http://[::1]/x.wav"},
    ],
)
async def test_a_sound_at_an_address_inside_is_refused(tmp_path: Path, verb: dict[str, Any]) -> None:
    net = Net({"/start": [verb]})
    async with centre_with(tmp_path, net) as centre:
        caller = await centre.carrier.call(LINE)
        await caller.hears(MUSIC_HZ)
        await caller.hangup()
    (decided,) = [event for event in centre.events if isinstance(event, Decision) and "webapp" in event.what]
    assert decided.why.startswith("refused:")


async def test_a_sound_that_cannot_be_had_is_left_out(tmp_path: Path) -> None:
    verbs = [{"verb": "play", "url": url} for url in ("/gone.wav", "prompt:welcome")]
    net = Net({"/start": verbs})
    async with centre_with(tmp_path, net) as centre:
        caller = await centre.carrier.call(LINE)
        await caller.hears(WELCOME_HZ)
        await caller.hangup()


async def test_dialling_somebody_who_is_busy_is_told_of(tmp_path: Path) -> None:
    dial = {"verb": "dial", "target": [{"type": "user", "name": "1002"}], "actionHook": "/over"}
    net = Net({"/start": [dial], "/over": [{"verb": "play", "url": "prompt:welcome"}]})
    async with centre_with(tmp_path, net) as centre:
        await centre.phone("1002", Decline(486))
        caller = await centre.carrier.call(LINE)
        await caller.hears(WELCOME_HZ)
        await caller.ended()
    told = net.told("/over")
    assert (told["dial_call_status"], told["dial_sip_status"]) == ("busy", 486)


async def test_a_text_is_read_to_the_caller(tmp_path: Path) -> None:
    text = "<speak>one<break time='300ms'/>two three four five</speak>"
    net = Net({"/start": [{"verb": "say", "text": text}]})
    async with centre_with(tmp_path, net) as centre:
        caller = await centre.carrier.call(LINE)
        await caller.ended(30.0)
        heard = caller.heard(30.0)
    assert len(heard) > 8000
    assert level_dbfs(heard) > -40


async def test_a_queue_that_is_not_there_leads_to_the_fallback(tmp_path: Path) -> None:
    net = Net({"/start": [{"verb": "enqueue", "name": "nowhere"}]})
    async with centre_with(tmp_path, net) as centre:
        caller = await centre.carrier.call(LINE)
        await caller.hears(MUSIC_HZ)
        await caller.hangup()
    (decided,) = [event for event in centre.events if isinstance(event, Decision) and "webapp" in event.what]
    assert decided.why.startswith("unreadable: $[0].name: ")
    assert "nowhere" in decided.why


async def test_a_caller_is_sent_keys(tmp_path: Path) -> None:
    net = Net({"/start": "<Response><Play digits='1w#'/><Play>prompt:welcome</Play></Response>"})
    async with centre_with(tmp_path, net, kind="twiml") as centre:
        caller = await centre.carrier.call(LINE)
        await caller.hears(WELCOME_HZ)
        assert caller.media.digits == "1#"
        await caller.ended()


async def test_a_caller_who_goes_while_a_hook_takes_its_time_is_gone_at_once(tmp_path: Path) -> None:
    net = Net({"/start": [GATHER]}, slow="/got")
    async with centre_with(tmp_path, net) as centre:
        caller = await centre.carrier.call(LINE)
        await caller.hears(WELCOME_HZ)
        await caller.press("42")
        await asyncio.sleep(0.5)
        await caller.hangup()
        await asyncio.sleep(0.5)
        assert not list(centre.switch.live_apps)
        assert net.told("/status")["call_status"] == "completed"
        await asyncio.sleep(5.0)
    assert not [event for event in centre.events if isinstance(event, Decision) and "webapp" in event.what]


async def test_a_call_that_went_to_the_fallback_takes_no_orders_for_its_application(tmp_path: Path) -> None:
    net = Net({"/start": [GATHER]}, slow="/got")
    async with centre_with(tmp_path, net) as centre:
        caller = await centre.carrier.call(LINE)
        await caller.hears(WELCOME_HZ)
        assert len(list(centre.switch.live_apps)) == 1
        await caller.press("42")
        await caller.hears(MUSIC_HZ, 8.0)
        assert not list(centre.switch.live_apps)
        await caller.hangup()


async def test_what_is_heard_in_a_queue_leaves_the_place_of_the_program_as_it_was(tmp_path: Path) -> None:
    net = Net(
        {
            "/start": "<Response><Redirect>/deep/menu</Redirect></Response>",
            "/deep/menu": "<Response><Enqueue waitUrl='/wait/one' action='left'>sales</Enqueue></Response>",
            "/wait/one": "<Response><Redirect>two</Redirect></Response>",
            "/wait/two": "<Response><Play>prompt:one</Play><Leave/></Response>",
            "/deep/left": "<Response><Play>prompt:welcome</Play></Response>",
        }
    )
    async with centre_with(tmp_path, net, kind="twiml") as centre:
        write_wav(tmp_path / "prompts" / "one.wav", tone(ONE_HZ, 1.0))
        caller = await centre.carrier.call(LINE)
        await caller.hears(ONE_HZ)
        await caller.hears(WELCOME_HZ)
        await caller.ended()
    assert net.told("/deep/left")["QueueResult"] == "leave"
