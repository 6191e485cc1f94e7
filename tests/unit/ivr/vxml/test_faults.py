"""Elements with too few or too many of what excludes each other: thrown where they stand (VoiceXML 2.0 §5.2.6)."""
# ruff: noqa: E501  # documents stand in lines of their own

import pytest
from tests.unit.ivr.vxml.documents import run, vxml, words

from sipcc.ivr.vxml.check import problems
from sipcc.ivr.vxml.parse import parse

FAULTY = [
    "<form><block><goto/></block></form>",
    "<form><block><goto next='#a' expr=\"'#a'\"/></block></form>",
    "<form><block><goto next='#a' nextitem='b'/></block></form>",
    "<form><block><submit/></block></form>",
    "<form><block><submit next='a' expr='b'/></block></form>",
    "<form><block><throw/></block></form>",
    "<form><block><throw event='a' eventexpr='b'/></block></form>",
    "<form><block><throw event='a' message='a' messageexpr='b'/></block></form>",
    "<form><block><return event='a' eventexpr='b'/></block></form>",
    "<form><block><return event='a' namelist='b'/></block></form>",
    "<form><block><exit expr='1' namelist='a'/></block></form>",
    "<form><block><data name='a'/></block></form>",
    "<form><block><data name='a' src='b' srcexpr='c'/></block></form>",
    "<form><block><script/></block></form>",
    "<form><block><script src='a'>1</script></block></form>",
    "<form><block><script src='a' srcexpr='b'/></block></form>",
    "<form><block><audio/></block></form>",
    "<form><block><audio src='a' expr='b'/></block></form>",
    "<form><block><foreach item='a'/></block></form>",
    "<form><block><prompt><mark name='a' nameexpr='b'/></prompt></block></form>",
    "<form><block><prompt><mark/></prompt></block></form>",
    "<form><block><goto nextitem='a' expritem='b'/></block></form>",
    "<form><subdialog name='s'/></form>",
    "<form><subdialog name='s' src='a' srcexpr='b'/></form>",
    "<form><subdialog name='s' src='a'><param name='a'/></subdialog></form>",
    "<form><subdialog name='s' src='a'><param name='a' expr='1' value='1'/></subdialog></form>",
    "<form><transfer name='s'/></form>",
    "<form><transfer name='s' dest='tel:1' destexpr='1'/></form>",
    "<form><transfer name='s' dest='tel:1' type='blind' bridge='true'/></form>",
    "<form><transfer name='s' dest='tel:1' aai='a' aaiexpr='b'/></form>",
    "<menu><choice>a</choice></menu>",
    "<menu><choice next='#a' event='b'>a</choice></menu>",
    "<menu><choice next='#a' expr='b'>a</choice></menu>",
    "<menu dtmf='true'><choice next='#a' dtmf='5'>a</choice></menu>",
    "<link/><form><field name='f'><option>a</option></field></form>",
    "<link next='#a' event='b'/><form><field name='f'><option>a</option></field></form>",
    "<link event='a' message='b' messageexpr='c'/><form><field name='f'><option>a</option></field></form>",
    "<form><field name='f'><grammar/></field></form>",
    "<form><field name='f'><grammar src='a' srcexpr='b'/></field></form>",
    "<form><field name='f'><grammar src='a'>x</grammar></field></form>",
    "<form><field name='f'><filled mode='any'/></field></form>",
    "<form><field name='f'><filled namelist='f'/></field></form>",
    # grammars that may not be so: scope (§3.1.3), weight (§3.1.1.3)
    f"<form><field name='f'>{words('x', scope='dialog')}</field></form>",
    f"<form><record name='f'>{words('x', scope='document')}</record></form>",
    f"<form><transfer name='f' dest='tel:1'>{words('x', scope='document')}</transfer></form>",
    f"<link event='e'>{words('x', scope='document')}</link><form><field name='f'><option>a</option></field></form>",
    f"<menu><choice event='e'>{words('x', scope='dialog')}</choice></menu>",
    f"<form>{words('x', weight='-1')}<field name='f'/></form>",
    f"<form>{words('x', weight='much')}<field name='f'/></form>",
    # where variables are made
    "<script/><form><block/></form>",
    "<data name='d'/><form><block/></form>",
    "<form><script src='a'>1</script><block/></form>",
    "<form><data/><block/></form>",
]

HERE = "<catch event='error.badfetch'><exit expr='[_event, _message]'/></catch>"


@pytest.mark.parametrize("body", FAULTY)
def test_the_document_itself_catches_it(body: str) -> None:
    sim = run(
        HERE
        + body.replace("<link/>", f"<link>{words('go')}</link>")
        .replace("'b'/><form>", f"'b'>{words('go')}</link><form>")
        .replace("'c'/><form>", f"'c'>{words('go')}</link><form>")
    )
    assert isinstance(sim.value, list), sim.notes
    assert sim.value[0] == "error.badfetch"
    faults = [note.text for note in sim.notes if note.what == "fault"]
    assert len(faults) == 1  # and whoever tries the document is told before
    assert faults[0].startswith("http://vxml.example.com/start.vxml:1:")
    assert faults[0].endswith(sim.value[1])


@pytest.mark.parametrize("body", FAULTY)
def test_it_is_found_before_the_document_runs(body: str) -> None:
    found = list(problems(parse(vxml(body).encode(), "u")))
    assert [problem.refuses for problem in found] == [False]
    assert found[0].error("u").column > 90


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("<form><block><if cond='false'><goto/></if><exit expr='1'/></block></form>", 1),
        ("<form><subdialog name='s' cond='false'/><block><exit expr='2'/></block></form>", 2),
        (
            f"<form><block><exit expr='3'/></block></form><form><field name='f'>{words('x', weight='no')}</field></form>",
            3,
        ),
    ],
)
def test_what_is_not_come_to_harms_nothing(body: str, value: int) -> None:
    assert run(HERE + body).value == value


def test_a_fault_of_the_application_root_is_thrown_in_the_leaf_with_its_place() -> None:
    sim = run(
        "<form><block><throw event='e'/></block></form>",
        "application='root.vxml'",
        more={"root.vxml": vxml("<catch event='e'><goto/></catch>")},
    )
    assert sim.exit is not None
    assert sim.exit.event == "error.badfetch"
    assert sim.exit.message.startswith("http://vxml.example.com/root.vxml:1:")
