"""Flows as people write them, read; and what they are told when it is wrong."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from sipcc.errors import ConfigError
from sipcc.ivr.flows.load import NODES, parse_flow, read_flow
from sipcc.ivr.flows.model import Edge, Read, Set, Variants, fill
from sipcc.ivr.flows.nodes import Gather, Menu
from sipcc.ivr.steps import Audio, Named, Silence, Text, Value

BANK = """start = "card"
fallback = "queue:agents"
languages = ["en", "zh-CN"]
retry = { noinput = 1, noinput_prompt = ["Are you still there?"] }

[nodes.card]
type = "gather"
prompt = ["welcome", "Please type your card number.", {say = "digits", value = "{caller}"}]
digits = 16
secret = true
into = "card"
keys = { "*" = "top" }
then = "verify"

[nodes.verify]
type = "lookup"
url = "http://127.0.0.1:8080/verify"
send = { card = "{card}" }
into = "account"
when = [["account.level >= 3", "queue:vip"]]
then = "menu"

[nodes.menu]
type = "menu"
prompt = { zh = "按一", en = "Press one." }
options = { "1,2" = "back", "0" = "queue:agents" }
retry = { then = "hangup" }
"""


def faults(text: str) -> list[str]:
    flow, report = parse_flow(text, "bank", file="bank.toml")
    assert (flow is None) is report.failed
    return [str(finding) for finding in report.sorted()]


def test_a_flow_is_read() -> None:
    flow, report = parse_flow(BANK, "bank", file="bank.toml")
    assert flow is not None
    assert report.findings == []
    assert flow.start == "card"
    assert list(flow.nodes) == ["card", "verify", "menu"]
    card = flow.nodes["card"]
    assert isinstance(card, Gather)
    assert card.prompt == (
        Named("welcome"),
        Text("Please type your card number."),
        Value("digits", "{caller}"),
    )
    assert card.sets() == (Set("card", ("into",), secret=True),)
    assert card.reads() == (Read("caller", "spoken", ("prompt",)),)
    assert flow.nodes["verify"].reads() == (
        Read("card", "sent", ("send", "card")),
        Read("account.level", "condition", ("when", 0, 0)),
    )
    menu = flow.nodes["menu"]
    assert isinstance(menu, Menu)
    assert menu.choices() == {"1": "1,2", "2": "1,2", "0": "0"}
    assert menu.prompt == (Variants({"zh": (Text("按一"),), "en": (Text("Press one."),)}),)


def test_edges_have_names_targets_and_places() -> None:
    flow, _ = parse_flow(BANK, "bank", file="bank.toml")
    assert flow is not None
    assert flow.edges_of("verify") == (
        Edge("when.0", "queue:vip", ("when", 0, 1), "account.level >= 3"),
        Edge("then", "menu", ("then",)),
        Edge("failed", "queue:agents", ("failed",), "failed", fallen=True),
    )
    assert [edge.target for edge in flow.edges_of("card")] == ["verify", "top", "queue:agents"]
    assert [edge.target for edge in flow.edges_of("menu")] == ["back", "queue:agents", "hangup"]
    assert flow.where("verify", ("when", 0, 1)) == "bank.toml:20:32"
    assert flow.where("menu") == "bank.toml:23:1"


def test_targets_are_words_nodes_or_destinations() -> None:
    flow, _ = parse_flow(BANK, "bank")
    assert flow is not None
    assert flow.resolve("top").special == "top"
    assert flow.resolve("menu").node == "menu"
    assert str(flow.resolve("queue:vip").destination) == "queue:vip"
    assert flow.resolve("manu").unknown == "there is no node 'manu'"
    assert flow.resolve("quue:vip").unknown.startswith("unknown destination 'quue:vip'")


def test_json_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "bank.toml").write_text(BANK)
    (tmp_path / "bank.json").write_text(json.dumps(tomllib.loads(BANK), indent=2))
    toml, other = read_flow(tmp_path / "bank.toml"), read_flow(tmp_path / "bank.json")
    assert toml.digest == other.digest == toml.version
    assert toml.nodes == other.nodes
    assert other.where("menu", ("options", "0")).startswith("bank.json:")


def test_what_is_heard_can_be_written_in_many_ways() -> None:
    text = BANK.replace(
        'prompt = { zh = "按一", en = "Press one." }',
        """prompt = ["silence:500", {silence = 0.5}, {text = "Goodbye", voice = "amy"}, {prompt = "你好"},
        {audio = "https://example.com/{caller}.wav", otherwise = "welcome"},
        {text = {en = "one", zh = "一"}}]""",
    )
    flow, report = parse_flow(text, "bank")
    assert report.findings == []
    assert flow is not None
    assert flow.nodes["menu"].says()[0][1] == (
        Named("silence:500"),
        Silence(0.5),
        Text("Goodbye", voice="amy"),
        Named("你好"),
        Audio("https://example.com/{caller}.wav", (Named("welcome"),)),
        Variants({"en": (Text("one"),), "zh": (Text("一"),)}),
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            '"gather"',
            '"gathr"',
            "bank.toml:7:1 nodes.card.type: there is no type of node 'gathr' (did you mean",
        ),
        ("digits = 16", 'digits = "x"', "bank.toml:9:1 nodes.card.digits: expected a whole number or a list"),
        ("digits = 16", "digits = [9, 4]", "nodes.card.digits: 9 to 4 keys cannot be typed"),
        ("digits = 16", "", "nodes.card: nothing says what the answer is (add digits = NUMBER"),
        ('"*" = "top"', '"5" = "top"', "bank.toml:12:10 nodes.card.keys.5: '5' is part of the answer"),
        ('into = "card"', 'into = "caller"', "nodes.card.into: 'caller' has its value from the call"),
        ('into = "card"', 'into = "my card"', "nodes.card.into: 'my card' is no name for a variable"),
        ('say = "digits"', 'say = "digit"', "nodes.card.prompt[2].say: 'digit' is no kind of value (did you"),
        ('"{caller}"', '"{caller"', "nodes.card.prompt[2].value: a brace stands alone"),
        ('"{card}"', '"{card + 1}"', "nodes.verify.send.card: {card + 1} is no name in braces"),
        ("level >= 3", "level >=", "bank.toml:20:10 nodes.verify.when[0][0]: expected a name or a value"),
        ('url = "http', 'url = "ftp', "nodes.verify.url: 'ftp://127.0.0.1:8080/verify' is no address"),
        ('url = "', 'source = "crm"\nurl = "', "nodes.verify: it has source and url, or neither"),
        (
            "prompt = { zh",
            "promt = { zh",
            "bank.toml:25:1 nodes.menu.promt: unknown key 'promt' (did you mean",
        ),
        ('zh = "按一"', '"1" = "按一"', "nodes.menu.prompt.1: '1' is neither a language nor a key"),
        ('"1,2" = "back"', '"1,x" = "back"', "nodes.menu.options.1,x: 'x' cannot be typed"),
        (
            'start = "card"',
            'start = "cart"',
            "bank.toml:1:1 start: there is no node 'cart' (did you mean 'card'",
        ),
        ("noinput = 1", "noinput = -1", "retry.noinput: the number of retries is negative"),
        ("[nodes.menu]", '[nodes."my menu"]', "nodes.my menu: 'my menu' is no name for a node"),
        ("[nodes.menu]", "[nodes.back]", "nodes.back: 'back' is a word that targets have"),
        ("fallback =", "falback =", "bank.toml:2:1 falback: unknown key 'falback' (did you mean 'fallback'"),
        ("digits = 16", "digits = ", "bank.toml:9:10: this is not TOML: invalid value"),
    ],
)
def test_mistakes_are_told_with_place_and_cure(old: str, new: str, told: str) -> None:
    assert old in BANK
    found = faults(BANK.replace(old, new, 1))
    assert any(told in one for one in found), found


@pytest.mark.parametrize("value", ["-3", "0", "nan", "1e99", "inf"])
@pytest.mark.parametrize(
    ("old", "key"),
    [
        ('start = "card"', "interdigit"),
        ('start = "card"', "timeout"),
        ("digits = 16", "nodes.card.interdigit"),
        ("digits = 16", "nodes.card.max_time"),
        ('into = "account"', "nodes.verify.deadline"),
        ('into = "account"', "nodes.verify.cache"),
        ('into = "account"', "nodes.verify.wait_after"),
    ],
)
def test_a_time_that_cannot_be_is_refused_where_it_stands(old: str, key: str, value: str) -> None:
    found = faults(BANK.replace(old, f"{old}\n{key.rpartition('.')[2]} = {value}", 1))
    if value == "0" and key.endswith(("cache", "wait_after")):
        assert found == []
    else:
        assert len(found) == 1
        assert f" {key}: expected a number " in found[0]
        assert "(write " in found[0]


@pytest.mark.parametrize("value", ["-3", "nan", "1e99", "true", '"x"'])
@pytest.mark.parametrize("key", ["offset", "silence"])
def test_a_time_in_a_prompt_that_cannot_be_is_refused(key: str, value: str) -> None:
    heard = "{ silence = VALUE }" if key == "silence" else '{ audio = "a.wav", offset = VALUE }'
    found = faults(BANK.replace('"welcome"', heard.replace("VALUE", value), 1))
    assert any(f"nodes.card.prompt[0].{key}: expected seconds" in one for one in found), found


def test_the_error_of_a_file_names_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        read_flow(tmp_path / "none.toml")
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(ConfigError, match=r"x\.json:1:2: this is not JSON"):
        read_flow(tmp_path / "x.json")
    (tmp_path / "x.toml").write_text("start = 'a'")
    with pytest.raises(ConfigError, match="the flow has no nodes"):
        read_flow(tmp_path / "x.toml")
    (tmp_path / "x.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not UTF-8: byte 0 is 0xff"):
        read_flow(tmp_path / "x.toml")


def test_deep_nesting_is_refused() -> None:
    texts = [
        ("a = " + "[" * 5000, False),
        ("[" * 100000, True),
        *(("a = " + "[" * depth + "]" * depth, False) for depth in (150, 300, 900, 2000)),
        ("[" + ".".join("a" * 3000) + "]", False),
        ("[" * 900 + "]" * 900, True),
    ]
    for text, is_json in texts:
        flow, report = parse_flow(text, "deep", is_json=is_json)
        assert flow is None
        assert [one.message.rpartition(": ")[2] for one in report.findings] == ["it is nested too deeply"]


def test_templates_hold_names_only() -> None:
    assert fill("{a} and {{b}} and {a.b}", {"a": 1, "a.b": "x"}.__getitem__) == "1 and {b} and x"


def test_every_type_has_a_name() -> None:
    assert len(NODES) == 21


@pytest.mark.parametrize(
    ("node", "told"),
    [
        (
            'type = "survey"\nstore = "x"\nlow = {below = 9, then = "back"}',
            "nodes.z.low.below: every answer is",
        ),
        ('type = "survey"\nstore = "x"\nlow = {below = 1, then = "back"}', "nodes.z.low.below: no answer is"),
        ('type = "dial"\nto = "sip:x y"', "nodes.z.to: 'sip:x y' has a space in it"),
        ('type = "dial"\nto = ["1001", "sip:"]', "nodes.z.to[1]: 'sip:' names nobody"),
        ('type = "transfer"\nto = ""', "nodes.z.to: '' has a space in it, or nothing"),
        (
            'type = "goto"\nto = "queue:agents "',
            "nodes.z.to: there is a space before or after 'queue:agents '",
        ),
        ('type = "goto"\nto = "dial:sip:"', "nodes.z.to: 'sip:' names nobody"),
        ('type = "menu"\noptions = {"1" = "dial:sip:"}', "nodes.z.options.1: 'sip:' names nobody"),
        (
            'type = "bot"\nbot = "b"\nways = {"" = "back"}',
            "nodes.z.ways.: the program cannot ask for nothing",
        ),
        ('type = "say"\nprompt = ""', "nodes.z.prompt: nothing is heard here"),
        ('type = "say"\nprompt = ["welcome", ""]', "nodes.z.prompt[1]: nothing is heard here"),
    ],
)
def test_what_leads_or_says_nothing_is_refused(node: str, told: str) -> None:
    found = faults(f"{BANK}\n[nodes.z]\n{node}\n")
    assert any(told in one and one.endswith(")") for one in found), found


@pytest.mark.parametrize(
    ("node", "told"),
    [
        ("values = {t = true, z = [1, 2]}", "nodes.z.values.z: expected true or false or"),
        ("values = {y = 'a', d = 2020-01-01}", "nodes.z.values.d: expected true or false or"),
        (
            "url = 'http://x/'\ninto = 'x'\nanswer = {a = 'numbr'}",
            "nodes.z.answer.a: expected one of ",
        ),
    ],
)
def test_a_wrong_value_in_a_table_is_named_by_its_key(node: str, told: str) -> None:
    kind = "set" if node.startswith("values") else "lookup"
    found = faults(f'{BANK}\n[nodes.z]\ntype = "{kind}"\n{node}\n')
    assert len(found) == 1
    assert told in found[0]
    assert "write true or false" not in found[0]
    assert kind == "set" or "found the text 'numbr' (did you mean 'number'?)" in found[0]
