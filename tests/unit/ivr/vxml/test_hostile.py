"""Documents that mean harm, or none at all: every one comes to an end, and nothing breaks.

Some hundreds of mutated documents are tried here; ``VXML_DOCUMENTS=100000`` tries more.
"""
# ruff: noqa: E501  # documents stand in lines of their own

from __future__ import annotations

import os
import random
import re
import time

import pytest
from tests.unit.ivr.vxml.documents import BASE, vxml, words

from sipcc.ivr.js import ScriptLimits
from sipcc.ivr.vxml import DocumentError, Exit, Library, Limits, ParseLimits, Simulation
from sipcc.ivr.vxml.check import problems
from sipcc.ivr.vxml.parse import parse

COUNT = int(os.environ.get("VXML_DOCUMENTS", "400"))
LIMITS = Limits(script=ScriptLimits(seconds=0.02))
REASONS = {"exit", "done", "hangup", "transfer", "error", "limit"}

SEEDS = [
    vxml(f"""<property name="timeout" value="3s"/><var name="x" expr="1"/><script>function f(n) {{ return n + x }}</script>
      <link event="help">{words("help")}</link><catch event="help" count="2"><prompt>H <value expr="_event"/></prompt><reprompt/></catch>
      <form id="a"><var name="y" expr="f(2)"/><block name="b" cond="y &gt; 1"><assign name="x" expr="y"/><clear namelist="b"/>
      <if cond="x &gt; 5"><goto next="#m"/><elseif cond="x == 2"/><throw event="my.event" message="m"/><else/><log label="l">n <value expr="x"/></log></if>
      <goto nextitem="c"/></block><field name="c" type="digits?length=2" modal="true"><prompt count="1" timeout="2s" bargein="false">Two <break time="1s"/><mark name="k"/></prompt>
      <filled><foreach item="i" array="[1,2]"><log expr="i"/></foreach></filled></field>
      <filled namelist="c" mode="any"><submit next="two.vxml" namelist="c x" method="post"/></filled></form>
      <menu id="m" dtmf="true" scope="document"><prompt><enumerate>For <value expr="_prompt"/></enumerate></prompt><choice next="#a">back</choice><choice event="exit">out</choice></menu>"""),
    vxml("""<form><subdialog name="s" src="#sub"><param name="p" expr="3"/><filled><log expr="s.p"/></filled></subdialog>
      <record name="r" beep="true" maxtime="5s" dtmfterm="true"/><transfer name="t" dest="tel:1" bridge="true" maxtime="9s"/>
      <block><data name="d" src="d.xml"/><log expr="d.documentElement.tagName"/><audio expr="r">none</audio><disconnect/></block></form>
      <form id="sub"><var name="p"/><block><return namelist="p"/></block></form>"""),
    vxml(f"""<form>{words("from rome")}<initial name="i"><prompt>Go</prompt><nomatch count="2"><assign name="i" expr="true"/></nomatch></initial>
      <field name="o" slot="a.b"><option dtmf="1" value="x">one</option><option accept="approximate">two words</option></field>
      <object name="j" classid="x"/><error><exit expr="_event"/></error></form>""", "application='root.vxml' xml:lang='en'"),
]  # fmt: skip
PIECES = sorted({piece for seed in SEEDS for piece in re.findall(r"<[^>]*>|\"[^\"]*\"|[A-Za-z]+", seed)})
ODD = ["", "\0", "&", "&lt;", "<", "]]>", "\ud83d", "é", "9" * 40, "-1s", "#", "nobody", "while(1){}", "while(true){}", "{{}}", "recursion()", "#a", "start.vxml"]  # fmt: skip


def mutated(rng: random.Random) -> str:
    text = rng.choice(SEEDS)
    for _ in range(rng.randint(1, 6)):
        parts = re.split(r"(<[^>]*>|\"[^\"]*\")", text)
        at = rng.randrange(len(parts))
        match rng.randrange(6):
            case 0:
                parts[at] = ""
            case 1:
                parts[at] = rng.choice(PIECES)
            case 2:
                parts.insert(at, parts[rng.randrange(len(parts))])
            case 3:
                parts[at] = parts[at].replace(rng.choice("abcdeimnot"), rng.choice(ODD), 1)
            case 4:
                parts[at] = f'"{rng.choice(ODD)}"' if parts[at].startswith('"') else parts[at]
            case _:
                other = rng.randrange(len(parts))
                parts[at], parts[other] = parts[other], parts[at]
        text = "".join(parts)
    return text


DEEDS = ("say help", "say yes", "keys", "silence", "say from rome", "transfer", "long")


def live(simulation: Simulation, rng: random.Random) -> Exit:
    """Answer by chance until it is over."""
    for _ in range(12):
        if simulation.exit is not None:
            return simulation.exit
        deed = rng.choice(DEEDS)
        if simulation.waiting == "transfer" and deed == "transfer":
            simulation.transfer(rng.choice(("busy", "connected", "404")))
        elif deed.startswith("say "):
            simulation.say(deed[4:], rng.random())
        elif deed == "keys":
            simulation.press(rng.choice(("1", "12", "#", "9*")))
        elif deed == "long":
            simulation.say("help " * 300)
        else:
            simulation.silence()
    if simulation.exit is None:
        simulation.hangup()
    assert simulation.exit is not None
    return simulation.exit


