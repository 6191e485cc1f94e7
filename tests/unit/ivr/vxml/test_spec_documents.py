"""Assertions of VoiceXML 2.0 §1.3 and §1.5: applications, contexts, and what crosses them."""
# ruff: noqa: E501  # documents stand in lines of their own

from collections.abc import Sequence

import pytest
from tests.unit.ivr.vxml.documents import BASE, vxml, words

from sipcc.ivr.vxml import Simulation, simulate

AB = words("a", "b")
ROOT = "application='root.vxml'"


def played(documents: dict[str, str], deeds: Sequence[str]) -> Simulation:
    return simulate(
        BASE + "start.vxml", deeds, documents={BASE + name: text for name, text in documents.items()}
    )


def leaf(body: str) -> str:
    return vxml(body, ROOT)


ROOTS = [
    # the root's link leads to the dialog of the current document, and to the root's by its URL
    (f"<link next='#r'>{words('go')}</link><form id='r'><block><exit expr=\"'root'\"/></block></form>", f"<form><field name='f'>{AB}</field></form><form id='r'><block><exit expr=\"'leaf'\"/></block></form>", ["go"], "leaf"),
    (f"<link next='root.vxml#r'>{words('go')}</link><form id='r'><block><exit expr=\"'root'\"/></block></form>", f"<form id='r'><field name='f'>{AB}</field></form>", ["go"], "root"),
    # a form of the root with the scope of the document is filled from a leaf
    (f"<form id='r' scope='document'><grammar mode='voice' root='r' version='1.0' tag-format='semantics/1.0'><rule id='r'>go <tag>out.g = 'G';</tag></rule></grammar><field name='g'>{AB}</field><block><exit expr='g'/></block></form>", f"<form><field name='f'>{AB}</field></form>", ["go"], "G"),
    # a menu of it
    ("<menu id='r' scope='document'><choice event='ev'>go</choice><catch event='ev'><exit expr=\"'menu'\"/></catch></menu>", f"<form><field name='f'>{AB}</field></form>", ["go"], "menu"),
    # a form of the root without scope is not active
    (f"<form id='r'>{words('go')}<field name='g'>{AB}</field></form>", f"<form><field name='f'>{AB}<nomatch><exit expr='1'/></nomatch></field></form>", ["go"], 1),
    # variables of the root
    ("<var name='x' expr='1'/>", "<form><block><exit expr='[x, application.x, typeof document.x]'/></block></form>", [], [1, 1, "undefined"]),
    ("<var name='x' expr='1'/>", "<var name='x' expr='2'/><form><block><assign name='x' expr='3'/><exit expr='[x, application.x, document.x]'/></block></form>", [], [3, 1, 3]),
    ("<var name='x' expr='1'/><script>var s = x + 1; function t() { return s; }</script>", "<form><block><assign name='application.s' expr='7'/><exit expr='t()'/></block></form>", [], 7),
    # its handlers work as if they were copied
    ("<catch event='e'><exit expr='[document.x, dialog.y]'/></catch>", "<var name='x' expr='2'/><form><var name='y' expr='3'/><block><throw event='e'/></block></form>", [], [2, 3]),
    ("<catch event='e'><exit expr=\"'root'\"/></catch>", "<catch event='e'><exit expr=\"'leaf'\"/></catch><form><block><throw event='e'/></block></form>", [], "leaf"),
    ("<catch event='e'><goto next='#here'/></catch><form id='here'><block><exit expr=\"'root'\"/></block></form>", "<form><block><throw event='e'/></block></form><form id='here'><block><exit expr=\"'leaf'\"/></block></form>", [], "leaf"),
    # its variables stand when a leaf goes to it, to another leaf and back
    ("<var name='x' expr='1'/><form><block><exit expr='x'/></block></form>", "<form><block><assign name='x' expr='2'/><goto next='root.vxml'/></block></form>", [], 2),
    ("<var name='x' expr='1'/><form><block><exit expr='x'/></block></form>", "<form><block><assign name='x' expr='2'/><submit next='root.vxml'/></block></form>", [], 1),
    ("<var name='x' expr='1'/>", "<form><block><assign name='x' expr='2'/><goto next='leaf.vxml'/></block></form>", [], [2, "undefined"]),
    ("<var name='x' expr='1'/>", "<form><block><assign name='x' expr='2'/><submit next='leaf.vxml'/></block></form>", [], [2, "undefined"]),
    ("<var name='x' expr='1'/>", "<form><block><goto next='alone.vxml'/></block></form>", [], ["undefined", "undefined"]),
    ("<var name='x' expr='1'/>", "<var name='y' expr='1'/><form><block><goto next='leaf.vxml'/></block></form>", [], [1, "undefined"]),
    # properties of the root
    ("<property name='universals' value='help'/>", f"<form><help><exit expr='1'/></help><field name='f'>{AB}</field></form>", ["help"], 1),
    # a subdialog has none of the caller's
    ("<catch event='e'><exit expr=\"'root'\"/></catch><var name='x' expr='1'/>", "<form><catch event='e'><exit expr='9'/></catch><subdialog name='s' src='sub.vxml'><catch event='error.nope'><exit expr='_event'/></catch><filled><exit expr='s.t'/></filled></subdialog></form>", [], "undefined"),
    # a subdialog with the same root has that root anew
    ("<var name='x' expr='1'/>", "<form><block><assign name='x' expr='2'/></block><subdialog name='s' src='sub2.vxml'><filled><exit expr='[s.x, x]'/></filled></subdialog></form>", [], [1, 2]),
    # exit in a subdialog ends all
    ("", "<form><subdialog name='s' src='#b'/><block><exit expr='1'/></block></form><form id='b'><block><exit expr='2'/></block></form>", [], 2),
    # the document's variables begin anew when it is entered by its URL, and stand with a fragment alone
    ("<var name='n' expr='0'/>", "<var name='x' expr='0'/><form id='q'><block><assign name='x' expr='x+1'/><assign name='n' expr='n+1'/><if cond='n==1'><goto next='#q'/><elseif cond='n==2'/><goto next='start.vxml#q'/></if><exit expr='[n, x]'/></block></form>", [], [3, 1]),
]  # fmt: skip


