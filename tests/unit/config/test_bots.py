"""What ``[[bots]]`` may say, and what `sipccd check` tells of what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipcc.config import check, load
from sipcc.ivr.steps import Stream

FILE = """\
[sip]
listen = ["udp:127.0.0.1:5060"]
[[bots]]
name = "helper"
url = "wss://bot.example.com/talk"
secret = "env:BOT"
parameters = { tone = "calm" }
fallback = "play:closed"
[[bots]]
name = "other"
url = "tcp://127.0.0.1:9092"
wire = "audiosocket"
fallback = "hangup"
[[numbers]]
number = "4008123456"
to = "bot:helper"
"""


def told(folder: Path, text: str) -> list[str]:
    path = folder / "sipcc.toml"
    path.write_text(text)
    return [str(finding) for finding in check(path, {"BOT": "Bearer hidden-1"})]


def test_a_right_file(tmp_path: Path) -> None:
    assert told(tmp_path, FILE) == []
    bot, _ = load(tmp_path / "sipcc.toml", {"BOT": "Bearer hidden-1"}).bots
    assert bot.step(caller="13800138000", dialled="4008123456") == Stream(
        url="wss://bot.example.com/talk",
        parameters={"from": "13800138000", "to": "4008123456", "tone": "calm"},
        name="helper",
        headers={"Authorization": "Bearer hidden-1"},
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('to = "bot:helper"', 'to = "bot:hepler"', "there is no bot 'hepler' (did you mean 'helper'?)"),
        (
            "wss://bot.example.com/talk",
            "http://bot.example.com",
            "'http://bot.example.com' is no address",
        ),
        ("wss://bot.example.com/talk", "ws://", "'ws://' is no address of a bot that speaks twilio"),
        ("wss://bot.example.com/talk", "ws://a b/", 'as in "ws://127.0.0.1:8765/"'),
        ("wss://bot.example.com/talk", "ws://a:99999/", "is no address"),
        ("tcp://127.0.0.1:9092", "ws://127.0.0.1:9092", 'as in "tcp://127.0.0.1:9092"'),
        ('fallback = "play:closed"', "", "fallback"),
        ('fallback = "play:closed"', 'fallback = "bot:other"', "'bot:other' may fail as well"),
        ('fallback = "play:closed"', 'fallback = "queue:none"', "there is no queue 'none'"),
        ('fallback = "play:closed"', 'fallback = "play:closed"\nthen = "bot:x"', "there is no bot 'x'"),
        ('fallback = "play:closed"', 'fallback = "play:closed"\nrate_hz = 16000', "have 8000 Hz"),
        ('fallback = "play:closed"', 'fallback = "play:closed"\nrate_hz = 11025', "rate_hz"),
        ('fallback = "play:closed"', 'fallback = "play:closed"\nheader = "a b"', "is no name of a header"),
        ('secret = "env:BOT"', 'secret = "a\\nb"', "it is no value of a header"),
        ('wire = "audiosocket"', 'wire = "audiosocket"\nsecret = "a"', "no place for a secret"),
        ('name = "other"', 'name = "helper"', "another bot is called 'helper' already"),
    ],
)
def test_what_is_wrong_is_told_with_its_cure(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in FILE
    found = told(tmp_path, FILE.replace(old, new))
    assert any(said in finding for finding in found), found
