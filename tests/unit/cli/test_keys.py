from __future__ import annotations

import asyncio
import os
import pty
import termios

import pytest

from sipcc.cli.keys import Keys


@pytest.mark.realtime
async def test_keys_come_one_by_one_and_the_terminal_is_put_back() -> None:
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    keys: list[str] = []
    enough = asyncio.Event()

    def pressed(key: str) -> None:
        keys.append(key)
        if len(keys) == 2:
            enough.set()

    def fail() -> None:
        with Keys(pressed, descriptor=theirs):
            raise KeyError("a crash of the board")

    with Keys(pressed, descriptor=theirs):
        assert not termios.tcgetattr(theirs)[3] & termios.ICANON
        os.write(ours, b"cb")
        async with asyncio.timeout(5):
            await enough.wait()
    assert keys == ["c", "b"]
    assert termios.tcgetattr(theirs) == before
    with pytest.raises(KeyError):
        fail()
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)
