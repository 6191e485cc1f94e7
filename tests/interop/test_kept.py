"""What agents and waiting callers are outlives kill -9 of the daemon's control process."""

from __future__ import annotations

import asyncio
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.interop.centre import MUSIC_HZ, PASSWORDS, WELCOME_HZ, Centre
from tests.interop.family import Family
from tests.interop.programs import ROOT, Program, free_port
from tests.interop.test_resume import AGENT_HZ, QUEUE, Talk

from sipcc.api import digest_of
from sipcc.testing.phone import Answer, FakePhone

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

EXTRA = """
[api]
listen = "127.0.0.1:{port}"

[[tokens]]
name = "desk"
role = "supervisor"
digest = "{digest}"

[[agents]]
name = "dora"
user = "1003"
queues = ["sales"]
wrap_up = 60

[[agents]]
name = "mobile"
uri = "carrier/13800138000"
start = "not_ready"
"""


class Watched(Talk):
    """The same with an agent who rests after calls, one with a mobile, and the HTTP interface."""

    def __init__(self, folder: Path) -> None:
        self.api_port = free_port()
        super().__init__(folder)
        self.centre.stop()
        config = folder / "sipcc.toml"
        config.write_text(config.read_text() + EXTRA.format(port=self.api_port, digest=digest_of("secret")))
        self.centre._run()
        self.family = Family(self.centre.config)
        self.phone = FakePhone(
            "1003",
            PASSWORDS["1003"],
            server=self.server,
            host="127.0.0.4",
            domain="127.0.0.1",
            tone_hz=AGENT_HZ,
            behaviour=Answer(after=0.1),
        )
        self._requests = count()
        self.http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.api_port}", headers={"Authorization": "Bearer secret"}
        )

    async def __aexit__(self, *exc: object) -> None:
        await self.http.aclose()
        await super().__aexit__(*exc)

    async def tell(self, command: str, **body: object) -> None:
        request = {"request_id": str(next(self._requests)), **body}
        answer = await self.http.post(f"/agents/{command}", json=request)
        assert answer.status_code == 200, answer.text

    async def agents(self) -> dict[str, dict[str, Any]]:
        """All agents, as soon as somebody answers."""
        while True:
            try:
                answer = await self.http.get("/agents")
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                return {row["name"]: row for row in answer.json()}


async def test_pauses_and_wrap_ups_are_what_they_were_within_five_seconds(tmp_path: Path) -> None:
    async with Watched(tmp_path) as talk:
        caller, agent = await talk.begin()
        await talk.tell("dora/pause", reason="training")
        await talk.tell("mobile/pause", reason="lunch")
        await agent.hangup()
        assert await caller.ended(timeout=5) == "peer"
        before = await talk.agents()
        assert (before["dora"]["state"], before["dora"]["pending"]) == ("wrap_up", "not_ready")
        assert (before["mobile"]["state"], before["mobile"]["reason"]) == ("not_ready", "lunch")
        for _ in range(2):
            killed_at = time.monotonic()
            await talk.kill_control()
            after = await talk.agents()
            assert time.monotonic() - killed_at < 5.0  # the promise of the row, not a measure
            for name in ("dora", "mobile"):
                for field in ("state", "reason", "pending", "queues"):
                    assert after[name][field] == before[name][field]
                assert after[name]["since"] == pytest.approx(before[name]["since"], abs=0.1)
            assert after["dora"]["deadline"] == pytest.approx(before["dora"]["deadline"], abs=0.1)
        await talk.tell("dora/end-wrap-up")
        assert ((await talk.agents())["dora"]["reason"]) == "training"


async def test_callers_keep_their_order_and_their_entries(tmp_path: Path) -> None:
    async with Talk(tmp_path) as talk:
        assert await talk.phone.unregister() == 200
        first = await talk.carrier.call(QUEUE)
        await first.answered()
        second = await talk.carrier.call(QUEUE)
        await second.answered()
        await asyncio.sleep(0.5)
        await talk.kill_control()
        assert await talk.phone.register() == 200
        for caller, other in ((first, second), (second, None)):
            agent = await talk.phone.next_call()
            await agent.answered()
            await caller.hears(AGENT_HZ)
            assert other is None or round(AGENT_HZ) not in other.tones(0.3)
            await agent.hangup()
            assert await caller.ended(timeout=5) == "peer"
        talk.centre.cdrs(2)
        assert talk.centre.exits() == ["answered", "answered"]


async def reload(talk: Talk, *changes: tuple[str, str]) -> None:
    """Let other words stand in the configuration, and take that over."""
    text = talk.centre.config.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    talk.centre.config.write_text(text)
    await asyncio.to_thread(talk.centre.ask, "reload")


