"""Assertions of VoiceXML 2.0 §1 and §2, each with a document of its own."""
# ruff: noqa: E501  # documents stand in lines of their own

from collections.abc import Sequence

import pytest
from tests.unit.ivr.vxml.documents import BASE, vxml, words

from sipcc.ivr.vxml import simulate

AB = words("a", "b")
SLOTS = """<grammar mode="voice" root="r" version="1.0" xml:lang="en" tag-format="semantics/1.0"><rule id="r"><one-of>
<item>x one <tag>out.f1 = '1';</tag></item><item>x two <tag>out.f2 = '2';</tag></item>
<item>x both <tag>out.f1 = '1'; out.f2 = '2';</tag></item><item>nothing <tag>out.zz = 1;</tag></item></one-of></rule></grammar>"""
WIDE = SLOTS.replace("<grammar", '<grammar scope="document"')

Case = tuple[str, Sequence[str], object]


def value(body: str, deeds: Sequence[str]) -> object:
    sim = simulate(BASE + "start.vxml", deeds, documents={BASE + "start.vxml": vxml(body)})
    assert sim.exit is not None
    assert sim.exit.reason == "exit", (sim.exit, sim.notes)
    return sim.exit.value


FORMS: list[Case] = [
    # §2.1.6.1: the first item whose variable is undefined and whose condition holds
    ("<form><var name='s' expr=\"''\"/><block name='a' cond='false'><assign name='s' expr=\"s+'a'\"/></block>"
     "<block name='b' expr='1'><assign name='s' expr=\"s+'b'\"/></block>"
     "<block><assign name='s' expr=\"s+'c'\"/></block><block><exit expr='s'/></block></form>", [], "c"),
    # a condition is asked anew at each selection
    ("<form><var name='s' expr=\"''\"/><var name='n' expr='0'/><block cond='n==1'><assign name='s' expr=\"s+'a'\"/></block>"
     "<block><assign name='n' expr='1'/></block><block><exit expr='s'/></block></form>", [], "a"),
    # goto nextitem visits an item whose guard is not satisfied
    ("<form><block><goto nextitem='c'/></block><block name='b'><exit expr=\"'b'\"/></block><block name='c' cond='false' expr='true'><exit expr=\"'c'\"/></block></form>", [], "c"),
    ("<form><block><goto expritem=\"'c'\"/></block><block name='b'><exit expr=\"'b'\"/></block><block name='c'><exit expr=\"'c'\"/></block></form>", [], "c"),
    # clear of all items lets them be visited again
    ("<form><var name='n' expr='0'/><block name='b'><assign name='n' expr='n+1'/><if cond='n &lt; 3'><clear/></if></block><block><exit expr='n'/></block></form>", [], 3),
    # clear with a namelist that has a variable of the form
    ("<form><var name='n' expr='0'/><block><clear namelist='n'/><exit expr='n === undefined'/></block></form>", [], True),
    # an item's form item variable may be assigned to
    (f"<form><field name='f'>{AB}</field><filled><if cond=\"f=='a'\"><assign name='f' expr='undefined'/><goto nextitem='f'/></if><exit expr='f'/></filled></form>", ["a", "b"], "b"),
    # §2.3.2 a block's variable is true before it is carried out
    ("<form><block name='b'><exit expr='b'/></block></form>", [], True),
    # §2.4 filled of an item goes by its own, form ones in the order of the document
    (f"<form><var name='s' expr=\"''\"/><filled><assign name='s' expr=\"s+'1'\"/></filled><field name='f'>{AB}<filled><assign name='s' expr=\"s+'2'\"/></filled></field>"
     "<filled><assign name='s' expr=\"s+'3'\"/></filled><block><exit expr='s'/></block></form>", ["a"], "123"),
    # any
    (f"<form>{SLOTS}<var name='s' expr=\"''\"/><filled mode='any' namelist='f1 f2'><assign name='s' expr=\"s+'any'\"/></filled>"
     f"<filled mode='all' namelist='f1 f2'><assign name='s' expr=\"s+'all'\"/></filled>"
     f"<initial name='i'/><field name='f1'>{AB}</field><field name='f2'>{AB}</field><block><exit expr='s'/></block></form>", ["x one", "x two"], "anyanyall"),
    (f"<form>{SLOTS}<var name='s' expr=\"''\"/>"
     f"<initial name='i'/><field name='f1'>{AB}<filled><assign name='s' expr=\"s+'f1'\"/></filled></field><field name='f2'>{AB}<filled><assign name='s' expr=\"s+'f2'\"/></filled></field><filled><exit expr=\"s + i\"/></filled></form>", ["x both"], "f1f2true"),
    # an answer without slots of ours fills nothing, initial stays
    (f"<form>{SLOTS}<initial name='i'><prompt>hi</prompt></initial><field name='f1'>{AB}</field><field name='f2'>{AB}</field><block><exit expr='f1+f2'/></block></form>", ["nothing", "x both"], "12"),
    # initial: tapered, and given up by assignment
    (f"<form>{SLOTS}<initial name='i'><noinput count='2'><assign name='i' expr='true'/><reprompt/></noinput></initial><field name='f1'>{AB}</field><field name='f2'>{AB}</field><block><exit expr='f1+f2'/></block></form>", ["silence", "silence", "a", "b"], "ab"),
    # a form-level grammar at a field fills others too
    (f"<form>{SLOTS}<field name='f1'>{AB}</field><field name='f2'>{AB}</field><block><exit expr='f1+f2'/></block></form>", ["x two", "a"], "a2"),
    # a field that was filled is filled anew
    (f"<form>{SLOTS}<field name='f1'>{AB}</field><field name='f2'>{AB}</field><block><exit expr='f1+f2'/></block></form>", ["a", "x both"], "12"),
    # an item without name cannot be referred to, and is visited once
    ("<form><var name='n' expr='0'/><block><assign name='n' expr='n+1'/></block><block><exit expr='n'/></block></form>", [], 1),
    # slot
    (f"<form>{SLOTS}<field name='q' slot='f1'>{AB}</field><field name='w' slot='f2'>{AB}</field><block><exit expr='q+w'/></block></form>", ["x both"], "12"),
    # §2.5 a link of the form while a field is modal is off
    (f"<form><link event='ev'>{words('go')}</link><catch event='ev'><exit expr=\"'link'\"/></catch><field name='f' modal='true'>{AB}<nomatch><exit expr=\"'no'\"/></nomatch></field></form>", ["go"], "no"),
    # §2.5 of the field itself is on
    (f"<form><field name='f' modal='true'>{AB}<link event='ev'>{words('go')}</link><catch event='ev'><exit expr=\"_event\"/></catch></field></form>", ["go"], "ev"),
    (f"<link eventexpr=\"'e' + 'v'\" messageexpr=\"'m'\">{words('go')}</link><form><catch event='ev'><exit expr=\"_event + _message\"/></catch><field name='f'>{AB}</field></form>", ["go"], "evm"),
    (f"<link expr=\"'#' + 'two'\" >{words('go')}</link><form><field name='f'>{AB}</field></form><form id='two'><block><exit expr=\"application.lastresult$.utterance\"/></block></form>", ["go"], "go"),
    (f"<link next='#two' dtmf='1 2'>{words('go')}</link><form><field name='f'>{AB}</field></form><form id='two'><block><exit expr=\"application.lastresult$.inputmode\"/></block></form>", ["keys 12"], "dtmf"),
    # precedence: the field's grammar goes before the link's
    (f"<link next='#two'>{words('a')}</link><form><field name='f'>{AB}<filled><exit expr='f'/></filled></field></form><form id='two'><block><exit expr='2'/></block></form>", ["a"], "a"),
    # scope document of a form in the same document
    (f"<form id='one'><field name='f'>{AB}</field></form><form id='two' scope='document'>{SLOTS}<field name='f1'>{AB}</field><field name='f2'>{AB}</field><block><exit expr='f1+f2'/></block></form>", ["x one", "b"], "1b"),
    (f"<form id='one'><field name='f'>{AB}</field></form><form id='two'>{WIDE}<field name='f1'>{AB}</field><field name='f2'>{AB}</field><block><exit expr='f1+f2'/></block></form>", ["x one", "b"], "1b"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "deeds", "wanted"), FORMS)
