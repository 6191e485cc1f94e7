"""Hostile documents of the IVR: grammars, TwiML, jambonz verbs and flows that would harm who reads them.

Each is refused with an error of ours, in a time that the limit of a test allows.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
from collections.abc import Callable

import pytest

from sipcc.errors import SipccError
from sipcc.ivr.fetch import FetchError, FetchRequest, FetchSettings, FolderFetcher
from sipcc.ivr.fetchhttp import HttpFetcher
from sipcc.ivr.flows.load import parse_flow
from sipcc.ivr.flows.simulate import simulate
from sipcc.ivr.grammar import GrammarError, load_grammar, parse_grammar
from sipcc.ivr.hooks import jambonz, twiml
from sipcc.ivr.vxml import Simulation

DEEP = 200_000
SRGS = 'xmlns="http://www.w3.org/2001/06/grammar" version="1.0" xml:lang="en" root="r"'


def grammar(inside: str, before: str = "") -> bytes:
    return f'{before}<grammar {SRGS}><rule id="r">{inside}</rule></grammar>'.encode()


def response(inside: str, before: str = "") -> bytes:
    return f"{before}<Response><Say>{inside}</Say></Response>".encode()


def form(inside: str, before: str = "") -> bytes:
    return f'{before}<vxml version="2.1"><form><block>{inside}</block></form></vxml>'.encode()


BOMB = "<!DOCTYPE x [" + '<!ENTITY a0 "lol">' + "".join(
    f'<!ENTITY a{number} "{f"&a{number - 1};" * 10}">' for number in range(1, 12)
) + "]>"  # fmt: skip
QUADRATIC = f'<!DOCTYPE x [<!ENTITY a "{"a" * 50_000}">]>'
EXTERNAL = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
PARAMETER = '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:1/p.dtd"> %p;]>'
ATTRIBUTE = '<!DOCTYPE x [<!ENTITY a "b"><!ATTLIST rule id CDATA "&a;">]>'

XML_BOMBS = {
    "entities in entities": ("&a11;", BOMB),
    "one entity very often": ("&a;" * 20_000, QUADRATIC),
    "an external entity": ("&a;", EXTERNAL),
    "a parameter entity": ("hello", PARAMETER),
    "an entity in an attribute": ("hello", ATTRIBUTE),
    "an unknown entity": ("&a;", ""),
    "depth": ("<item>" * DEEP + "</item>" * DEEP, ""),
    "depth without an end": ("<item>" * DEEP, ""),
    "XInclude": ('<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/>', ""),
    "a zero byte": ("a\0b", ""),
    "a surrogate": ("&#xD800;", ""),
    "a long attribute name": (f"<item {'x' * 100_000}='1'/>", ""),
}


@pytest.mark.parametrize("bomb", XML_BOMBS)
@pytest.mark.parametrize("form", [grammar, response])
def test_hostile_xml(bomb: str, form: Callable[[str, str], bytes]) -> None:
    read: Callable[[bytes], object] = parse_grammar if form is grammar else twiml.read
    with pytest.raises(SipccError) as caught:
        read(form(*XML_BOMBS[bomb]))
    assert "root:" not in str(caught.value)
    assert len(str(caught.value)) < 1000 + 100_000 * (bomb == "a long attribute name")


@pytest.mark.parametrize("bomb", XML_BOMBS)
def test_hostile_voicexml(bomb: str) -> None:
    """Refused, or a document in which nothing of it is left to be carried out."""
    url = "http://www.example.com/start.vxml"
    simulation = Simulation(url, documents={url: form(*XML_BOMBS[bomb])})
    assert simulation.exit is not None
    assert "root:" not in str(simulation.exit)


@pytest.mark.parametrize(
    "source",
    [
        "(" * DEEP,
        "(" * DEEP + "a" + ")" * DEEP,
        "[" * DEEP,
        "a " * 110_000,
        "{" * DEEP,
        "/*" * DEEP,
        "/" * DEEP,
        '"' * (DEEP + 1),
        "<" * DEEP,
        "$" * DEEP,
        "a <" + "9" * DEEP + ">",
        "/" + "9" * DEEP + "." * 9 + "/ a",
        "a !" + "x" * DEEP,
    ],
    ids=lambda source: f"{source[:6]}",
)
def test_hostile_abnf(source: str) -> None:
    with pytest.raises(GrammarError) as caught:
        parse_grammar(f"#ABNF 1.0; language en; root $r; $r = {source};")
    assert caught.value.line == 1


HUNGRY = {
    "repeats in repeats": '<item repeat="0-"><item repeat="0-"><item repeat="0-">1</item></item></item>',
    "a repeat of a million": '<item repeat="1000000"><item repeat="0-1">1</item></item>',
    "a billion in six repeats": '<item repeat="1000000">' * 6 + "1" + "</item>" * 6,
    "ambiguous": '<one-of><item><ruleref uri="#r"/><ruleref uri="#r"/></item><item>1</item></one-of>',
    "or nothing": '<one-of><item/><item><ruleref uri="#r"/><ruleref uri="#r"/></item><item>1</item></one-of>',
    "garbage": '<ruleref special="GARBAGE"/>' * 8,
    "to itself": '<ruleref uri="#r"/>',
    "all the same": "<one-of>" + "<item>1 2</item>" * 3_000 + "</one-of>",
    "nothing a million times": '<item repeat="1000000-"><ruleref special="NULL"/></item>',
}


@pytest.mark.parametrize("name", HUNGRY)
@pytest.mark.parametrize("keys", ["1", "1" * 64, "1" * 5000])
def test_hungry_grammars_have_an_end(name: str, keys: str) -> None:
    source = grammar(HUNGRY[name]).replace(b"version=", b'mode="dtmf" version=')
    made = asyncio.run(load_grammar(source))
    with contextlib.suppress(GrammarError):
        made.match(keys)
    matcher = made.matcher()
    for end in range(0, min(64, len(keys)) + 1, 8):
        matcher.check(keys[:end])


def test_a_tree_of_five_hundred_levels() -> None:
    left = '<one-of><item><ruleref uri="#r"/>a<tag>t</tag></item><item>a</item></one-of>'
    match = asyncio.run(load_grammar(grammar(left))).match("a " * 500)
    assert match is not None
    assert str(match.tree).count("$r[") == 500
    assert len(match.tags) == 499
    assert match.meaning() == "t"


SEEDS = [
    grammar(
        'a<token>b c</token><one-of><item weight="2">d</item><item repeat="0-2">e<tag>1</tag></item></one-of>'
    ),
    grammar('<item repeat="1-"><ruleref uri="#r"/></item><ruleref special="GARBAGE"/><item/>"x y"'),
    b"#ABNF 1.0 UTF-8; language en-US; mode voice; root $r; tag-format <semantics/1.0>; meta 'a' is 'b';\n"
    b'/** @example a */ public $r = /2/ a "b c"!fr <1-2 /0.5/> {x = 1} | [$x | ()] $NULL;'
    b"$x = {!{ {} }!} d; // e",
]
ODD = [
    b"",
    b"\0",
    b"<",
    b">",
    b"&",
    b'"',
    b"'",
    b"{",
    b"}",
    b"[",
    b"(",
    b"$",
    b"/*",
    b"//",
    b"\xff",
    b"\xe4\xb8\xad",
    b"9" * 30,
    b"#",
]
MUTANTS = int(os.environ.get("SIPCC_MUTANTS", "200"))


@pytest.mark.parametrize("seed", range(3))
def test_mutated_grammars_are_read_or_refused(seed: int) -> None:
    chance = random.Random(seed)
    refused = 0
    for _ in range(MUTANTS):
        source = SEEDS[seed]
        for _ in range(chance.randint(1, 5)):
            at, length = chance.randrange(len(source)), chance.choice((0, 1, 1, 3, 20))
            piece = chance.choice([*ODD, source[chance.randrange(len(source)) :][:20]])
            source = source[:at] + piece + source[at + length :]
        try:
            made = asyncio.run(load_grammar(source))
        except GrammarError as error:
            refused += bool(error.line)
            continue
        with contextlib.suppress(GrammarError):  # it has no root, or takes too long
            made.match("a b c d e")
    assert refused > MUTANTS // 4


def test_grammars_that_fetch_without_end() -> None:
    class Endless(FolderFetcher):
        count = 0

        def _file(self, url: str) -> None:
            self.count += 1
            self.documents[url] = grammar(f'<ruleref uri="{self.count}.grxml"/>')

        async def fetch(self, request: FetchRequest):  # type: ignore[no-untyped-def]
            self._file(request.target)
            return await super().fetch(request)

    fetcher = Endless()
    with pytest.raises(GrammarError, match="more than 50 grammars"):
        asyncio.run(load_grammar(url="http://example.com/0.grxml", fetcher=fetcher))
    assert fetcher.count <= 50


@pytest.mark.realtime
@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:1/x", "http://2130706433/x", "http://0x7f.1/x", "http://[::ffff:127.0.0.1]/x", "http://0/x",
        "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd", "http://localhost:1/x", "gopher://127.0.0.1/x",
        "http://[fe80::1]/", "http://10.0.0.1/", "data:text/plain,x", "//127.0.0.1/x", "http://user@127.0.0.1/x",
    ],
)  # fmt: skip
async def test_grammars_do_not_reach_inside(uri: str) -> None:
    fetcher = HttpFetcher(FetchSettings())
    with pytest.raises(SipccError) as caught:
        await load_grammar(
            grammar(f'<ruleref uri="{uri}"/>'), url="http://www.example.com/g", fetcher=fetcher
        )
    cause = caught.value.__cause__
    assert isinstance(cause, FetchError)
    assert cause.fault == "refused"
    await fetcher.close()


@pytest.mark.parametrize(
    "body",
    [
        b"[" * DEEP,
        b'[{"verb": "say", "text": ' + b"[" * DEEP,
        b'{"verb": ' * DEEP,
        b'[{"verb": "gather", "say": ' + b'{"say": ' * 900 + b"1" + b"}" * 901 + b"]",
        b'[{"verb": "pause", "length": NaN}]',
        b'[{"verb": "pause", "length": 1e999}]',
        b'[{"verb": "pause", "length": -1}]',
        json.dumps([{"verb": "hangup"}] * 10_000).encode(),
        b'"\xff\xfe"',
        b"\0",
    ],
    ids=range(10),
)
def test_hostile_verbs(body: bytes) -> None:
    with pytest.raises(SipccError) as caught:
        jambonz.read(body)
    assert str(caught.value)


NODE = '[[node]]\ntype = "goto"\n'


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * DEEP,
        "[" * DEEP,
        "[a" + ".a" * 5000 + "]",
        "a" + ".a" * 5000 + " = 1",
        'start = "a"\n' + "".join(f'[node.n{number}]\ntype = "hangup"\n' for number in range(6000)),
        'start = "\0"',
        'start = "a"\n[node.a]\ntype = "switch"\nwhen = [["' + "(" * 5000 + '", "a"]]\nelse = "a"',
        'start = "a"\n[node.a]\ntype = "switch"\nwhen = [["9 ** 9 ** 9 ** 9 > 1", "a"]]\nelse = "a"',
        'start = "a"\n[node.a]\ntype = "switch"\nwhen = [["__import__(1)", "a"]]\nelse = "a"',
    ],
    ids=range(9),
)
def test_hostile_flows(text: str) -> None:
    flow, report = parse_flow(text, "hostile")
    assert report.sorted() or flow is None


def test_a_flow_that_goes_round_in_circles_is_left() -> None:
    text = 'start = "a"\n[node.a]\ntype = "goto"\nto = "b"\n[node.b]\ntype = "goto"\nto = "a"\n'
    flow, _ = parse_flow(text, "round")
    if flow is not None:
        simulated = simulate(flow)
        assert len(simulated.path) <= 2000
