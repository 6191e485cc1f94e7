"""The examples that are a switch: each is started, called and listened to."""

import asyncio
from pathlib import Path

import pytest
from tests.examples.stage import (
    AGENT_HZ,
    CALLER_HZ,
    CONFIG,
    EXAMPLES,
    PROMPT_HZ,
    Stage,
    load_example,
    write_world,
)

from sipcc.acd.events import QueueLeft
from sipcc.call.events import DigitsCollected
from sipcc.config import load
from sipcc.ivr.events import MenuLeft
from sipcc.switch import Switch
from sipcc.testing.audio import assert_tone, read_stereo
from sipcc.testing.phone import Decline


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_world(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("key", "queue"), [("1", "sales"), ("5", "helpdesk"), ("", "helpdesk")])
async def test_01_menu_to_queue(key: str, queue: str) -> None:
    async with Stage(load_example("01_menu_to_queue").app) as stage:
        bob = await stage.phone("1002")
        caller = await stage.carrier.call("4008001234")
        await caller.answered()
        await caller.hears(PROMPT_HZ["welcome"])
        if key:
            await caller.press(key)
        talk = await bob.next_call()
        await talk.answered()
        await talk.hears(CALLER_HZ)
        await caller.hears(AGENT_HZ["1002"])
        await caller.hangup()
        await asyncio.sleep(1)
        assert [(e.queue, e.exit) for e in stage.told("QueueLeft") if isinstance(e, QueueLeft)] == [
            (queue, "answered")
        ]


async def test_02_answer_and_echo() -> None:
    async with Stage(load_example("02_answer_and_echo").app) as stage:
        caller = await (await stage.phone("1001")).call("602")
        await caller.answered()
        await caller.hears(PROMPT_HZ["welcome"])
        await caller.hears(AGENT_HZ["1001"])
        await caller.hangup()


@pytest.mark.parametrize(("number", "keys"), [("603", "1207#"), ("604", "1207#")])
async def test_03_ask_and_say(number: str, keys: str) -> None:
    async with Stage(load_example("03_ask_and_say").app) as stage:
        caller = await stage.carrier.call(number)
        await caller.answered()
        await caller.hears(PROMPT_HZ["enter_number"])
        await caller.press(keys)
        await caller.hears(PROMPT_HZ["thank_you"], timeout=30)
        assert await caller.ended() == "peer"
        [collected] = stage.told("DigitsCollected")
        assert isinstance(collected, DigitsCollected)
        assert collected.digits == "1207"
        assert sum(stage.switch.prompts.misses.values()) == 0


async def test_03_a_silent_caller_is_let_go() -> None:
    async with Stage(load_example("03_ask_and_say").app) as stage:
        caller = await stage.carrier.call("603")
        await caller.answered()
        assert await caller.ended(timeout=30) == "peer"


async def test_04_bridge_and_record(world: Path) -> None:
    async with Stage(load_example("04_bridge_and_record").app) as stage:
        alice = await stage.phone("1001")
        caller = await stage.carrier.call("605")
        await caller.answered()
        await caller.hears(PROMPT_HZ["record_notice"])
        await caller.hears(PROMPT_HZ["hold"])
        talk = await alice.next_call()
        await talk.answered()
        await talk.hears(CALLER_HZ)
        await asyncio.sleep(3)
        await talk.hangup()
        await caller.hears(PROMPT_HZ["thank_you"])
        assert await caller.ended() == "peer"
    left, right, rate_hz = read_stereo(next((world / "recordings").glob("*.wav")))
    assert_tone(left[rate_hz : 2 * rate_hz], CALLER_HZ)
    assert_tone(right[rate_hz : 2 * rate_hz], AGENT_HZ["1001"])


@pytest.mark.parametrize("there", [True, False])
async def test_04_nobody_takes_the_call(there: bool) -> None:
    async with Stage(load_example("04_bridge_and_record").app) as stage:
        if there:
            alice = await stage.phone("1001")
            alice.behaviours = [Decline(486)]
        caller = await stage.carrier.call("605")
        assert await caller.ended(timeout=30) == "peer"
        assert stage.told("BridgeStarted") == []


