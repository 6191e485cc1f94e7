"""Configurations: right ones are read, wrong ones are explained."""

from __future__ import annotations

import copy
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.samples import so_many
from tests.unit.config.files import assert_wrong, written

from sipcc.config import Config, check, load, load_records
from sipcc.config import load as load_module
from sipcc.errors import ConfigError

EXAMPLE = Path(__file__).parents[3] / "examples" / "sipcc.toml"

GOOD = """\
[sip]
listen = ["udp:127.0.0.1:5060"]
[[users]]
name = "1001"
password = "a-long-password"
[[trunks]]
name = "carrier"
addresses = ["127.0.0.2"]
[[agents]]
name = "alice"
user = "1001"
queues = ["sales"]
[[queues]]
name = "sales"
[[menus]]
name = "main"
prompt = "welcome"
options = {"1" = "queue:sales"}
then = "queue:sales"
[[numbers]]
number = "4008123456"
to = "menu:main"
"""


def test_the_example_is_right() -> None:
    assert check(EXAMPLE, {}) == []
    config = load(EXAMPLE, {})
    assert [queue.name for queue in config.queues] == ["sales", "help"]
    assert config.records.database == str(EXAMPLE.parent / "sipcc.db")
    assert config.sip.timers.t2 == 4.0


def test_the_example_says_the_defaults() -> None:
    """What the comments call a default is one: a key that is left out means the same."""
    config, bare = load(EXAMPLE, {}), Config()
    assert config.media == bare.media
    assert config.log == bare.log
    sales = config.queues[0]
    plain = type(sales)(name="sales")
    changed = {name for name in sales.__struct_fields__ if getattr(sales, name) != getattr(plain, name)}
    assert changed == {"record"}
    changed = {
        name for name in config.sip.__struct_fields__ if getattr(config.sip, name) != getattr(bare.sip, name)
    }
    assert changed == {"listen", "domain"}