def attempt(text: str, rng: random.Random) -> Exit:
    body = text.encode("utf-8", "replace")
    documents = {
        BASE + "start.vxml": body,
        BASE + "two.vxml": SEEDS[1],
        BASE + "d.xml": "<d/>",
        BASE + "root.vxml": vxml("<var name='q' expr='1'/>"),
    }
    return live(Simulation(BASE + "start.vxml", documents=documents, limits=LIMITS), rng)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_seeds_are_right(seed: str) -> None:
    assert list(problems(parse(seed.encode(), "seed"))) == []


@pytest.mark.timeout(20 + COUNT / 10)
@pytest.mark.parametrize("part", range(4))
def test_mutated_documents_come_to_an_end(part: int) -> None:
    slowest = 0.0
    for number in range(part, COUNT, 4):
        rng = random.Random(number)
        text = mutated(rng)
        began = time.perf_counter()
        ended = attempt(text, rng)
        slowest = max(slowest, time.perf_counter() - began)
        assert ended.reason in REASONS, (number, ended)
        if (
            ended.event == "error.badfetch"
            and "start.vxml" in ended.message
            and "there is no" not in ended.message
        ):
            assert re.search(r"start\.vxml:\d+:\d+: |has no dialog", ended.message), (number, ended)
    assert slowest < 15


@pytest.mark.parametrize(
    "body",
    [
        "<form id='f'><block><goto next='#f'/></block></form>",
        "<form><block name='b'><clear/></block></form>",
        "<form><block name='b'><goto nextitem='b'/></block></form>",
        "<form><catch event='e'><throw event='e'/></catch><block><throw event='e'/></block></form>",
        "<form><block><goto next='start.vxml'/></block></form>",
        "<form><block><submit next='start.vxml'/></block></form>",
        "<catch event='error'><goto next='start.vxml'/></catch><form><var name='x' expr='nobody'/></form>",
        "<form><block><foreach item='i' array='new Array(100000)'><log>x</log></foreach></block></form>",
        "<form><block><prompt><foreach item='i' array='new Array(100000)'>x</foreach></prompt></block></form>",
        "<form><block><var name='x' expr=\"'x'.repeat(1e9)\"/></block></form>",
        "<form><block><prompt><value expr=\"'x'.repeat(1e6)\"/></prompt></block></form>",
        "<form><script>var o = {}; o.o = o;</script><block><exit expr='o'/></block></form>",
        "<form><script>var o = {toString: function () { while (true); }};</script><block><value expr='o'/></block></form>",
        "<form><script>Object.prototype.nobody = 1; JSON.stringify = null; Array.isArray = null</script><block><exit expr='[1]'/></block></form>",
        "<form><script>this.x = 1; globalThis.parse = 2; delete this.document</script><block><exit/></block></form>",
        "<form><subdialog src='start.vxml'/></form>",
    ],
)
def test_endless_documents_are_stopped(body: str) -> None:
    documents = {BASE + "start.vxml": vxml(body)}
    ended = Simulation(BASE + "start.vxml", documents=documents, limits=LIMITS).exit
    assert ended is not None
    assert ended.reason in ("limit", "error", "exit", "done")


def test_a_circle_of_questions_that_wait_for_nobody_is_stopped() -> None:
    body = """<form id="f"><field type="digits"><prompt timeout="0s"/><noinput><goto next="#f"/></noinput></field></form>"""
    simulation = Simulation(BASE + "start.vxml", documents={BASE + "start.vxml": vxml(body)}, limits=LIMITS)
    for _ in range(1000):
        if simulation.exit is None:
            simulation.silence()
    assert simulation.exit is not None
    assert simulation.exit.reason == "limit"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><vxml/>", "entity"),
        (b"<!DOCTYPE a [<!ENTITY % b SYSTEM 'http://10.0.0.1/'>%b;]><vxml/>", "entity"),
        (b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><vxml>&x;</vxml>", ""),
        (b"<a>" * 300, "nested deeper than 200"),
        (b"<a>" + b"<b/>" * 60_000 + b"</a>", "more than 50000 elements"),
        (b"<a>" + b"x" * 1_100_000 + b"</a>", "longer than 1000000 bytes"),
        (b"<?xml version='1.0' encoding='none'?><a/>", "encoding"),
        (b"\xff\xfe<\x00a", ""),
        (b"", "no element"),
        (b"\0", ""),
        (b"<a>\xff</a>", "not in utf-8"),
    ],
)
def test_documents_that_mean_harm_are_refused_with_their_place(body: bytes, problem: str) -> None:
    with pytest.raises(DocumentError) as refused:
        Library(ParseLimits()).document(_fetched(body), "http://a.example.com/x")
    assert problem in refused.value.problem
    assert refused.value.line >= 1
    assert refused.value.column >= 1


def _fetched(body: bytes):  # type: ignore[no-untyped-def]
    from sipcc.ivr.fetch import Fetched

    return Fetched(url="http://a.example.com/x", body=body)


@pytest.mark.parametrize("charset", ["utf-8", "utf-16", "gb18030", "iso-8859-1"])
def test_encodings(charset: str) -> None:
    text = "café" if charset == "iso-8859-1" else "零"
    body = f"<?xml version='1.0' encoding='{charset}'?><vxml version='2.1'><form><block>{text}</block></form></vxml>"
    simulation = Simulation(BASE + "start.vxml", documents={BASE + "start.vxml": body.encode(charset)})
    assert simulation.prompts == [text]