@pytest.mark.parametrize(("root", "start", "deeds", "wanted"), ROOTS)
def test_applications(root: str, start: str, deeds: Sequence[str], wanted: object) -> None:
    seen = (
        '<form><block><exit expr=\'[typeof x == "undefined" ? "undefined" : x, typeof y]\'/></block></form>'
    )
    sim = played(
        {
            "root.vxml": vxml(root), "start.vxml": leaf(start), "leaf.vxml": leaf(seen), "alone.vxml": vxml(seen),
            "sub.vxml": vxml("<form><var name='t' expr='typeof x'/><block><return namelist='t'/></block></form>"),
            "sub2.vxml": leaf("<form><block><return namelist='x'/></block></form>"),
        },
        deeds,
    )  # fmt: skip
    assert sim.exit is not None
    assert (sim.exit.reason, sim.exit.value) == ("exit", wanted), sim.notes


def value(body: str, deeds: Sequence[str]) -> object:
    sim = played({"start.vxml": vxml(body)}, deeds)
    assert sim.exit is not None
    assert sim.exit.reason == "exit", (sim.exit, sim.notes)
    return sim.exit.value


@pytest.mark.parametrize(
    ("body", "deeds", "wanted"),
    [
        # filled is not carried out for a value from the beginning
        (f"<form><field name='f' expr='1'>{AB}<filled><exit expr='1'/></filled></field><block><exit expr='2'/></block></form>", [], 2),
        # throw of nomatch in filled: the counter of the item
        (f"<form><field name='f'>{AB}<nomatch count='2'><exit expr='2'/></nomatch><nomatch/><filled><clear namelist='x'/><throw event='nomatch'/></filled></field><var name='x'/></form>", ["q", "a"], 2),
        # an event in filled of the form is the form's
        (f"<form><catch event='e'><exit expr='1'/></catch><field name='f'>{AB}<catch event='e'><exit expr='2'/></catch></field><filled><throw event='e'/></filled></form>", ["a"], 1),
        # an event in filled of the field is the field's
        (f"<form><catch event='e'><exit expr='1'/></catch><field name='f'>{AB}<catch event='e'><exit expr='2'/></catch><filled><throw event='e'/></filled></field></form>", ["a"], 2),
        # a goto in filled leaves out what follows
        (f"<form><var name='n' expr='0'/><field name='f'>{AB}<filled><goto nextitem='b'/></filled><filled><exit expr='9'/></filled></field><filled><exit expr='8'/></filled><block name='b'><exit expr='7'/></block></form>", ["a"], 7),
        # clear in filled
        (f"<form><field name='f'>{AB}<filled><if cond=\"f=='a'\"><clear/></if></filled></field><block><exit expr='f'/></block></form>", ["a", "b"], "b"),
        # the names of choices in lastresult$
        ("<menu><choice dtmf='1' next='#x'>red</choice></menu><form id='x'><block><exit expr='[application.lastresult$.inputmode, application.lastresult$.utterance]'/></block></form>", ["keys 1"], ["dtmf", "1"]),
        # a handler in the middle of a handler's list
        ("<form><catch event='a b.c d'><exit expr='_event'/></catch><block><throw event='b.c.e'/></block></form>", [], "b.c.e"),
        # built-in grammars by URI
        ("<form><field name='f'><grammar src='builtin:dtmf/digits?length=2'/></field><filled><exit expr='f'/></filled></form>", ["keys 12"], "12"),
        ("<form><field name='f'><grammar src='builtin:grammar/boolean'/></field><filled><exit expr='f'/></filled></form>", ["yes"], True),
        # more than one grammar in a field, in both modes
        (f"<form><field name='f'>{AB}{words('c')}<grammar mode='dtmf' version='1.0' root='r'><rule id='r'>1</rule></grammar></field><filled><exit expr='f'/></filled></form>", ["c"], "c"),
        # a document's handler for an error while a form begins
        ("<catch event='error.semantic'><exit expr='1'/></catch><form><var name='x' expr='nope'/></form>", [], 1),
        # an error while the document begins
        ("<catch event='error.semantic'><exit expr='1'/></catch><var name='x' expr='nope'/><form/>", [], 1),
        # objects in variables are shared
        ("<var name='o' expr='({a: 1})'/><form><var name='p' expr='o'/><block><assign name='p.a' expr='2'/><exit expr='o.a'/></block></form>", [], 2),
        # §5.3.9
        ("<form><block><var name='a' expr='1'/><exit expr='a'/></block></form>", [], 1),
        # the end of the call: handlers run, nothing is asked
        (f"<form><catch event='connection.disconnect'><goto next='#two'/></catch><field name='f'>{AB}</field></form><form id='two'><block><exit expr='5'/></block></form>", ["hangup"], 5),
        # a prompt is no obstacle then
        (f"<form><catch event='connection.disconnect.hangup'><prompt>bye</prompt><exit expr='6'/></catch><field name='f'>{AB}</field></form>", ["hangup"], 6),
        # maxnbest
        (f"<property name='maxnbest' value='3'/><form><field name='f'>{AB}</field><block><exit expr='application.lastresult$.length'/></block></form>", ["a"], 1),
        # nested if
        ("<form><block><if cond='true'><if cond='false'><exit expr='1'/><else/><exit expr='2'/></if><else/><exit expr='3'/></if></block></form>", [], 2),
        # transfers whose condition is false, records that were set
        ("<form><transfer name='t' cond='false' dest='tel:1'/><record name='r' expr='1'/><subdialog name='s' src='#x' expr='1'/><block><exit expr='t === undefined'/></block></form>", [], True),
        # throw within a prompt's condition
        (f"<form><error><exit expr='_event'/></error><field name='f'>{AB}<prompt cond='nope'>a</prompt></field></form>", [], "error.semantic"),
        # the variable of the field is not set after nomatch
        (f"<form><field name='f'>{AB}<nomatch><exit expr='f === undefined'/></nomatch></field></form>", ["q"], True),
        # shadow variables before an answer
        (f"<form><field name='f'>{AB}<noinput><exit expr=\"typeof application.lastresult$\"/></noinput></field></form>", ["silence"], "undefined"),
        # a link's event is counted for the item, and caught there
        (f"<form><link event='help'>{words('assist')}</link><field name='f'>{AB}<help count='2'><exit expr='2'/></help><help/></field></form>", ["assist", "assist"], 2),
        # choice and link by an expression that is evaluated when it is taken
        (f"<var name='u' expr=\"'#one'\"/><link expr='u'>{words('go')}</link><form><block><assign name='u' expr=\"'#two'\"/></block><field name='f'>{AB}</field></form><form id='one'><block><exit expr='1'/></block></form><form id='two'><block><exit expr='2'/></block></form>", ["go"], 2),
        ("<form><block><data src='nope.xml' name='d'/></block><catch event='error.badfetch'><exit expr='typeof d'/></catch></form>", [], "undefined"),
        # recordutterancetype of 2.1
        (f"<property name='recordutterance' value='true'/><property name='recordutterancetype' value='audio/x-nope'/><form><catch event='error.unsupported.format'><exit expr='_message'/></catch><field name='f'>{AB}</field></form>", ["a"], "audio/x-nope"),
        # a mixed-initiative form whose grammar says one word
        (f"<form>{words('z')}<initial><nomatch><exit expr='1'/></nomatch></initial><field name='f'>{AB}</field><block><exit expr='f'/></block></form>", ["z", "q"], 1),
        # two initials
        (f"<form><grammar mode='voice' root='r' version='1.0' tag-format='semantics/1.0'><rule id='r'>go <tag>out.f = 'G';</tag></rule></grammar><initial name='i'/><initial name='j'/><field name='f'>{AB}</field><block><exit expr='[i, j, f]'/></block></form>", ["go"], [True, True, "G"]),
    ],
)  # fmt: skip
def test_contexts(body: str, deeds: Sequence[str], wanted: object) -> None:
    assert value(body, deeds) == wanted
