"""What ``[[routers]]`` may say, and what `sipccd check` tells of what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipcc.config import check, load

FILE = """\
[sip]
listen = ["udp:127.0.0.1:5060"]
[[queues]]
name = "sales"
bound = ["carrier/13800138000"]
[[trunks]]
name = "carrier"
addresses = ["127.0.0.2"]
[[menus]]
name = "main"
prompt = "welcome"
options = { "1" = "router:crm" }
then = "queue:sales"
[[routers]]
name = "crm"
url = "http://127.0.0.1:9000/route"
default = "queue:sales"
authorization = "env:CRM"
[[numbers]]
number = "4008123456"
to = "router:crm"
"""


def told(folder: Path, text: str, **environ: str) -> list[str]:
    path = folder / "sipcc.toml"
    path.write_text(text)
    return [str(finding) for finding in check(path, {"CRM": "Bearer x", **environ})]


def test_a_right_file(tmp_path: Path) -> None:
    assert told(tmp_path, FILE) == []
    (router,) = load(tmp_path / "sipcc.toml", {"CRM": "Bearer x"}).routers
    assert (router.authorization, router.timeout, router.pause) == ("Bearer x", 0.5, 10.0)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'url = "http://127.0.0.1:9000/route"',
            "",
            "error: sipcc.toml:14 routers[0]: it needs either url or plugin",
        ),
        (
            "http://127.0.0.1:9000/route",
            "127.0.0.1:9000",
            "error: sipcc.toml:16 routers[0].url: '127.0.0.1:9000' is no address of a service (as in",
        ),
        (
            "http://127.0.0.1:9000/route",
            "http://:9000",
            "error: sipcc.toml:16 routers[0].url: 'http://:9000'",
        ),
        ("127.0.0.1:9000", "127.0.0.1:99999", "error: sipcc.toml:16 routers[0].url:"),
        (
            'url = "http://127.0.0.1:9000/route"',
            'plugin = "crm"',
            "error: sipcc.toml:16 routers[0].plugin: no function is installed as 'crm' in sipcc.routers",
        ),
        (
            'default = "queue:sales"',
            'default = "router:crm"',
            "error: sipcc.toml:17 routers[0].default: 'router:crm' may fail as well",
        ),
        (
            'default = "queue:sales"',
            'default = "queue:sale"',
            "error: sipcc.toml:17 routers[0].default: there is no queue 'sale' (did you mean 'sales'?)",
        ),
        (
            'default = "queue:sales"',
            "timeout = 20",
            "error: sipcc.toml:17 routers[0].timeout: expected a number <= 10, found the number 20",
        ),
        (
            '"env:CRM"',
            "138001",
            "error: sipcc.toml:18 routers[0].authorization: expected a text in quotes, found a value that is "
            "not shown",
        ),
        (
            'to = "router:crm"',
            'to = "router:crn"',
            "error: sipcc.toml:21 numbers[0].to: there is no router 'crn' (did you mean 'crm'?)",
        ),
        (
            '"1" = "router:crm"',
            '"1" = "router:crn"',
            "error: sipcc.toml:12 menus[0].options.1: there is no router 'crn'",
        ),
        (
            "[[numbers]]",
            '[[routers]]\nname = "crm"\nurl = "http://[::1]/"\ndefault = "busy"\n[[numbers]]',
            "error: sipcc.toml:20 routers[1].name: another router is called 'crm' already",
        ),
    ],
)
def test_wrong_settings(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in FILE
    lines = told(tmp_path, FILE.replace(old, new, 1))
    assert [line for line in lines if line.startswith(said)], lines


def test_a_secret_of_two_lines_is_refused_and_not_shown(tmp_path: Path) -> None:
    (line,) = told(tmp_path, FILE, CRM="Bearer x\r\nHost: example.com")
    assert line.startswith("error: sipcc.toml:18 routers[0].authorization: it is no value of a header")
    assert "Bearer" not in line
