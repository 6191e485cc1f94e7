"""What ``[fetch]`` and ``[[webapps]]`` may say, and what `sipccd check` tells of what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipcc.config import check, load

FILE = """\
[sip]
listen = ["udp:127.0.0.1:5060"]
[fetch]
allow = ["crm.example.com"]
[[webapps]]
name = "bank"
url = "http://127.0.0.1:3000/call"
fallback = "play:closed"
user = "sipcc"
password = "env:BANK"
secret = "env:BANK"
[[numbers]]
number = "4008123456"
to = "webapp:bank"
"""


def told(folder: Path, text: str) -> list[str]:
    path = folder / "sipcc.toml"
    path.write_text(text)
    return [str(finding) for finding in check(path, {"BANK": "hidden-1"})]


def test_a_right_file(tmp_path: Path) -> None:
    assert told(tmp_path, FILE) == []
    (app,) = load(tmp_path / "sipcc.toml", {"BANK": "hidden-1"}).webapps
    assert (app.kind, app.method, app.timeout, app.retries) == ("jambonz", "POST", 3.0, 1)
    assert (app.password, app.secret) == ("hidden-1", "hidden-1")
    socket = FILE.replace("http://127.0.0.1:3000/call", "wss://app.example.com/")
    assert told(tmp_path, socket) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('to = "webapp:bank"', 'to = "webapp:bnak"', "there is no webapp 'bnak' (did you mean 'bank'?)"),
        ("http://127.0.0.1:3000/call", "127.0.0.1:3000", "webapps[0].url: '127.0.0.1:3000' cannot be asked"),
        ("http://127.0.0.1:3000/call", "http:///call", "'http:///call' cannot be asked"),
        (
            'url = "http://127.0.0.1:3000/call"',
            'kind = "twiml"\nurl = "ws://127.0.0.1/"',
            "known are http://, https://",
        ),
        ('fallback = "play:closed"', "", "fallback"),
        ('fallback = "play:closed"', 'fallback = "webapp:bank"', "'webapp:bank' may fail as well"),
        ('fallback = "play:closed"', 'fallback = "queue:none"', "there is no queue 'none'"),
        ('fallback = "play:closed"', 'fallback = "play:closed"\nstatus_url = "x"', "status_url: 'x'"),
        ('fallback = "play:closed"', 'fallback = "play:closed"\ntimeout = 0', "timeout"),
        ('user = "sipcc"', "", "there is nobody whose password it is"),
        ('user = "sipcc"', 'user = "a:b"', "takes no name with a colon"),
        ('allow = ["crm.example.com"]', 'allow = ["crm example"]', "'crm example' allows nothing"),
        ('allow = ["crm.example.com"]', "only_allowed = true", "nothing at all may be fetched"),
        ("[[numbers]]", '[[webapps]]\nname = "bank"\nurl = "http://a/"\nfallback = "hangup"\n[[numbers]]',
         "another webapp is called 'bank' already"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_cure(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in FILE
    found = told(tmp_path, FILE.replace(old, new))
    assert any(said in finding for finding in found), found