def test_forms(body: str, deeds: Sequence[str], wanted: object) -> None:
    assert value(body, deeds) == wanted


MENUS: list[Case] = [
    ("<menu dtmf='true'><choice next='#x'>a</choice><choice dtmf='*' next='#y'>b</choice><choice next='#z'>c</choice></menu>"
     "<form id='x'><block><exit expr='1'/></block></form><form id='y'><block><exit expr='2'/></block></form><form id='z'><block><exit expr='3'/></block></form>", ["keys 2"], 3),
    ("<menu><choice dtmf='1 2' expr=\"'#' + 'x'\">a</choice></menu><form id='x'><block><exit expr='1'/></block></form>", ["keys 12"], 1),
    ("<menu><choice dtmf='1' event='ev' message='m'>a</choice><catch event='ev'><exit expr='_message'/></catch></menu>", ["a"], "m"),
    ("<menu><choice dtmf='1' eventexpr=\"'ev.x'\">a</choice><catch event='ev'><exit expr='_event'/></catch></menu>", ["a"], "ev.x"),
    ("<menu accept='approximate'><choice event='ev'>the stock of today</choice><choice accept='exact' event='fv'>the weather</choice><catch event='ev'><exit expr='1'/></catch><nomatch><exit expr='2'/></nomatch></menu>", ["stock today"], 1),
    ("<menu accept='approximate'><choice event='ev'>the stock of today</choice><choice accept='exact' event='fv'>the weather</choice><catch event='ev'><exit expr='1'/></catch><nomatch><exit expr='2'/></nomatch></menu>", ["weather"], 2),
    ("<menu><nomatch count='2'><exit expr='2'/></nomatch><nomatch>eh</nomatch><choice event='ev'>a</choice></menu>", ["q", "q"], 2),
    (f"<menu><choice event='ev'>a{words('bee')}</choice><catch event='ev'><exit expr='1'/></catch><nomatch><exit expr='2'/></nomatch></menu>", ["bee"], 1),
    ("<form><field name='f'><option dtmf='1' value='V'>  tea  </option><option dtmf='2'> coffee </option><option dtmf='3'/></field><filled><exit expr='f'/></filled></form>", ["keys 2"], "coffee"),
    ("<form><field name='f'><option dtmf='1' value='V'>  tea  </option><option dtmf='2'> coffee </option><option dtmf='3'/></field><filled><exit expr='f'/></filled></form>", ["keys 3"], "3"),
    ("<form><field name='f'><option dtmf='1' value='V'>  tea  </option></field><filled><exit expr=\"f + f$.utterance + f$.inputmode + f$.confidence\"/></filled></form>", ["tea"], "Vteavoice1"),
    ("<form><field name='f'><option accept='approximate' value='V'>green tea leaf</option></field><filled><exit expr='f'/></filled></form>", ["green leaf"], "V"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "deeds", "wanted"), MENUS)
