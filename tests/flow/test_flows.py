"""Flows on a real switch: looked up, asked, sent on, reloaded and overridden, as callers meet it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from tests.flow.centre import Centre

from sipcc import plugins
from sipcc.errors import ConfigError
from sipcc.events import Event
from sipcc.ivr.events import NodeEntered, NodeLeft
from sipcc.ivr.flows.lookup import Asking
from sipcc.ivr.flows.program import FlowCall
from sipcc.testing.fakecall import FakeCall
from sipcc.testing.phone import Answer, Decline

NUMBER = "4008120018"
CARD = "6222020200112233"

BANK = """
[[numbers]]
number = "4008120018"
to = "flow:bank"

[[flows]]
name = "bank"
fallback = "queue:help"

[flows.nodes.card]
type = "gather"
prompt = "welcome"
digits = 16
secret = true
into = "card"
keys = { "*" = "queue:help" }
then = "verify"

[flows.nodes.verify]
type = "lookup"
source = "cards"
send = { card = "{card}", from = "{caller}" }
into = "account"
deadline = 2
when = [["account.level >= 3", "vip"], ["account.blocked", "hangup"]]
then = "what"
failed = "queue:help"

[flows.nodes.what]
type = "menu"
prompt = "welcome"
options = { "1" = "balance", "0" = "agent" }

[flows.nodes.balance]
type = "say"
prompt = [{ say = "money", value = "{account.balance}" }]
then = "what"

[flows.nodes.vip]
type = "queue"
queue = "sales"
priority = 9