def test_a_small_file(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    assert check(path, {}) == []
    config = load(path, {})
    assert config.numbers[0].to == "menu:main"
    assert config.log.level == "info"


def test_an_empty_file_is_a_warning(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    assert load(path, {}) == load(path, {})
    assert [f.severity for f in check(path, {})] == ["warning", "warning"]


WRONG: list[tuple[str, str, str, str, str]] = [
    # what is replaced in GOOD, by what, the place, words of the cause, words of the cure
    ("[sip]\n", "[spi]\n", "sipcc.toml:1 spi", "unknown section 'spi'", "did you mean 'sip'"),
    ("[[trunks]]", "[trunks]", "sipcc.toml:6 trunks", "[trunks] is a single table", "[[trunks]]"),
    ("[sip]\n", 'level = "info"\n[sip]\n', "sipcc.toml:1 level", "unknown section", "move it into [log]"),
    ("[sip]\n", "[[sip]]\n", "sipcc.toml:1 sip", "expected a table, found a list of 1", "key = value"),
    (
        'user = "1001"',
        'usr = "1001"',
        "sipcc.toml:11 agents[0].usr",
        "unknown key 'usr'",
        "did you mean 'user'",
    ),
    ("[sip]\n", '[sip]\ndomian = "x"\n', "sipcc.toml:2 sip.domian", "unknown key", "did you mean 'domain'"),
    (
        "[sip]\n",
        "[sip]\ntimers.t9 = 1\n",
        "sipcc.toml:2 sip.timers.t9",
        "unknown key 't9'",
        "known: t1, t2, t4",
    ),
    (
        'password = "a-long-password"\n',
        "",
        "sipcc.toml:3 users[0]",
        "key 'password' is missing",
        "password =",
    ),
    ('name = "alice"\n', "", "sipcc.toml:9 agents[0]", "key 'name' is missing", "add a line name"),
    (
        'name = "1001"',
        "name = 1001",
        "sipcc.toml:4 users[0].name",
        "expected a text in quotes, found the number 1001",
        '"1001"',
    ),
    (
        '"a-long-password"',
        "12345678",
        "sipcc.toml:5 users[0].password",
        "a value that is not shown",
        "quotes",
    ),
    (
        "[sip]\n",
        '[sip]\nmin_expires = "60"\n',
        "sipcc.toml:2 sip.min_expires",
        "expected a whole number, found the text '60'",
        "without quotes",
    ),
    (
        "[sip]\n",
        "[sip]\nmin_expires = 0\n",
        "sipcc.toml:2 sip.min_expires",
        "a whole number >= 1, found the number 0",
        "",
    ),
    (
        "[sip]\n",
        '[sip]\nsession_timer = "of"\n',
        "sipcc.toml:2 sip.session_timer",
        'one of "off", "required", "supported"',
        "did you mean 'off'",
    ),
    ("[sip]\n", "[sip]\nsession_timer = false\n", "sipcc.toml:2 sip.session_timer", "found false", ""),
    (
        '"udp:127.0.0.1:5060"]',
        '"udp:127.0.0.1:5060", 5]',
        "sipcc.toml:2 sip.listen[1]",
        "found the number 5",
        "quotes",
    ),
    (
        '["udp:127.0.0.1:5060"]',
        '"udp:127.0.0.1:5060"',
        "sipcc.toml:2 sip.listen",
        "expected a list in [ ]",
        '["udp:127.0.0.1:5060"]',
    ),
    ("udp:127.0.0.1", "upd:127.0.0.1", "sipcc.toml:2 sip.listen[0]", "is no listening address", "udp or tcp"),
    (
        "udp:127.0.0.1:5060",
        "udp:127.0.0.1:70000",
        "sipcc.toml:2 sip.listen[0]",
        "there is no port 70000",
        "65535",
    ),
    (
        "udp:127.0.0.1:5060",
        "udp:example.com:5060",
        "sipcc.toml:2 sip.listen[0]",
        "is no IP address",
        "0.0.0.0",
    ),
    (
        '"udp:127.0.0.1:5060"]',
        '"udp:127.0.0.1:5060", "udp:127.0.0.1:5060"]',
        "sipcc.toml:2 sip.listen[1]",
        "stands there twice",
        "remove",
    ),
    ('["udp:127.0.0.1:5060"]', "[]", "sipcc.toml:2 sip.listen", "the list is empty", "udp:"),
    ("[sip]\n", "[sip]\nmax_expires = 300\n", "sipcc.toml:1 sip.default_expires", "60 to 300, found 600", ""),
    (
        "[sip]\n",
        "[media]\nports = [20001, 29999]\n[sip]\n",
        "sipcc.toml:2 media.ports[0]",
        "must be even, found 20001",
        "write 20002",
    ),
    (
        "[sip]\n",
        "[media]\nports = [20000, 20001]\n[sip]\n",
        "sipcc.toml:2 media.ports",
        "2 ports are not enough",
        "a leg takes 2",
    ),
    (
        "[sip]\n",
        "[media]\nports = [20000, 19000]\n[sip]\n",
        "sipcc.toml:2 media.ports",
        "last above first",
        "",
    ),
    (
        "[sip]\n",
        "[media.recording]\nalarm_percent = [95, 85]\n[sip]\n",
        "sipcc.toml:2 media.recording.alarm_percent",
        "the alarm not below the warning",
        "",
    ),
    (
        "[sip]\n",
        '[media.recording]\nformat = "mp3"\n[sip]\n',
        "sipcc.toml:2 media.recording.format",
        "found the text 'mp3'",
        "",
    ),
    (
        "[sip]\n",
        "[media]\nports = [20000]\n[sip]\n",
        "sipcc.toml:2 media.ports",
        "a list in [ ] of length 2",
        "",
    ),
    (
        "[sip]\n",
        "[media]\nports = [5000, 6000]\n[sip]\n",
        "sipcc.toml:2 media.ports",
        "the SIP listener udp:127.0.0.1:5060 lies within",
        "move",
    ),
    (
        "[sip]\n",
        '[media]\ncodecs = ["PCMU", "PCMX"]\n[sip]\n',
        "sipcc.toml:2 media.codecs[1]",
        "found the text 'PCMX'",
        "did you mean 'PCM",
    ),
    (
        "[sip]\n",
        '[media]\naddress = "0.0.0.0"\n[sip]\n',
        "sipcc.toml:2 media.address",
        "cannot be told to a phone",
        "advertise",
    ),
    (
        "[sip]\n",
        '[media]\naddress = "eth0"\n[sip]\n',
        "sipcc.toml:2 media.address",
        "is no IP address",
        "IP of this machine",
    ),
    (
        'name = "1001"\n',
        'name = "10 01"\npassword = "another-long-one"\n[[users]]\nname = "1001"\n',
        "sipcc.toml:4 users[0].name",
        "is no SIP user name",
        "no spaces",
    ),
    ('"a-long-password"', '""', "sipcc.toml:5 users[0].password", "the password is empty", "env:NAME"),
    (
        '"a-long-password"',
        '"env:NOT_THERE"',
        "sipcc.toml:5 users[0].password",
        "'NOT_THERE' is not set",
        "file:PATH",
    ),
    ('"a-long-password"', '"file:nowhere"', "sipcc.toml:5 users[0].password", "No such file", "relative"),
    (
        '["127.0.0.2"]',
        '["carrier.example.com"]',
        "sipcc.toml:8 trunks[0].addresses[0]",
        "carrier.example.com",
        "IP",
    ),
    ('["127.0.0.2"]', '["0.0.0.0/0"]', "sipcc.toml:8 trunks[0].addresses[0]", "everybody", "networks"),
    (
        'addresses = ["127.0.0.2"]\n',
        "",
        "sipcc.toml:6 trunks[0]",
        "neither addresses nor host",
        "addresses =",
    ),
    (
        '["127.0.0.2"]',
        '["127.0.0.2"]\ncodecs = ["GSM"]',
        "sipcc.toml:9 trunks[0].codecs[0]",
        "unknown codec 'GSM'",
        "known: G722, G729, L16, PCMA, PCMU, opus",
    ),
    (
        '["127.0.0.2"]',
        '["127.0.0.2"]\nregister = true\nhost = "127.0.0.2"',
        "sipcc.toml:9 trunks[0].register",
        "needs 'username'",
        "username =",
    ),
    (
        '["127.0.0.2"]',
        '["127.0.0.2"]\n[[trunks]]\nname = "b"\naddresses = ["127.0.0.2"]',
        "sipcc.toml:11 trunks[1].addresses[0]",
        "belongs to trunk 'carrier' already",
        "one carrier",
    ),
    (
        'user = "1001"',
        'user = "1002"',
        "sipcc.toml:11 agents[0].user",
        "there is no user '1002'",
        "did you mean '1001'",
    ),
    ('user = "1001"\n', "", "sipcc.toml:9 agents[0]", "agent 'alice' has no phone", "user ="),
    (
        'user = "1001"',
        'uri = "13800138000"',
        "sipcc.toml:11 agents[0].uri",
        "cannot be called",
        "TRUNK/NUMBER",
    ),
    (
        '["sales"]',
        '["sale"]',
        "sipcc.toml:12 agents[0].queues[0]",
        "there is no queue 'sale'",
        "did you mean 'sales'",
    ),
    (
        '[[queues]]\nname = "sales"',
        '[[queues]]\nname = "sales"\n[[queues]]\nname = "sales"',
        "sipcc.toml:16 queues[1].name",
        "called 'sales' already, at queues[0]",
        "own name",
    ),
    (
        'name = "sales"\n',
        'name = "sales"\nstrategy = "longest_idle"\n',
        "sipcc.toml:15 queues[0].strategy",
        "unknown strategy 'longest_idle'",
        "did you mean 'longest-idle'",
    ),
    (
        'name = "sales"\n',
        'name = "sales"\nring_timeout = 0\n',
        "sipcc.toml:15 queues[0].ring_timeout",
        "a number > 0, found the number 0",
        "",
    ),
    (
        '"queue:sales"}',
        '"queue:sale"}',
        "sipcc.toml:18 menus[0].options.1",
        "there is no queue 'sale'",
        "did you mean 'sales'",
    ),
    ('{"1" =', '{"x" =', "sipcc.toml:18 menus[0].options.x", "cannot be typed", "0 to 9"),
    ('"welcome"', '"wellcome"', "sipcc.toml:17 menus[0].prompt", "wellcome", "prompts folder"),
    (
        'then = "queue:sales"',
        'then = "dial:nobody"',
        "sipcc.toml:19 menus[0].then",
        "'nobody' cannot be called",
        "sip:",
    ),
    (
        '"menu:main"',
        '"menu:mian"',
        "sipcc.toml:22 numbers[0].to",
        "there is no menu 'mian'",
        "did you mean 'main'",
    ),
    (
        '"menu:main"',
        '"ivr:main"',
        "sipcc.toml:22 numbers[0].to",
        "unknown destination 'ivr:main'",
        "known kinds",
    ),
    ('"menu:main"', '"reject:200"', "sipcc.toml:22 numbers[0].to", "400 to 699", ""),
    (
        '"menu:main"',
        '"play:no_such_prompt"',
        "sipcc.toml:22 numbers[0].to",
        "no_such_prompt",
        "prompts folder",
    ),
    (
        '"menu:main"',
        '"menu:main"\ntrunk = "carier"',
        "sipcc.toml:23 numbers[0].trunk",
        "there is no trunk 'carier'",
        "did you mean 'carrier'",
    ),
    ('"4008123456"', '"400*123"', "sipcc.toml:21 numbers[0].number", "is no number", "at its end"),
    (
        'to = "menu:main"\n',
        'to = "echo"\n[[numbers]]\nnumber = "400-812-3456"\nto = "busy"',
        "sipcc.toml:24 numbers[1].number",
        "has a destination already, at numbers[0]",
        "trunk",
    ),
    ('to = "menu:main"\n', 'to = "echo\n', "sipcc.toml:22", "this is not TOML", "the line is: to ="),
    (
        'name = "main"',
        'name = "main"\nname = "x"',
        "sipcc.toml:17",
        "this is not TOML: cannot overwrite",
        "name =",
    ),
    (
        "[sip]\n",
        '[records]\nrecordings = "sipcc.toml/x"\n[sip]\n',
        "sipcc.toml:2 records.recordings",
        "is no folder",
        "another",
    ),
    (
        "[sip]\n",
        '[records]\ndatabase = "oracul://x"\n[sip]\n',
        "sipcc.toml:2 records.database",
        "unknown kind of database",
        "sqlite",
    ),
    (
        "[sip]\n",
        '[log]\nlevel = "verbose"\n[sip]\n',
        "sipcc.toml:2 log.level",
        "found the text 'verbose'",
        "",
    ),
]

ONLY_HERE = {"wellcome", "no_such_prompt", "is no folder", "unknown kind of database"}
"""Causes that only `check` looks for, because they are about the machine."""


@pytest.mark.parametrize(
    ("old", "new", "where", "cause", "cure"), WRONG, ids=[w[2] + "|" + w[3] for w in WRONG]
)
def test_wrong_files_name_place_cause_and_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, where: str, cause: str, cure: str
) -> None:
    monkeypatch.setattr(
        load_module.__globals__["plugins"], "names", lambda group: ["linear", "longest-idle", "ring-all"]
    )
    assert GOOD.count(old) >= 1
    error = assert_wrong(tmp_path, GOOD.replace(old, new, 1), where, cause, cure)
    assert error.where == where
    path = tmp_path / "sipcc.toml"
    if cause in ONLY_HERE:
        load(path, {})
    else:
        with pytest.raises(ConfigError) as caught:
            load(path, {})
        assert (caught.value.path, caught.value.message) == (where, error.message)


WARNED: list[tuple[str, str, str, str]] = [
    ('"a-long-password"', '"short"', "sipcc.toml:5 users[0].password", "easily guessed"),
    ('queues = ["sales"]\n', "", "sipcc.toml:10 agents[0].name", "serves no queue"),
    ('"queue:sales"}', '"app:vip"}', "", ""),
    ('"menu:main"', '"app:vip"', "sipcc.toml:22 numbers[0].to", "only in a Python program"),
    ("udp:127.0.0.1", "udp:0.0.0.0", "sipcc.toml media.address", "audio is sent to 127.0.0.1"),
    (
        'name = "sales"\n',
        'name = "sales"\nring_timeout = 400\n',
        "sipcc.toml:15 queues[0].ring_timeout",
        "leave after 300",
    ),
    ('["127.0.0.2"]', '["127.0.0.2"]\nusername = "u"', "sipcc.toml:9 trunks[0].username", "no password"),
    (
        'user = "1001"',
        'user = "1001"\nuri = "sip:a@example.com"',
        "sipcc.toml:12 agents[0].uri",
        "both given",
    ),
]


@pytest.mark.parametrize(("old", "new", "where", "cause"), [w for w in WARNED if w[2]])
def test_what_works_but_hardly_as_meant(tmp_path: Path, old: str, new: str, where: str, cause: str) -> None:
    path = written(tmp_path, GOOD.replace(old, new, 1))
    findings = [finding for finding in check(path, {}) if finding.where == where]
    assert [finding.severity for finding in findings] == ["warning"]
    assert cause in findings[0].message
    assert findings[0].hint
    load(path, {})


def test_all_errors_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = GOOD.replace("1001", "10 01", 1).replace('"menu:main"', '"menu:x"').replace('"127.0.0.2"', '"x"')
    path = written(tmp_path, text.replace("[sip]", "[sip]\nnonsense = 1"))
    errors = [finding for finding in check(path, {}) if finding.severity == "error"]
    assert [finding.line for finding in errors] == [2, 5, 9, 12, 23]
    with pytest.raises(ConfigError, match=r"unknown key 'nonsense'.*; 4 more: run sipccd check"):
        load(path, {})


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (missing,) = check(tmp_path / "none.toml", {})
    assert "No such file" in missing.message
    assert "sipccd init" in missing.hint
    (tmp_path / "latin.toml").write_bytes(b"# \xe9\n")
    (latin,) = check(tmp_path / "latin.toml", {})
    assert "not UTF-8: byte 2 is 0xe9" in latin.message
    with pytest.raises(ConfigError):
        load(tmp_path, {})


def test_load_records_needs_nothing_else(tmp_path: Path) -> None:
    path = written(
        tmp_path, GOOD.replace('"a-long-password"', '"env:NOT_THERE"') + '[records]\ndatabase = "env:DB"\n'
    )
    records = load_records(path, {"DB": "x.db", "SIPCC__SIP__DOMIAN": "not asked for"})
    assert records.database == str(tmp_path / "x.db")
    assert load_records(path, {"DB": "x.db", "SIPCC__RECORDS__DATABASE": "/y.db"}).database == "/y.db"
    with pytest.raises(ConfigError, match="'DB' is not set"):
        load_records(path, {})
    with pytest.raises(ConfigError, match="not TOML"):
        load_records(written(tmp_path, "["), {})
    with pytest.raises(ConfigError, match="No such file"):
        load_records(tmp_path / "none.toml", {})


JUNK = st.sampled_from([0, -1, 2**70, 1.5, True, "", "x", "env:X", "file:/", [], [1], [[]], {}, {"name": 1}])


@settings(max_examples=so_many(150, 40))
@given(st.data())
def test_whatever_stands_there_is_a_finding(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Any value in the place of any other is read or reported; nothing is ever raised."""
    tree: dict[str, Any] = copy.deepcopy(tomllib.loads(GOOD))
    node: Any = tree
    while True:
        key = data.draw(st.sampled_from(list(node) if isinstance(node, dict) else list(range(len(node)))))
        if not isinstance(node[key], dict | list) or not node[key] or data.draw(st.booleans()):
            break
        node = node[key]
    node[key] = data.draw(JUNK)
    path = tmp_path_factory.mktemp("any") / "sipcc.toml"
    path.write_text("".join(f"{name} = {_toml(value)}\n" for name, value in tree.items()))
    findings = check(path, {})
    assert all(finding.message and finding.where for finding in findings)
    try:
        load(path, {})
    except ConfigError:
        assert any(finding.severity == "error" for finding in findings)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {_toml(item)}' for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return (
        str(value).lower()
        if isinstance(value, bool)
        else f'"{value}"'
        if isinstance(value, str)
        else str(value)
    )


@pytest.mark.parametrize("depth", [150, 300, 2000])
def test_lists_that_are_nested_too_deeply_are_refused(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "sipcc.toml"
    path.write_text(f"{GOOD}\nx = {'[' * depth}{']' * depth}\n")
    assert [str(each) for each in check(path, {})] == [
        "error: sipcc.toml: this is not TOML: it is nested too deeply (take out some of the brackets)"
    ]
