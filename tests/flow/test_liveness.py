"""Phones of agents that are gone without a word: nobody is offered to them, and the trace says why."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, CONFIG, Centre

from sipcc.acd import AgentStateChanged, OfferMade
from sipcc.acd.model import Agent
from sipcc.testing.phone import Answer, Deaf, FakePhone

PERIOD = 30.0
QUEUE = "4008000006"


def agent(centre: Centre, name: str = "alice") -> Agent:
    return centre.switch.acd.floor.staff.get(name)


def config(**sip: object) -> str:
    more = "".join(f"{key} = {value}\n" for key, value in sip.items())
    return CONFIG.replace("domain = ", f"{more}domain = ", 1)


async def test_a_phone_that_died_is_found_out_within_the_period_and_costs_no_offer(tmp_path: Path) -> None:
    async with Centre(tmp_path) as centre:
        alice = await centre.phone("1001")
        await asyncio.sleep(7.0)
        await alice.vanish()
        died = asyncio.get_running_loop().time()
        await asyncio.sleep(PERIOD + 0.5)
        [*_, change] = [event for event in centre.events if isinstance(event, AgentStateChanged)]
        assert (change.agent, change.after, change.reason) == ("alice", "offline", "no_answer_to_probes")
        assert change.at - died <= PERIOD
        await centre.phone("1002")
        caller = await centre.carrier.call(QUEUE)
        await caller.hears(AGENT_HZ["1002"], timeout=10.0)
        offers = [event for event in centre.events if isinstance(event, OfferMade)]
        assert [offer.agent for offer in offers] == ["bob"]
        why = {verdict.agent: verdict.reason for verdict in centre.switch.acd.trace(offers[0].offer)}
        assert why["alice"] == "is offline (no_answer_to_probes)"
        await caller.hangup()


async def test_it_is_back_when_it_answers_and_its_pause_is_what_it_was(tmp_path: Path) -> None:
    async with Centre(tmp_path) as centre:
        alice = await centre.phone("1001")
        centre.switch.acd.pause("alice", "lunch")
        port = alice.address.port
        await alice.vanish()
        await asyncio.sleep(PERIOD)
        assert agent(centre).state == "offline"
        again = FakePhone(
            "1001",
            "secret-one-1",
            server=centre.server,
            host="127.0.1.1",
            network=centre.network.host("127.0.1.1"),
            port=port,
        )
        await again.start()
        await asyncio.sleep(PERIOD)
        assert (agent(centre).state, agent(centre).reason) == ("not_ready", "lunch")
        await again.stop()


async def test_who_has_logged_out_stays_so_when_the_phone_is_back(tmp_path: Path) -> None:
    async with Centre(tmp_path) as centre:
        alice = await centre.phone("1001")
        centre.switch.acd.logout("alice")
        port = alice.address.port
        await alice.vanish()
        await asyncio.sleep(PERIOD)
        again = FakePhone(
            "1001",
            "secret-one-1",
            server=centre.server,
            host="127.0.1.1",
            domain="pbx.example.com",
            network=centre.network.host("127.0.1.1"),
            port=port,
        )
        await again.start()
        await asyncio.sleep(PERIOD)
        assert agent(centre).state == "offline"
        centre.switch.acd.login("alice")
        assert agent(centre).state == "ready"
        await again.stop()


async def test_registering_brings_it_back_at_once_also_from_another_port(tmp_path: Path) -> None:
    async with Centre(tmp_path) as centre:
        alice = await centre.phone("1001")
        await alice.vanish()
        await asyncio.sleep(PERIOD)
        assert agent(centre).state == "offline"
        await centre.phone("1001")
        assert agent(centre).state == "ready"


async def test_an_agent_whose_phone_was_unreachable_is_back_when_it_answers(tmp_path: Path) -> None:
    text = config(probe_phones=60.0).replace("ring_timeout = 10", "ring_timeout = 50")
    async with Centre(tmp_path, config=text.replace("max_wait = 60", "max_wait = 300")) as centre:
        alice = await centre.phone("1001", Deaf())
        host = alice.address.host
        centre.network.partition("127.0.0.1", host)
        caller = await centre.carrier.call(QUEUE)
        await caller.answered()
        await asyncio.sleep(45.0)
        assert agent(centre).state == "offline"
        centre.network.heal()
        alice.behaviours = [Answer(after=1.0)]
        await caller.hears(AGENT_HZ["1001"], timeout=60.0)
        await caller.hangup()


async def test_a_talk_that_died_has_its_phone_asked_at_once(tmp_path: Path) -> None:
    async with Centre(tmp_path, config=config(probe_phones=3000.0)) as centre:
        alice = await centre.phone("1001")
        caller = await centre.carrier.call(QUEUE)
        talk = await alice.next_call()
        await talk.hears(CALLER_HZ)
        await alice.vanish()
        await asyncio.sleep(20.0 + 20.0)  # the RTP timeout, and two probes; at most one offer meanwhile
        assert len([event for event in centre.events if isinstance(event, OfferMade)]) <= 2
        assert agent(centre).state == "offline"
        await caller.hangup()


@pytest.mark.parametrize("transport", ["tcp", "ws"])
async def test_a_connection_that_is_lost_tells_within_two_seconds(tmp_path: Path, transport: str) -> None:
    listen = CONFIG.replace('"tcp:127.0.0.1:5060"]', '"tcp:127.0.0.1:5060", "ws:127.0.0.1:5066"]')
    async with Centre(tmp_path, config=listen) as centre:
        if transport == "ws":
            centre.server = centre.server._replace(port=5066)
        alice = await centre.phone("1001", transport=transport)
        await asyncio.sleep(2 * PERIOD)
        assert agent(centre).state == "ready"
        asked = alice.seen("OPTIONS", "in")
        assert bool(asked) == (transport == "tcp")
        await alice.vanish()
        await asyncio.sleep(2.0)
        assert (agent(centre).state, agent(centre).reason) == ("offline", "connection_lost")


@pytest.mark.parametrize(("expires", "reason"), [(0, "unregistered"), (60, "registration_expired")])
async def test_the_reason_tells_how_a_registration_ended(tmp_path: Path, expires: int, reason: str) -> None:
    async with Centre(tmp_path, config=config(probe_phones=0)) as centre:
        alice = await centre.phone("1001")
        if expires:
            await alice.register(expires, keep=False)
            await alice.vanish()
            await asyncio.sleep(expires + 1.0)
        else:
            await alice.unregister()
        assert (agent(centre).state, agent(centre).reason) == ("offline", reason)


async def test_nobody_is_asked_when_it_is_off(tmp_path: Path) -> None:
    async with Centre(tmp_path, config=config(probe_phones=0)) as centre:
        alice = await centre.phone("1001")
        await asyncio.sleep(100.0)
        assert not alice.seen("OPTIONS", "in")