[flows.nodes.agent]
type = "queue"
queue = "sales"
context = { level = "{account.level}" }
"""


class Bank(Centre):
    """A centre with flows, a lookup and whatever else a test needs before the start."""

    def __init__(self, folder: Path, extra: str = BANK) -> None:
        super().__init__(folder, extra=extra)
        self.asked: list[Asking] = []
        self.found: Mapping[str, object] | Exception | None = {"level": 1, "balance": "12.50"}
        """What a lookup finds; None for nothing, ever."""
        self.programs: dict[str, object] = {}

    async def cards(self, asking: Asking) -> Mapping[str, object]:
        self.asked.append(asking)
        if self.found is None:
            await asyncio.Event().wait()
        if isinstance(self.found, Exception):
            raise self.found
        assert self.found is not None
        return self.found

    async def __aenter__(self) -> Bank:
        from sipcc import Switch

        made = Switch.from_toml

        def with_programs(path: str | Path) -> Switch:
            switch = made(path)
            switch.lookup("cards")(self.cards)
            for name, program in self.programs.items():
                switch.flow(name, fallback="queue:help")(program)  # type: ignore[arg-type]
            return switch

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Switch, "from_toml", with_programs)
            await super().__aenter__()
        return self

    @property
    def way(self) -> list[str]:
        return [event.node for event in self.events if isinstance(event, NodeEntered)]

    async def call(self, *typed: str, number: str = NUMBER) -> FakeCall:
        caller = await self.carrier.call(number)
        await caller.answered()
        for keys in typed:
            await caller.press(keys, duration_ms=60, gap_ms=60)
            await asyncio.sleep(0.5)
        return caller

    async def until(self, kind: str, count: int = 1) -> Event:
        async with asyncio.timeout(60):
            while len(self.told(kind)) < count:  # noqa: ASYNC110  # the clock is a virtual one
                await asyncio.sleep(0.05)
        return self.told(kind)[-1]


def files_with(text: str, folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and text.encode() in file.read_bytes()]


async def test_a_caller_is_verified_hears_its_balance_and_reaches_an_agent(tmp_path: Path) -> None:
    async with Bank(tmp_path) as bank:
        await bank.phone("1001", Answer(after=0.2))
        caller = await bank.call(CARD + "#", "1")
        await asyncio.sleep(6)
        await caller.press("0")
        await bank.until("QueueLeft")
        assert bank.way == ["card", "verify", "what", "balance", "what", "agent"]
        assert dict(bank.asked[0].sent)["card"] == CARD
        await caller.hangup()
        left = [event for event in bank.events if isinstance(event, NodeLeft)]
        assert [event.edge for event in left][:5] == ["then", "then", "options.1", "then", "options.0"]
    told = json.dumps([str(event) for event in bank.events])
    assert CARD not in told
    assert files_with(CARD, tmp_path) == []
    assert CARD not in repr(bank.asked[0])


async def test_a_burst_of_keys_walks_through_a_flow_before_anything_is_heard(tmp_path: Path) -> None:
    async with Bank(tmp_path) as bank:
        caller = await bank.call(CARD + "0")
        await bank.until("QueueJoined")
        assert bank.way == ["card", "verify", "what", "agent"]
        await caller.hangup()


@pytest.mark.parametrize("found", [RuntimeError(CARD), None, {"level": 1, "echo": CARD}])
async def test_whatever_a_lookup_does_the_caller_goes_on_in_time(
    tmp_path: Path, found: object, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Bank(tmp_path) as bank:
        bank.found = found  # type: ignore[assignment]
        caller = await bank.call(CARD)
        left = [event for event in bank.events if isinstance(event, NodeLeft)]
        began = left[0].at
        await asyncio.sleep(3)
        verified = [event for event in bank.events if isinstance(event, NodeLeft)][1]
        assert verified.at - began <= 2.1
        assert verified.edge == ("then" if isinstance(found, dict) else "failed")
        await caller.hangup()
    assert CARD not in json.dumps([str(event) for event in bank.events]) + "".join(capsys.readouterr())
    assert files_with(CARD, tmp_path) == []


async def test_a_lookup_may_be_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def installed(asking: Asking) -> Mapping[str, object]:
        return {"level": 3}

    with monkeypatch.context() as patch:
        patch.setattr(plugins, "names", lambda group: ["crm"] if group == "sipcc.lookups" else [])
        patch.setattr(plugins, "load", lambda group, name: installed)
        async with Bank(tmp_path, BANK.replace('source = "cards"', 'source = "crm"')) as bank:
            caller = await bank.call(CARD)
            await bank.until("QueueJoined")
            assert bank.way == ["card", "verify", "vip"]
            await caller.hangup()


async def test_a_lookup_that_nobody_has_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no lookup 'crm'"):
        await Bank(tmp_path, BANK.replace('source = "cards"', 'source = "crm"')).__aenter__()


async def test_a_flow_in_python_goes_through_the_same_engine(tmp_path: Path) -> None:
    async def orders(call: FlowCall) -> str | None:
        number = await call.ask("welcome", digits=(4, 8), label="number")
        found = await call.lookup("cards", number=number)
        if found["level"] == 1:
            await call.enqueue("sales", priority=3)
        call.go("queue:help")

    extra = '\n[[numbers]]\nnumber = "4008120018"\nto = "app:orders"\n'
    bank = Bank(tmp_path, extra)
    bank.programs["orders"] = orders
    async with bank:
        caller = await bank.call("12345#")
        await bank.until("QueueJoined")
        assert bank.way == ["number", "lookup_2", "queue_3"]
        assert dict(bank.asked[0].sent) == {"number": "12345"}
        await caller.hangup()


async def test_calls_finish_on_the_version_with_which_they_came(tmp_path: Path) -> None:
    async with Bank(tmp_path) as bank:
        first = await bank.call(CARD)
        path = tmp_path / "sipcc.toml"
        old = path.read_text()
        path.write_text(old.replace('"0" = "agent"', '"0" = "vip", "9" = "agent"'))
        await bank.switch.reload()
        second = await bank.call(CARD)
        view = bank.switch.flow_desk.views()[0]
        assert len(view.live) == 2
        assert view.live[view.version] == 1
        path.write_text(old.replace('"verify"', '"verfy"'))
        with pytest.raises(ConfigError, match=r"sipcc.toml:\d+:\d+ bank.card.then: E02"):
            await bank.switch.reload()
        await first.press("0")
        await bank.until("QueueJoined", 1)
        assert bank.way[-1] == "agent"
        await second.press("0")
        await bank.until("QueueJoined", 2)
        assert bank.way[-1] == "vip"
        await first.hangup()
        await second.hangup()
        await asyncio.sleep(1)
        assert bank.switch.flow_desk.views()[0].live == {}


@pytest.mark.parametrize("to", ["dial:1002", "dial:1003"])  # who declines, and who is not registered
async def test_a_destination_that_fails_leaves_the_caller_with_the_fallback(tmp_path: Path, to: str) -> None:
    extra = BANK.replace("queue:help", "queue:sales").replace('"0" = "agent"', f'"0" = "agent", "9" = "{to}"')
    async with Bank(tmp_path, extra) as bank:
        await bank.phone("1002", Decline(603, after=0.5))
        caller = await bank.call(CARD, "9")
        await bank.until("QueueJoined")
        await caller.hangup()
        [fallen] = bank.told("FlowFellBack")
        assert msgspec.structs.asdict(fallen)["to"] == "queue:sales"