async def test_05_custom_strategy(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # what installing a package with that entry point leaves behind
    package = world / "site"
    (package / "most_skilled-1.0.dist-info").mkdir(parents=True)
    (package / "most_skilled-1.0.dist-info" / "METADATA").write_text("Name: most-skilled\nVersion: 1.0\n")
    (package / "most_skilled-1.0.dist-info" / "entry_points.txt").write_text(
        "[sipcc.strategies]\nmost-skilled = most_skilled:MostSkilled\n"
    )
    (package / "most_skilled.py").write_text((EXAMPLES / "05_custom_strategy.py").read_text())
    monkeypatch.syspath_prepend(str(package))
    queue = '[[queues]]\nname = "sales"\n'
    text = CONFIG.replace(queue, f'{queue}strategy = "most-skilled"\n')
    text += '[[numbers]]\nnumber = "606"\nto = "queue:sales"\n'
    (world / "sipcc.toml").write_text(text)
    async with Stage(Switch.from_toml("sipcc.toml")) as stage:
        await stage.phone("1001")
        bob = await stage.phone("1002")
        caller = await stage.carrier.call("606")
        talk = await bob.next_call()
        await talk.answered()
        await caller.hangup()


@pytest.mark.parametrize("keys", ["2025#1"])
async def test_09_read_back_by_keys_typed_ahead(keys: str) -> None:
    example = load_example("09_read_back")
    app = Switch.from_toml("sipcc.toml")
    app.route("4008123456")(example.order)
    async with Stage(app) as stage:
        caller = await stage.carrier.call("4008123456")
        await caller.answered()
        await caller.press(keys)
        await caller.hears(PROMPT_HZ["thank_you"])
        assert await caller.ended() == "peer"


async def test_10_two_languages(world: Path) -> None:
    text = (EXAMPLES / "10_two_languages.toml").read_text()
    (world / "sipcc.toml").write_text(text + '\n[[trunks]]\nname = "carrier"\naddresses = ["127.0.0.2"]\n')
    config = load(world / "sipcc.toml", {"SIPCC_1001": "correct-horse-1001"})
    async with Stage(Switch(config)) as stage:
        caller = await stage.carrier.call("4008123456")
        await caller.answered()
        await caller.press("21")  # Chinese, sales
        await asyncio.sleep(1)
        lefts = [event for event in stage.told("MenuLeft") if isinstance(event, MenuLeft)]
        assert [left.destination for left in lefts] == ["menu:chinese", "queue:sales"]
        await caller.hears(PROMPT_HZ["hold"])
        await caller.hangup()


def test_the_example_of_a_whole_configuration_is_good() -> None:
    assert load(EXAMPLES / "sipcc.toml", {}).numbers


def orders(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().out.splitlines() if "[" not in line]  # but for the log


async def test_14_hold_and_transfer(capsys: pytest.CaptureFixture[str]) -> None:
    async with Stage(load_example("14_transfer_and_hold").app) as stage:
        alice, bob = await stage.phone("1001"), await stage.phone("1002")
        caller = await stage.carrier.call("614")
        talk = await alice.next_call()
        await talk.hears(CALLER_HZ)
        for command in ("hold", "resume", "say Back in a minute."):
            await talk.send("MESSAGE", body=command.encode(), content_type="text/plain")
            await asyncio.sleep(1)
            if command == "hold":
                await talk.hears(PROMPT_HZ["hold"])
                await caller.hears(PROMPT_HZ["hold"])
        await caller.hears(AGENT_HZ["1001"])
        assert [request.body for request in caller.requests] == [b"Back in a minute."]
        await talk.send("MESSAGE", body=b"transfer 1002", content_type="text/plain")
        other = await bob.next_call()
        await other.hears(CALLER_HZ)
        await caller.hears(AGENT_HZ["1002"])
        assert await talk.ended() == "peer"
        await other.hangup()
        await caller.hears(PROMPT_HZ["thank_you"])
        await caller.ended()
    assert orders(capsys) == [
        "hold: True",
        "resume: True",
        "say: 200",
        "the talk is over: transferred",
        "transfer: 200",
    ]


@pytest.mark.parametrize("knows", [True, False])
async def test_14_refer(capsys: pytest.CaptureFixture[str], knows: bool) -> None:
    async with Stage(load_example("14_transfer_and_hold").app) as stage:
        alice, bob = await stage.phone("1001"), await stage.phone("1002")
        if knows:
            stage.carrier.endpoint.outbound.allow_also("REFER")
        caller = await stage.carrier.call("614")
        caller.takes = lambda inbound: inbound.reply(202)
        talk = await alice.next_call()
        await talk.hears(CALLER_HZ)
        await talk.send("MESSAGE", body=b"refer 1002", content_type="text/plain")
        if knows:
            await asyncio.sleep(1)
            notify = [("Event", "refer"), ("Subscription-State", "terminated;reason=noresource")]
            body, kind = b"SIP/2.0 200 OK\r\n", "message/sipfrag"
            assert await caller.send("NOTIFY", headers=notify, body=body, content_type=kind) == 200
        else:
            other = await bob.next_call()
            await caller.hears(AGENT_HZ["1002"])
            await other.hangup()
        await caller.ended()
        await talk.ended()
    assert "refer: 200" in orders(capsys)


async def test_14_nobody_answers() -> None:
    async with Stage(load_example("14_transfer_and_hold").app) as stage:
        caller = await stage.carrier.call("614")
        assert await caller.ended() == "rejected"
        assert caller.status == 302