def test_menus(body: str, deeds: Sequence[str], wanted: object) -> None:
    assert value(body, deeds) == wanted


def field(kind: str) -> str:
    return f"<form><field name='f' type='{kind}'><nomatch><exit expr=\"'NO'\"/></nomatch></field><filled><exit expr='f'/></filled></form>"


@pytest.mark.parametrize(
    ("kind", "deed", "wanted"),
    [
        ("boolean", "yes", True), ("boolean", "no", False), ("boolean", "keys 1", True), ("boolean", "keys 2", False),
        ("boolean?y=7;n=9", "keys 7", True), ("boolean?y=7;n=9", "keys 9", False), ("boolean?y=7;n=9", "keys 1", "NO"),
        ("date", "keys 20260305", "20260305"), ("date", "march fifth twenty twenty six", "20260305"),
        ("digits", "keys 123#", "123"), ("digits", "one two three", "123"),
        ("digits?length=3", "keys 123", "123"), ("digits?length=3", "keys 12#", "NO"),
        ("digits?minlength=2;maxlength=4", "keys 123#", "123"), ("digits?minlength=2;maxlength=4", "keys 1#", "NO"),
        ("currency", "keys 12*05", "12.05"), ("currency", "five dollars", "USD5.00"),
        ("number", "keys 12*5", "12.5"), ("number", "minus five", "-5"),
        ("phone", "keys 8005551234*12#", "8005551234x12"), ("time", "keys 0130", "0130?"), ("time", "keys 1330", "1330h"),
        ("time", "one thirty p m", "0130p"), ("time", "keys 0030", "0030h"),
    ],
)  # fmt: skip
def test_builtin_types(kind: str, deed: str, wanted: object) -> None:
    got = value(field(kind), [deed])
    assert got == wanted or (kind == "number" and float(str(got)) == float(str(wanted)))


