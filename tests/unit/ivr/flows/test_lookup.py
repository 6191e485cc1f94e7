"""Lookups in time: whatever services and functions do, the caller goes on."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Mapping

import pytest

from sipcc.errors import CallEnded
from sipcc.ivr.fetch import Fetched, FetchError, FetchRequest
from sipcc.ivr.flows.lookup import MAX_POSTS, Asking, Lookups
from sipcc.ivr.flows.run import LookupFailed
from sipcc.ivr.flows.sent import Sent
from sipcc.ivr.sim import SimSession
from sipcc.ivr.steps import Played, Prompt, named


class Caller(SimSession):
    """A caller whose prompts take time on the loop: a second each."""

    def __init__(self) -> None:
        super().__init__("", caller="13800138000")
        self.heard: list[tuple[str, float]] = []
        self.gone = False

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def play(self, prompts: tuple[Prompt, ...]) -> Played:  # type: ignore[override]
        for prompt in prompts:
            self.heard.append((prompt.items[0].name, self.now()))  # type: ignore[union-attr]
            await asyncio.sleep(1.0)
        if self.gone:
            raise CallEnded("normal")
        return Played(complete=True)

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Service:
    """Answers after a time, wrongly if it is told to."""

    def __init__(self, after: float = 0.0, body: bytes = b'{"level": 3}', error: Exception | None = None):
        self.after, self.body, self.error = after, body, error
        self.asked: list[FetchRequest] = []

    async def fetch(self, request: FetchRequest) -> Fetched:
        self.asked.append(request)
        await asyncio.sleep(self.after)
        if self.error is not None:
            raise self.error
        return Fetched(url=request.url, body=self.body)


async def ask(service: Service | None, session: Caller | None = None, **changes: object) -> object:
    lookups = Lookups({}.get, lambda: service)
    sent = Sent(**{"url": "http://127.0.0.1/crm", "body": {"card": "62220000"}, **changes})  # type: ignore[arg-type]
    try:
        return await lookups.lookup(session or Caller(), sent)
    except LookupFailed as error:
        return str(error)
    finally:
        await lookups.close()


async def test_a_service_is_asked_with_json() -> None:
    service = Service()
    assert await ask(service, authorization="Bearer x") == {"level": 3}
    [request] = service.asked
    assert (request.method, request.json) == ("POST", {"card": "62220000"})
    assert request.headers == {"Authorization": "Bearer x"}


@pytest.mark.parametrize(
    ("service", "why"),
    [
        (Service(body=b"<html>"), "the answer is no JSON"),
        (Service(body=b"\xff"), "the answer is no JSON"),
        (Service(body=b"[" * 60_000), "the answer is no JSON"),
        (Service(body=b"[1]"), "the answer is no table of names"),
        (Service(error=FetchError("http://127.0.0.1/crm", "status", "the status is 500", status=500)), "500"),
        (Service(error=RuntimeError("62220000")), "it raised RuntimeError"),
        (Service(after=99), "no answer within 2 s"),
        (None, "no service can be asked here"),
    ],
)
async def test_a_bad_answer_fails(service: Service | None, why: str) -> None:
    said = str(await ask(service))
    assert why in said
    assert "62220000" not in said


async def test_a_function_is_told_who_calls_and_does_not_show_what_is_secret() -> None:
    told: list[Asking] = []

    async def crm(asking: Asking) -> Mapping[str, object]:
        told.append(asking)
        return {"vip": True}

    lookups = Lookups({"crm": crm}.get, lambda: None)
    sent = Sent(source="crm", body={"card": "62220000"})
    assert await lookups.lookup(Caller(), sent) == {"vip": True}
    assert (told[0].caller, told[0].sent) == ("13800138000", {"card": "62220000"})
    assert "62220000" not in repr(told[0]) + repr(sent)
    with pytest.raises(LookupFailed, match="there is no lookup 'crn'"):
        await lookups.lookup(Caller(), Sent(source="crn"))


async def test_answers_are_remembered_for_a_time() -> None:
    service = Service()
    lookups = Lookups({}.get, lambda: service)
    sent = Sent(url="http://127.0.0.1/crm", body={"a": 1}, cache=60.0)
    caller = Caller()
    for _ in range(3):
        await lookups.lookup(caller, sent)
    assert len(service.asked) == 1
    await asyncio.sleep(61)
    await lookups.lookup(caller, sent)
    await lookups.lookup(caller, Sent(url="http://127.0.0.1/crm", body={"a": 2}, cache=60.0))
    assert len(service.asked) == 3


async def test_a_caller_hears_a_prompt_when_it_takes_long_and_no_longer_than_that() -> None:
    caller = Caller()
    began = caller.now()
    waits = named("please_wait")
    assert await ask(Service(after=5.2), caller, wait_prompts=waits, wait_after=1.0, deadline=8.0)
    assert [(name, round(at - began, 3)) for name, at in caller.heard] == [
        ("please_wait", 1.0),
        ("please_wait", 4.0),
    ]
    assert caller.now() - began == pytest.approx(5.2)
    caller, began = Caller(), caller.now()
    assert await ask(Service(after=0.5), caller, wait_prompts=waits) == {"level": 3}
    assert caller.heard == []


async def test_what_is_to_be_said_is_said_while_it_is_looked_up() -> None:
    caller = Caller()
    began = caller.now()
    assert await ask(Service(after=0.7), caller, said=named("welcome")) == {"level": 3}
    assert caller.now() - began == pytest.approx(1.0)
    assert await ask(Service(after=9), caller, said=named("welcome")) == "no answer within 2 s"
    assert caller.now() - began == pytest.approx(3.0)


async def test_a_caller_who_is_gone_is_not_waited_for() -> None:
    caller = Caller()
    caller.gone = True
    began = caller.now()
    await ask(Service(after=50), caller, wait_prompts=named("please_wait"), deadline=60.0)
    assert caller.now() - began == pytest.approx(2.0)


async def test_a_service_is_told_something_without_waiting() -> None:
    service = Service(after=1.0)
    lookups = Lookups({}.get, lambda: service)
    sent = Sent(url="http://127.0.0.1/told", body={"a": 1})
    caller = Caller()
    began = caller.now()
    assert await lookups.post(caller, sent, False)
    assert caller.now() == began
    assert await lookups.post(caller, sent, True)
    service.error = FetchError("http://127.0.0.1/", "status", "the status is 500", status=500)
    assert not await lookups.post(caller, sent, True)
    service.after, service.error = 3.0, None
    assert not await lookups.post(caller, sent, True)
    for _ in range(MAX_POSTS):
        await lookups.post(caller, sent, False)
    await asyncio.sleep(0)
    assert not await lookups.post(caller, sent, False)
    await lookups.close()


RUNS = int(os.environ.get("SIPCC_LOOKUP_FAULTS", "150"))


async def test_after_any_fault_the_caller_goes_on_by_the_deadline() -> None:
    chance = random.Random(21)
    worst = 0.0
    for _ in range(RUNS):
        error = chance.choice(
            [None, RuntimeError(), FetchError("http://x/", "unreachable", "down"), OSError()]
        )
        body = chance.choice([b'{"level": 3}', b"{}", b"null", b"", b"<", b'{"level":', b"\x00" * 99])
        service = Service(
            after=chance.choice([0.0, 0.1, 1.0, 1.99, 2.01, 5.0, 500.0]), body=body, error=error
        )
        caller = Caller()
        began = caller.now()
        deadline = chance.choice([0.5, 2.0, 3.0])
        waits = named("please_wait") if chance.random() < 0.5 else ()
        await ask(
            service, caller, deadline=deadline, wait_prompts=waits, wait_after=chance.choice([0.0, 1.0])
        )
        worst = max(worst, caller.now() - began - deadline)
    assert worst <= 0.1
