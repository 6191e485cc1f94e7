"""What ``[[flows]]`` may say, and what `sipccd check` tells of what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipcc.config import check, load
from sipcc.config.flows import read_flows
from sipcc.errors import ConfigError

FILE = """\
[sip]
listen = ["udp:127.0.0.1:5060"]
[[queues]]
name = "help"
bound = ["carrier/1001"]
[[trunks]]
name = "carrier"
addresses = ["127.0.0.2"]
[[flows]]
name = "shop"
fallback = "queue:help"
[flows.nodes.what]
type = "menu"
prompt = "welcome"
options = { "1" = "flow:other", "2" = "queue:help" }
[flows.nodes.never]
type = "lookup"
url = "http://127.0.0.1/"
authorization = "env:TOKEN"
deadline = 1
into = "x"
then = "what"
[[flows]]
name = "other"
file = "other.toml"
[[numbers]]
number = "4008123456"
to = "flow:shop"
"""

OTHER = """\
fallback = "queue:help"
[nodes.what]
type = "menu"
prompt = "welcome"
options = { "1" = "queue:help", "2" = "top" }
"""


def told(folder: Path, text: str = FILE, other: str = OTHER) -> list[str]:
    (folder / "other.toml").write_text(other)
    path = folder / "sipcc.toml"
    path.write_text(text.replace('"1" = "flow:other"', '"1" = "flow:other", "3" = "never"'))
    return [str(finding) for finding in check(path, {"TOKEN": "hidden-1"})]


def test_a_right_file(tmp_path: Path) -> None:
    assert [one for one in told(tmp_path) if one.startswith("error")] == []
    config = load(tmp_path / "sipcc.toml", {"TOKEN": "hidden-1"})
    flows = read_flows(config)
    assert list(flows) == ["shop", "other"]
    assert flows["other"].where("what") == "other.toml:2:1"
    assert flows["shop"].nodes["never"].authorization == "hidden-1"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"flow:shop"', '"flow:shp"', "there is no flow 'shp' (did you mean 'shop'?)"),
        (
            '"2" = "queue:help"',
            '"2" = "queue:hlp"',
            "shop.what.options.2: E20 there is no queue",
        ),
        (
            'type = "menu"',
            'type = "mneu"',
            "sipcc.toml:13 flows[0].nodes.what.type: there is no type of node",
        ),
        ('file = "other.toml"', 'file = "none.toml"', "sipcc.toml:25 flows[1].file: cannot read"),
        ('file = "other.toml"', 'file = "."', "sipcc.toml:25 flows[1].file: cannot read"),
        ('name = "other"', 'name = "menu:main"', "sipcc.toml:24 flows[1].name: 'menu:main' has a colon"),
        (
            'url = "http://127.0.0.1/"',
            'url = "http://[::1/"',
            "flows[0].nodes.never.url: 'http://[::1/' is no address of a service",
        ),
        ('file = "other.toml"', "", "flows[1]: nothing says what the flow does"),
        (
            'file = "other.toml"',
            'file = "other.toml"\nprogram = true',
            "flows[1]: the flow is described twice",
        ),
        ('file = "other.toml"', 'file = "other.toml"\nstart = "what"', "so 'start' is not used"),
        ('name = "other"', 'name = "shop"', "another flow is called 'shop' already"),
        ('name = "shop"', 'name = "shop"\nfalback = ""', "unknown key 'falback' (did you mean 'fallback'?)"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in FILE
    found = told(tmp_path, FILE.replace(old, new, 1))
    assert any(said in one for one in found), found
    with pytest.raises(ConfigError):
        load(tmp_path / "sipcc.toml", {"TOKEN": "hidden-1"})


def test_a_file_that_cannot_be_read_is_told_at_the_line_that_names_it_and_at_its_own(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('{"start": ')
    found = told(tmp_path, FILE.replace("other.toml", "bad.json"))
    [wrong] = [one for one in found if one.startswith("error")]
    assert "flows[1].file: bad.json:1:" in wrong
    assert "this is not JSON" in wrong
    assert wrong.endswith("(correct it there)")


def test_files_are_told_by_their_own_lines(tmp_path: Path) -> None:
    found = told(tmp_path, other=OTHER.replace('"2" = "top"', '"2" = "tpo"'))
    assert any(one.startswith("error: other.toml:5:") and "E02" in one for one in found), found
    with pytest.raises(ConfigError, match=r"other.toml:5:\d+ other.what.options.2: E02"):
        load(tmp_path / "sipcc.toml", {"TOKEN": "hidden-1"})


def test_the_exits_of_queues_are_known(tmp_path: Path) -> None:
    queue = '[nodes.what]\ntype = "queue"\nqueue = "help"\nexits = { timeout = "hangup", full = "hangup" }\n'
    found = told(tmp_path, other='fallback = "queue:help"\n' + queue)
    [wrong] = [one for one in found if one.startswith("error")]
    assert wrong.startswith(
        "error: other.toml:5:11 other.what.exits.timeout: nobody leaves a queue by 'timeout'"
    )
    assert "did you mean 'timed_out'" in wrong


def test_flows_of_programs_have_only_a_name(tmp_path: Path) -> None:
    found = told(tmp_path, FILE.replace('file = "other.toml"', "program = true"))
    assert [one for one in found if one.startswith("error")] == []
    assert list(read_flows(load(tmp_path / "sipcc.toml", {"TOKEN": "hidden-1"}))) == ["shop"]