SUB: list[Case] = [
    ("<form><subdialog name='s' src='#two'><param name='p' expr='5'/><filled><exit expr='s.r'/></filled></subdialog></form><form id='two'><var name='p' expr='9'/><var name='r'/><block><assign name='r' expr='p+1'/><return namelist='r'/></block></form>", [], 6),
    ("<form><subdialog name='s' src='#two'><param name='p' value='5'/><filled><exit expr='s.p'/></filled></subdialog></form><form id='two'><var name='p'/><block><return namelist='p'/></block></form>", [], "5"),
    ("<form><subdialog name='s' src='#two'><catch event='ev.q'><exit expr='_event + _message'/></catch></subdialog></form><form id='two'><block><return event='ev.q' message='m'/></block></form>", [], "ev.qm"),
    ("<form><subdialog name='s' src='#two'><catch event='ev.q'><exit expr='_event + _message'/></catch></subdialog></form><form id='two'><block><return eventexpr=\"'ev.q'\" messageexpr=\"'m'\"/></block></form>", [], "ev.qm"),
    # isolated: document variables are made anew
    ("<var name='g' expr='1'/><form><block><assign name='g' expr='2'/></block><subdialog name='s' src='#two'><filled><exit expr='[g, s.g]'/></filled></subdialog></form><form id='two'><block><return namelist='g'/></block></form>", [], [2, 1]),
    # handlers of the caller do not see the subdialog's events
    ("<form><catch event='ev'><exit expr=\"'outer'\"/></catch><subdialog name='s' src='#two'><filled><exit expr=\"'inner'\"/></filled></subdialog></form><form id='two'><block><throw event='ev'/></block><catch event='ev'><return/></catch></form>", [], "inner"),
    # return outside
    ("<form><catch event='error.semantic'><exit expr='1'/></catch><block><return/></block></form>", [], 1),
    ("<form><subdialog name='s' src='#two'><param name='nope' expr='5'/><catch event='error.semantic'><exit expr='1'/></catch></subdialog></form><form id='two'><block><return/></block></form>", [], 1),
    ("<form><catch event='error.badfetch'><exit expr='_event'/></catch><subdialog name='s' src='#nope'/></form>", [], "error.badfetch"),
    ("<form><catch event='error.badfetch'><exit expr='_event'/></catch><subdialog name='s' src='nope.vxml'/></form>", [], "error.badfetch.http.404"),
    ("<form><subdialog name='s' srcexpr=\"'#two'\"><filled><exit expr='typeof s'/></filled></subdialog></form><form id='two'><block><return/></block></form>", [], "object"),
    ("<form><object name='o' classid='x:y'><catch event='error.unsupported.objectname'><exit expr='1'/></catch></object></form>", [], 1),
]  # fmt: skip


@pytest.mark.parametrize(("body", "deeds", "wanted"), SUB)
def test_subdialogs(body: str, deeds: Sequence[str], wanted: object) -> None:
    assert value(body, deeds) == wanted


TRANSFER = "<form><transfer name='t' dest='tel:+14008123456' type='{}'><filled><exit expr=\"t + ':' + (typeof t$.duration)\"/></filled><catch><exit expr='_event'/></catch></transfer></form>"


@pytest.mark.parametrize(
    ("kind", "deed", "wanted"),
    [
        ("bridge", "transfer busy", "busy:number"), ("bridge", "transfer noanswer", "noanswer:number"),
        ("bridge", "transfer network_busy", "network_busy:number"), ("bridge", "transfer near_end_disconnect", "near_end_disconnect:number"),
        ("bridge", "transfer far_end_disconnect", "far_end_disconnect:number"), ("bridge", "transfer maxtime_disconnect", "maxtime_disconnect:number"),
        ("bridge", "transfer network_disconnect", "network_disconnect:number"), ("bridge", "transfer unknown", "unknown:number"),
        ("bridge", "hangup", "connection.disconnect.hangup"), ("blind", "transfer connected", "connection.disconnect.transfer"),
        ("consultation", "transfer connected", "connection.disconnect.transfer"), ("consultation", "transfer busy", "busy:number"),
        ("consultation", "transfer noanswer", "noanswer:number"),
        ("bridge", "transfer 404", "error.connection.baddestination"), ("bridge", "transfer 403", "error.connection.noauthorization"),
        ("bridge", "transfer 480", "noanswer:number"), ("bridge", "transfer 503", "network_busy:number"),
        ("bridge", "transfer 502", "error.connection.noroute"), ("bridge", "transfer 500", "error.connection.noresource"),
    ],
)  # fmt: skip
def test_transfers(kind: str, deed: str, wanted: object) -> None:
    assert value(TRANSFER.format(kind), [deed]) == wanted


RECORDS: list[Case] = [
    ("<form><record name='r'><noinput><exit expr=\"typeof r\"/></noinput></record></form>", ["silence"], "undefined"),
    ("<form><record name='r' type='video/nope'><catch event='error.unsupported.format'><exit expr='1'/></catch></record></form>", [], 1),
    ("<form><record name='r'><catch event='connection.disconnect.hangup'><exit expr=\"_event\"/></catch></record></form>", ["hangup"], "connection.disconnect.hangup"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "deeds", "wanted"), RECORDS)
def test_records(body: str, deeds: Sequence[str], wanted: object) -> None:
    assert value(body, deeds) == wanted
