"""What `sipccd check` says of carriers, name servers and routes."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipcc.config import check, load

BASE = """\
[sip]
listen = ["udp:127.0.0.1:5060"]
{sip}
[[trunks]]
name = "one"
addresses = ["127.0.0.2"]
{one}
[[trunks]]
name = "two"
addresses = ["127.0.0.3"]
{two}
{routes}
[[numbers]]
number = "4008123456"
to = "{to}"
"""


def findings(folder: Path, **parts: str) -> list[str]:
    path = folder / "sipcc.toml"
    (folder / "prompts").mkdir(exist_ok=True)
    values = {"sip": "", "one": "", "two": "", "routes": "", "to": "echo"} | parts
    path.write_text(BASE.format(**values))
    return [str(finding) for finding in check(path, {})]


ROUTE = '[[routes]]\ntrunks = ["one"]'

RIGHT = {
    "sip": 'hop_timeout = 1.0\nhop_penalty = 30\nreliable = "supported"\n[sip.dns]\n'
    'servers = ["192.0.2.53", "[2001:db8::53]:5353"]\ntimeout = 1.0\n'
    "cache = 100\nmax_ttl = 60\nnegative_ttl = 5",
    "one": 'tls_names = ["sip.carrier.example.com"]\nprofile = "tolerant"\nreliable = "required"\n'
    'session_timer = "off"\ncalls_per_second = 2.5\nport = 0\n'
    "[trunks.health]\nping = 30\nup_after = 1\ndown_after = 2\nbreak_after = 0\nbreak_for = 10",
    "two": 'transport = "tls"',
    "routes": '[[routes]]\nname = "out"\nnumber = "mobile"\ntrunks = ["one:70 two:30"]\n'
    '[[routes]]\ntrunks = ["two", "one"]',
    "to": "dial:out/13800138000",
}


def test_what_is_right_is_read(tmp_path: Path) -> None:
    assert findings(tmp_path, **RIGHT) == []
    config = load(tmp_path / "sipcc.toml", {})
    assert config.sip.dns.servers == ("192.0.2.53", "[2001:db8::53]:5353")
    assert config.trunks[0].health.ping == 30
    assert config.routes[0].trunks == ("one:70 two:30",)
    assert config.routes[1].number == "*"


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"sip": '[sip.dns]\nservers = ["ns.example.com"]'}, "'ns.example.com' is no name server"),
        ({"sip": "[sip.dns]\ncache = 1"}, "sip.dns.cache: expected a whole number"),
        ({"sip": "hop_timeout = 0"}, "sip.hop_timeout: expected a number"),
        ({"one": 'tls_names = ["nonsense"]'}, "'nonsense' is no name of a host"),
        ({"one": 'tls_names = ["a.example"]', "two": 'tls_names = ["A.example"]'}, "belongs to trunk 'one'"),
        ({"one": 'transport = "auto"\nport = 5070'}, "nobody asks the DNS for a transport"),
        ({"one": 'profile = "lenient"'}, 'expected one of "strict", "tolerant"'),
        ({"one": "[trunks.health]\ndown_after = 5"}, "nothing is counted without pings"),
        ({"one": "[trunks.health]\nping = -1"}, "trunks[0].health.ping: expected a number"),
        ({"one": "calls_per_second = -1"}, "trunks[0].calls_per_second"),
        ({"routes": '[[routes]]\ntrunks = ["three"]'}, "there is no trunk 'three'"),
        ({"routes": '[[routes]]\ntrunks = ["one:x"]'}, "'one:x' is no trunk"),
        ({"routes": "[[routes]]\ntrunks = []"}, "the list is empty"),
        ({"routes": '[[routes]]\nnumber = "x*y"\ntrunks = ["one"]'}, "is no number"),
        ({"routes": '[[routes]]\ntrunks = ["one", "one"]'}, "stands there twice"),
        ({"routes": '[[routes]]\nname = "one"\ntrunks = ["one"]'}, "a trunk is called 'one' too"),
        ({"routes": f'{ROUTE}\n[[routes]]\nnumber = "1*"\ntrunks = ["two"]'}, "takes every number"),
        ({"routes": f'{ROUTE}\nname = "a"\n{ROUTE}\nname = "a"'}, "another route"),
        ({"to": "dial:nowhere/13800138000"}, "there is no trunk 'nowhere'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(tmp_path: Path, parts: dict[str, str], said: str) -> None:
    found = findings(tmp_path, **parts)
    assert any(said in text for text in found), found


def test_a_host_that_leads_nowhere(tmp_path: Path) -> None:
    found = findings(
        tmp_path,
        sip='[sip.dns]\nservers = ["127.0.0.1:9"]\ntimeout = 0.2',
        one='host = "sip.carrier.example.com"',
    )
    assert any("the name 'sip.carrier.example.com' has no address" in text for text in found)
