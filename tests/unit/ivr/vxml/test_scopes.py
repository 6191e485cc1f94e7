"""Variables and their scopes, scripts, and executable content (VoiceXML 2.0 §5.1, §5.3)."""
# ruff: noqa: E501  # documents stand in lines of their own

import pytest
from tests.unit.ivr.vxml.documents import outcome, run, vxml, words


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("<var name='x' expr='1'/><form><block><exit expr='x'/></block></form>", 1),
        ("<var name='x' expr='1'/><form><var name='x' expr='2'/><block><exit expr='[x, document.x]'/></block></form>", [2, 1]),
        ("<form><block><var name='x' expr='1'/><exit expr='x'/></block></form>", 1),
        ("<form><block><var name='x' expr='1'/></block><block><exit expr='typeof x'/></block></form>", "undefined"),
        ("<form><block><var name='x'/><exit expr='x === undefined'/></block></form>", True),
        # reserved by §5.1, and still what documents of Spring Web Flow submit
        ("<form><block><var name='_eventId' expr='1'/><exit expr='_eventId'/></block></form>", 1),
        ("<form><block><var name='x' expr='1'/><var name='x'/><exit expr='x'/></block></form>", 1),
        ("<form><block><var name='x' expr='1'/><var name='x' expr='2'/><exit expr='x'/></block></form>", 2),
        ("<form><var name='x' expr='1'/><block><assign name='x' expr='x + 1'/></block><block><exit expr='x'/></block></form>", 2),
        ("<form><var name='x' expr='{a: {b: 1}}'/><block><assign name='x.a.b' expr='2'/><exit expr='x.a.b'/></block></form>", 2),
        ("<form><var name='x' expr='[1, 2]'/><block><assign name='x[0]' expr='5'/><exit expr='x'/></block></form>", [5, 2]),
        ("<var name='x' expr='1'/><form><block><assign name='document.x' expr='3'/><exit expr='x'/></block></form>", 3),
        ("<form><block><if cond='true'><var name='x' expr='1'/></if><exit expr='x'/></block></form>", 1),
        ("<form><block name='b'><exit expr='b'/></block></form>", True),
        ("<script>var a = 1; function f(n) { return n + a }</script><form><block><exit expr='f(2)'/></block></form>", 3),
        ("<form><script>function f() { return x }</script><var name='x' expr='7'/><block><exit expr='f()'/></block></form>", 7),
        ("<form><block><script>var q = 4</script><exit expr='q'/></block></form>", 4),
        ("<script><![CDATA[ var a = [1,2,3]; for (var i = 0, s = 0; i < 3; i++) s += a[i]; ]]></script>"
         "<form><block><exit expr='document.s'/></block></form>", 6),
        ("<form><block><exit expr='session.connection.local.uri'/></block></form>", "tel:4008123456"),
        ("<form><block><exit expr='session.connection.protocol.name'/></block></form>", "sip"),
        ("<form><block><exit expr='session.connection.originator === session.connection.remote'/></block></form>", True),
        ("<form><block><exit expr='typeof session.connection.aai'/></block></form>", "undefined"),
        ("<form><block><exit expr=\"'a &lt; b'\"/></block></form>", "a < b"),
        ("<form><block><exit expr='// a comment&#10; 1'/></block></form>", 1),
    ],
)  # fmt: skip
def test_where_variables_live(body: str, value: object) -> None:
    assert outcome(body) == value


def test_variables_of_a_form_begin_anew_with_each_visit() -> None:
    body = """<var name="n" expr="0"/><form id="f"><var name="x" expr="0"/>
      <block><assign name="x" expr="x + 1"/><assign name="n" expr="n + 1"/>
      <if cond="n &lt; 3"><goto next="#f"/></if><exit expr="[n, x]"/></block></form>"""
    assert outcome(body) == [3, 1]


@pytest.mark.parametrize(
    ("x", "log"),
    [("1", "one"), ("2", "two"), ("3", "three"), ("4", "more")],
)
def test_branches(x: str, log: str) -> None:
    body = f"""<form><var name="x" expr="{x}"/><block><if cond="x == 1"><log>one</log>
      <elseif cond="x == 2"/><log>two</log><elseif cond="x == 3"/><log>three</log>
      <else/><log>more</log></if></block></form>"""
    assert run(body).logs == [log]


def test_logs() -> None:
    body = """<form><block><log label="where" expr="1 + 1">Here <value expr="'it'"/> is: </log>
      <log>plain</log></block></form>"""
    assert run(body).logs == ["where: Here it is: 2", "plain"]


def test_foreach_walks_a_copy() -> None:
    body = """<form><script>var list = ['a', 'b']; var seen = [];</script><block>
      <foreach item="one" array="list"><script>list.push('x'); seen.push(one)</script></foreach>
      <exit expr="seen"/></block></form>"""
    assert outcome(body) == ["a", "b"]


