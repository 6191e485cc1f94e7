"""Every call explains itself: the ladders of whole calls through the switch, on the memory network."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from tests.flow.centre import Centre

from sipcc.cli.ladder import draw
from sipcc.errors import CallRejected
from sipcc.testing.phone import Answer, Decline

GOLDEN = """\
Call call-ID: 13800138000 called 4008000006
                        carrier                        sipcc                         1001                          1002
    0.0s                |--INVITE 4008000006 SDP----->|                             |                             |
    0.0s  * call from 13800138000 to 4008000006 (trunk carrier, 127.0.0.2:PORT)
    0.0s  * route 4008000006 (the closest that fits 4008000006)
    0.0s                |<-------100 Trying (INVITE)--|                             |                             |
    0.0s                |<-------200 OK (INVITE) SDP--|                             |                             |
    0.0s  * waits in queue sales (position 1, priority 0)
    0.0s  * offered to alice (queue sales)
    0.0s                |--ACK 4008000006------------>|                             |                             |
    0.0s                |                             |--INVITE 1001 SDP----------->|                             |
    0.0s  * rings alice (sip:1001@127.0.1.1:PORT)
    0.0s                |                             |<-------100 Trying (INVITE)--|                             |
    0.0s                |                             |<------180 Ringing (INVITE)--|                             |
    0.5s                |                             |<----486 Busy Here (INVITE)--|                             |
    0.5s                |                             |--ACK 1001------------------>|                             |
    0.5s  * offer to alice: busy (status 486)
    0.5s  * offered to bob (queue sales)
    0.5s  * leg over: busy (status 486, by callee)
    0.5s                |                             |--INVITE 1002 SDP----------------------------------------->|
    0.5s  * rings bob (sip:1002@127.0.1.2:PORT)
    1.0s                |                             |                             | timer A: INVITE sent again  |
    1.0s                |                             |--INVITE 1002 SDP again----------------------------------->|
    1.0s                |                             |<-------------------------------------100 Trying (INVITE)--|
    1.0s                |                             |<------------------------------------180 Ringing (INVITE)--|
    2.0s                |                             |<-------------------------------------200 OK (INVITE) SDP--|
    2.0s                |                             |--ACK 1002------------------------------------------------>|
    2.0s  * offer to bob: answered (status 200)
    2.0s  * left queue sales: answered by bob (after 2.0 s)
    2.0s  * caller and leg hear each other
    6.0s                |--BYE 4008000006------------>|                             |                             |
    6.0s                |<--------------200 OK (BYE)--|                             |                             |
    6.0s                |                             |--BYE 1002------------------------------------------------>|
    6.0s  * caller and leg are parted
    6.0s                |                             |<--------------------------------------------200 OK (BYE)--|
    6.0s  * leg over: normal (status 200, by us)
    6.0s  * call over: normal (status 200, by caller)
"""  # noqa: E501  # as wide as it is printed


def drawn(centre: Centre, query: str) -> list[str]:
    """The ladder's lines, without ids and ports that chance chose and without times below 100 ms."""
    trace = centre.switch.tracing.trace
    ladder = trace.ladder(query, texts=False)
    assert ladder is not None
    names = {str(phone.address): phone.user for phone in centre.phones.values()}
    text = draw(ladder, name_of=lambda at: "carrier" if at.startswith("127.0.0.2:") else names.get(at, at))
    text = re.sub(r"(call|off)-[0-9a-f]{8,}", r"\1-ID", text)
    text = re.sub(r"(127\.[0-9.]+):[0-9]+", r"\1:PORT", text)
    text = re.sub(r"(?m)^ +([0-9]+\.[0-9])[0-9]{2} s", lambda match: f"{match[1]:>7}s", text)
    return [line.rstrip() for line in text.splitlines()]


async def test_a_call_through_a_queue_with_both_legs_timers_and_decisions(tmp_path: Path) -> None:
    async with Centre(tmp_path) as centre:
        await centre.phone("1001", Decline(486, after=0.5))
        bob = await centre.phone("1002", Answer(after=1.0))
        lost = str(bob.address).encode()
        centre.network.drop(lambda packet: packet.data.startswith(b"INVITE") and lost in packet.data)
        call = await centre.carrier.call("4008000006", caller="13800138000")
        await asyncio.sleep(6.0)
        await call.hangup()
        await asyncio.sleep(1.0)
        lines = drawn(centre, "13800138000")
    assert lines == GOLDEN.splitlines()


async def test_a_refused_call_says_why(tmp_path: Path) -> None:
    async with Centre(tmp_path) as centre:
        call = await centre.carrier.call("4009999999", caller="13800138000")
        with pytest.raises(CallRejected, match="404"):
            await call.answered()
        lines = drawn(centre, "4009999999")
    assert any("refused: 404 (no [[numbers]] or route fits 4009999999)" in line for line in lines)
    assert any("404 Not Found" in line for line in lines)


async def test_what_belongs_to_no_call_is_kept_too(tmp_path: Path) -> None:
    """REGISTER with its challenge, found by its Call-ID; no credentials are shown."""
    async with Centre(tmp_path) as centre:
        await centre.phone("1001", Answer(after=1.0))
        register = next(packet.data for packet in centre.network.sent(b"REGISTER"))
        match = re.search(rb"Call-ID: (.*)\r\n", register)
        assert match is not None
        ladder = centre.switch.tracing.trace.ladder(match[1].decode())
    assert ladder is not None
    assert [rung.label for rung in ladder.rungs] == [
        "REGISTER",
        "401 Unauthorized (REGISTER)",
        "REGISTER",
        "200 OK (REGISTER)",
    ]
    texts = "".join(rung.text for rung in ladder.rungs)
    assert 'response="***' in texts
    assert re.search(r'(response|nonce)="[^*"]', texts) is None