async def test_a_caller_who_has_agreed_before_is_recorded_afterwards(tmp_path: Path) -> None:
    rules = 'record = true\n[queues.recording]\nprompt = "hello"\nkey = "1"\n'
    async with Talk(tmp_path) as talk:
        assert await talk.phone.unregister() == 200
        await reload(talk, ("record = true\n", rules))
        caller = await talk.carrier.call(QUEUE)
        await caller.answered()
        await caller.hears(WELCOME_HZ)
        await caller.hears_silence(timeout=8)
        await caller.press("1")
        await caller.hears(MUSIC_HZ)
        await talk.kill_control()
        assert await talk.phone.register() == 200
        agent = await talk.phone.next_call()
        await agent.answered()
        await talk.hear(caller, agent)
        await agent.hangup()
        assert await caller.ended(timeout=5) == "peer"
        [record] = talk.centre.cdrs(1)
        assert record["consent"]["outcome"] == "given"
        assert len(record["recordings"]) == 1


async def test_a_caller_of_a_renamed_queue_keeps_its_entry(tmp_path: Path) -> None:
    names = ('name = "sales"', 'name = "orders"\nwas = "sales"'), ('["sales"]', '["orders"]')
    async with Talk(tmp_path) as talk:
        assert await talk.phone.unregister() == 200
        caller = await talk.carrier.call(QUEUE)
        await caller.hears(MUSIC_HZ)
        await reload(talk, *names, ("queue:sales", "queue:orders"))
        await talk.kill_control()
        assert await talk.phone.register() == 200
        agent = await talk.phone.next_call()
        await agent.answered()
        await talk.hear(caller, agent)
        await agent.hangup()
        assert await caller.ended(timeout=5) == "peer"
        talk.centre.cdrs(1)
        assert talk.centre.exits() == ["answered"]


async def test_an_agent_rests_after_a_talk_that_outlived_the_process(tmp_path: Path) -> None:
    async with Watched(tmp_path) as talk:
        caller, agent = await talk.begin()
        await talk.kill_control()
        assert (await talk.agents())["dora"]["state"] == "talking"
        await talk.hear(caller, agent)
        await agent.hangup()
        assert await caller.ended(timeout=5) == "peer"
        assert (await talk.agents())["dora"]["state"] == "wrap_up"
        [record] = talk.centre.cdrs(1)
        assert record["cause"] == "normal"
        assert talk.centre.exits() == ["answered"]


async def test_a_pause_outlives_a_restart_of_the_whole_daemon(tmp_path: Path) -> None:
    async with Watched(tmp_path) as talk:
        await talk.tell("mobile/pause", reason="lunch")
        await asyncio.to_thread(talk.centre.restart)
        after = await talk.agents()
        assert (after["mobile"]["state"], after["mobile"]["reason"]) == ("not_ready", "lunch")


async def test_who_gave_up_is_listed_after_a_kill_and_after_a_restart(tmp_path: Path) -> None:
    async with Watched(tmp_path) as talk:
        assert await talk.phone.unregister() == 200
        await reload(talk, ("short_abandon = 0.2\n", "short_abandon = 0\nrecall_window = 86400\n"))
        caller = await talk.carrier.call(QUEUE, caller="13800138000")
        await caller.hears(MUSIC_HZ)
        await caller.hangup()
        await asyncio.sleep(0.5)
        [before] = (await talk.http.get("/recalls")).json()
        assert before["number"] == "13800138000"
        await talk.kill_control()
        await talk.agents()
        killed = (await talk.http.get("/recalls")).json()
        await asyncio.to_thread(talk.centre.restart)
        await talk.agents()
        restarted = (await talk.http.get("/recalls")).json()
        for [after] in (killed, restarted):
            for field in ("id", "number", "queue", "call", "calls", "closed"):
                assert after[field] == before[field]
            assert after["expires"] == pytest.approx(before["expires"], abs=0.1)


def test_a_second_daemon_of_the_same_files_does_not_start_and_takes_nothing_away(tmp_path: Path) -> None:
    centre = Centre(tmp_path)
    try:
        kept = {path.name: path.stat().st_ino for path in tmp_path.glob("sipccd.*") if path.is_file()}
        assert "sipccd.shelves" in kept
        second = Program(
            "second",
            [sys.executable, "-m", "sipcc.cli.main", "run", "--config", str(centre.config)],
            tmp_path,
            env={"PYTHONPATH": str(ROOT / "src")},
        )
        try:
            assert second.wait(30) != 0
        finally:
            second.end(1)
        assert "another sipccd answers" in second.output
        now = {path.name: path.stat().st_ino for path in tmp_path.glob("sipccd.*") if path.is_file()}
        assert now == kept
        assert "calls" in centre.ask("status")
    finally:
        centre.stop()
