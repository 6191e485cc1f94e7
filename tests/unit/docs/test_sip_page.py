"""The page about SIP alone names what is there, and its program is one."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from sipcc.clock import LoopClock
from sipcc.ids import Ids
from sipcc.sip import (
    Endpoint,
    InboundRequest,
    InviteSession,
    NameAddr,
    Response,
    SessionEvents,
    SessionListener,
    SipSettings,
    SipUri,
)
from sipcc.testing import MemoryNetwork

PAGE = (Path(__file__).parents[3] / "docs" / "sip-alone.md").read_text("utf-8")
CALLBACKS = {name for name in vars(SessionEvents) if name.startswith("on_")}


def table(heading: str) -> str:
    return re.split(r"^## ", PAGE.split(f"## {heading}\n")[1], flags=re.MULTILINE)[0]


def named(text: str) -> set[str]:
    """The names at the beginnings of code in first columns."""
    cells = re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)", cell)}


def test_verbs_of_a_session_are_there() -> None:
    names = named(table("A session"))
    assert len(names) > 15
    assert [name for name in names if not hasattr(InviteSession, name)] == []


async def test_parts_of_an_endpoint_are_there() -> None:
    host = MemoryNetwork().host("127.0.0.1")
    endpoint = Endpoint(SipSettings(), network=host, clock=LoopClock(), ids=Ids())
    names = named(table("The endpoint"))
    assert len(names) > 10
    assert [name for name in names if not hasattr(endpoint, name)] == []


def test_each_callback_is_told_of() -> None:
    assert named(table("What a listener is told")) == CALLBACKS
    assert {name for name in vars(SessionListener) if name.startswith("on_")} == CALLBACKS
    assert hasattr(InboundRequest, "reply")


class Caller(SessionEvents):
    def __init__(self) -> None:
        self.heard: list[int] = []

    def on_provisional(self, session: InviteSession, response: Response) -> None:
        self.heard.append(response.status)

    def on_accepted(self, session: InviteSession, response: Response) -> None:
        self.heard.append(response.status)
        session.bye()


async def test_the_program_takes_a_call(capsys: pytest.CaptureFixture[str]) -> None:
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code.replace("asyncio.run(main())", ""), names)
    network, caller = MemoryNetwork(), Caller()
    callee, ours = (
        Endpoint(
            SipSettings(listen=(f"udp:{host}:5080",)),
            network=network.host(host),
            clock=LoopClock(),
            ids=Ids(),
        )
        for host in ("127.0.0.1", "127.0.0.2")
    )
    callee.on_invite = names["called"]
    await callee.start()
    await ours.start()
    there = SipUri(user="anybody", host="127.0.0.1", port=5080)
    ours.invite(there, from_=NameAddr(SipUri(user="me", host="example.com")), body=b"v=0", listener=caller)
    await asyncio.sleep(1)
    assert caller.heard == [180, 200]
    assert capsys.readouterr().out == "over, by peer\n"
    await ours.stop()
    await callee.stop()
