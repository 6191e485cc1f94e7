"""What ``[vxml]`` may say, and what `sipccd check` tells of what is wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sipcc.config import check, load
from sipcc.errors import ConfigError
from sipcc.ivr.js import require_engine

FILE = """\
[sip]
listen = ["udp:127.0.0.1:5060"]
[vxml]
documents = { shop = "https://app.example.com/start.vxml", local = "/etc/sipcc/a.vxml" }
fallback = "play:closed"
properties = { timeout = "4s", documentmaxage = "60" }
[[numbers]]
number = "4008123456"
to = "vxml:shop"
[[numbers]]
number = "4008123457"
to = "vxml:https://other.example.com/a.vxml"
"""


def told(folder: Path, text: str) -> list[str]:
    path = folder / "sipcc.toml"
    path.write_text(text)
    return [str(finding) for finding in check(path, {})]


def test_a_right_file(tmp_path: Path) -> None:
    assert told(tmp_path, FILE) == []
    vxml = load(tmp_path / "sipcc.toml", {}).vxml
    assert vxml.limits.steps == 1000
    assert vxml.limits.script.seconds == 0.05
    assert vxml.parse_limits.max_bytes == 1_000_000


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            '"vxml:shop"',
            '"vxml:shpo"',
            "there is no document 'shpo' in [vxml] documents (did you mean 'shop'?)",
        ),
        ("https://app.example.com/start.vxml", "start.vxml", "'start.vxml' is no URL of a document"),
        ("https://app.example.com/start.vxml", "ftp://a/b", "'ftp://a/b' is no URL of a document"),
        ('fallback = "play:closed"', 'fallback = "vxml:shop"', "'vxml:shop' may fail as well"),
        ('fallback = "play:closed"', 'fallback = "queue:none"', "there is no queue 'none'"),
        ('timeout = "4s"', 'timeuot = "4s"', "VoiceXML has no property 'timeuot' (did you mean 'timeout'?)"),
        ('fallback = "play:closed"', 'languages = ["zh", "englisch!"]', "'englisch!' is no language"),
        ('fallback = "play:closed"', "steps = 1", "steps"),
        ('fallback = "play:closed"', "script_seconds = 60", "script_seconds"),
    ],
)
def test_what_is_wrong_is_told_with_its_cure(tmp_path: Path, old: str, new: str, said: str) -> None:
    (finding,) = told(tmp_path, FILE.replace(old, new, 1))
    assert said in finding


def test_without_the_engine_the_cure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "quickjs", None)
    with pytest.raises(ConfigError, match=r"pip install 'sipcc\[vxml\]'"):
        require_engine()