def test_foreach_in_a_prompt() -> None:
    body = """<form><var name="list" expr="[{t: 'a'}, {t: 'b'}]"/><block><prompt>
      <foreach item="one" array="list"><value expr="one.t"/>, </foreach></prompt></block></form>"""
    assert run(body).prompts == ["a, b,"]


def test_exit_with_names() -> None:
    sim = run(
        "<form><var name='a' expr='1'/><var name='b' expr='{c: 2}'/><block><exit namelist='a b'/></block></form>"
    )
    assert sim.exit is not None
    assert sim.exit.values == {"a": 1, "b": {"c": 2}}


def test_scripts_by_url_and_their_charset() -> None:
    from sipcc.ivr.fetch import Fetched

    def script(request: object) -> Fetched:
        return Fetched(url="http://vxml.example.com/a.js", body="var x = '零'".encode("gb2312"))

    from sipcc.ivr.vxml import Simulation

    documents = {
        "http://vxml.example.com/start.vxml": vxml(
            "<script srcexpr=\"'a' + '.js'\" charset='gb2312'/><form><block><exit expr='x'/></block></form>"
        ),
        "http://vxml.example.com/a.js": script,
    }
    assert Simulation("http://vxml.example.com/start.vxml", documents=documents).value == "零"


# -- application roots ---------------------------------------------------------------------------------------

ROOT = vxml("""<var name="n" expr="0"/><script>function up() { return ++n }</script>
  <catch event="root"><log expr="'root ' + n"/></catch>
  <form id="menu"><block><assign name="application.n" expr="n + 10"/>
    <exit expr="[n, document.n, application.n]"/></block></form>""")


def leaf(content: str) -> str:
    return vxml(f"<form><block>{content}</block></form>", "application='root.vxml'")


def app(content: str, **more: str) -> object:
    documents = {"root.vxml": ROOT} | {f"{name}.vxml": text for name, text in more.items()}
    return outcome(f"<form><block>{content}</block></form>", "application='root.vxml'", more=documents)


def test_leaves_share_the_variables_of_their_root() -> None:
    two = leaf("<exit expr='[application.n, up()]'/>")
    assert app("<assign name='n' expr='5'/><goto next='two.vxml'/>", two=two) == [5, 6]


def test_a_document_with_another_root_has_other_variables() -> None:
    two = leaf("<exit expr='n'/>").replace("root.vxml", "other.vxml")
    assert app("<assign name='n' expr='5'/><goto next='two.vxml'/>", two=two, other=ROOT) == 0


def test_going_to_the_own_root_keeps_the_variables() -> None:
    assert app("<assign name='n' expr='5'/><goto next='root.vxml'/>") == [15, 15, 15]


def test_submitting_to_the_own_root_makes_new_ones() -> None:
    assert app("<assign name='n' expr='5'/><submit next='root.vxml#menu'/>") == [10, 10, 10]


def test_a_root_that_goes_to_itself_makes_new_ones() -> None:
    body = """<var name="n" expr="0"/><form><block><if cond="!session.connection.again"/>
      <assign name="n" expr="n + 1"/><goto next="start.vxml#two"/></block></form>
      <form id="two"><block><exit expr="n"/></block></form>"""
    assert outcome(body) == 0


def test_a_fragment_alone_stays_in_the_document() -> None:
    body = """<var name="n" expr="0"/><form><block><assign name="n" expr="n + 1"/><goto next="#two"/></block></form>
      <form id="two"><block><exit expr="n"/></block></form>"""
    assert outcome(body) == 1


def test_from_the_root_to_a_leaf_the_variables_stay() -> None:
    two = leaf("<exit expr='n'/>").replace("root.vxml", "start.vxml")
    body = "<var name='n' expr='0'/><form><block><assign name='n' expr='4'/><goto next='two.vxml'/></block></form>"
    assert outcome(body, more={"two.vxml": two}) == 4


def test_handlers_of_the_root_hold_in_leaves() -> None:
    sim = run(
        "<form><block><throw event='root.x'/></block></form>",
        "application='root.vxml'",
        more={"root.vxml": ROOT},
    )
    assert sim.logs == ["root 0"]


@pytest.mark.parametrize(
    ("root", "event"),
    [
        (None, "error.badfetch.http.404"),
        (vxml("<form/>", "application='root2.vxml'"), "error.semantic"),
        ("<vxml version='2.1'><oops/></vxml>", "error.badfetch"),
    ],
)
def test_roots_that_cannot_be_used(root: str | None, event: str) -> None:
    more = {"two.vxml": leaf("<exit/>").replace("root.vxml", "bad.vxml")}
    if root is not None:
        more["bad.vxml"] = root
    body = "<error><exit expr='_event'/></error><form><block><goto next='two.vxml'/></block></form>"
    assert outcome(body, more=more) == event


def test_application_and_document_are_one_in_a_document_without_a_root() -> None:
    body = "<var name='x' expr='1'/><form><block><exit expr='application.x + document.x'/></block></form>"
    assert outcome(body) == 2


@pytest.mark.parametrize(
    "bad",
    [
        "<form><block><nothing/></block></form>",
        "<form><block><form/></block></form>",
        "<form><block><if/></block></form>",
        "<form><block><assign name='x'/></block></form>",
        "<form><field name='a'/><field name='a'/></form>",
        "<form><block name='b'/><filled namelist='b'/></form>",
        "<form id='a'/><menu id='a'/>",
        "<form>text</form>",
        "<form><block></form>",
    ],
)
def test_documents_that_cannot_be_used_are_errors_in_the_old_one(bad: str) -> None:
    body = "<form><error><exit expr='_event'/></error><block><goto next='bad.vxml'/></block></form>"
    assert outcome(body, more={"bad.vxml": vxml(bad)}) == "error.badfetch"


def test_the_first_document_cannot_be_used() -> None:
    sim = run("<form><block><goto/></block></form>")
    assert sim.exit is not None
    assert sim.exit.reason == "error"
    assert sim.exit.event == "error.badfetch"
    assert "start.vxml:1:109" in sim.exit.message


def test_a_document_without_its_namespace_is_read() -> None:
    bare = "<vxml version='2.0'><form><block><exit expr='1'/></block></form></vxml>"
    body = "<form><block><goto next='bare.vxml'/></block></form>"
    assert outcome(body, more={"bare.vxml": bare}) == 1


def test_last_results() -> None:
    about = "application.lastresult$"
    body = f"""<form><field name="a">{words("yes")}
      <nomatch><log expr="{about}.utterance + {about}.length + {about}[0].inputmode"/></nomatch>
      <noinput><log expr="{about} === undefined"/></noinput>
      <filled><log expr="[{about}.interpretation, {about}[0].confidence, a$.utterance, a$.inputmode]"/></filled>
    </field></form>"""
    sim = run(body)
    sim.say("what")
    sim.silence()
    sim.say("yes", 0.8)
    assert sim.logs == ["what1voice", "true", "yes,0.8,yes,voice"]


def test_variables_of_the_application_stay_from_leaf_to_root_and_back() -> None:
    root = vxml("""<var name="n" expr="0"/><form id="r"><block><assign name="n" expr="n + 1"/>
      <if cond="n &gt; 2"><exit expr="n"/></if><goto next="start.vxml"/></block></form>""")
    body = "<form><block><assign name='application.n' expr='application.n + 1'/><goto next='root.vxml#r'/></block></form>"
    assert outcome(body, "application='root.vxml'", more={"root.vxml": root}) == 4


def test_variables_of_a_leaf_begin_anew_when_it_is_loaded_again() -> None:
    root = vxml("<var name='n' expr='0'/>")
    body = """<var name="d" expr="0"/><form><block><assign name="d" expr="d + 1"/><assign name="n" expr="n + 1"/>
      <if cond="n == 3"><exit expr="d"/></if><goto next="start.vxml"/></block></form>"""
    assert outcome(body, "application='root.vxml'", more={"root.vxml": root}) == 1


@pytest.mark.parametrize(
    ("link", "base", "came_to"),
    [
        ("next='#q'", "", "leaf"),
        ("expr=\"'#q'\"", "", "leaf"),
        ("next='#q'", "away/", "leaf"),
        ("next='rel.vxml'", "", "beside the leaf"),
        ("expr=\"'rel.vxml'\"", "", "beside the leaf"),
        ("next='rel.vxml'", "away/", "below the leaf"),
        ("next='/roots/rel.vxml'", "", "beside the root"),
        ("next='/roots/root.vxml#q'", "", "root"),
    ],
)
def test_a_link_of_the_root_goes_from_the_current_document(link: str, base: str, came_to: str) -> None:
    def tells(text: str) -> str:
        return f"<form id='q'><block><exit expr=\"'{text}'\"/></block></form>"

    grammar = "<grammar src='go.grxml'/>"  # and its grammar is found from where it stands
    more = {
        "roots/root.vxml": vxml(f"<link {link}>{grammar}</link>{tells('root')}"),
        "roots/go.grxml": words("go").replace(
            "<grammar", "<grammar xmlns='http://www.w3.org/2001/06/grammar'"
        ),
        "roots/rel.vxml": vxml(tells("beside the root")),
        "rel.vxml": vxml(tells("beside the leaf")),
        "away/rel.vxml": vxml(tells("below the leaf")),
    }
    asks = f"<form id='f'><field name='a'>{words('yes')}</field></form>"
    attributes = f"application='/roots/root.vxml' xml:base='{base}'"
    sim = run(asks + tells("leaf"), attributes, more=more)
    sim.say("go")
    assert sim.value == came_to, sim.notes
