"""Assertions of VoiceXML 2.0 §3 to §6 and of 2.1, each with a document of its own."""
# ruff: noqa: E501  # documents stand in lines of their own

from collections.abc import Sequence

import pytest
from tests.unit.ivr.vxml.documents import BASE, run, vxml, words

from sipcc.ivr.steps import Audio, Gather, Text
from sipcc.ivr.vxml import simulate

AB = words("a", "b")


def value(body: str, deeds: Sequence[str] = (), more: dict[str, str] | None = None) -> object:
    documents = {BASE + "start.vxml": vxml(body)}
    documents |= {BASE + name: text for name, text in (more or {}).items()}
    sim = simulate(BASE + "start.vxml", deeds, documents=documents)
    assert sim.exit is not None
    assert sim.exit.reason == "exit", (sim.exit, sim.notes)
    return sim.exit.value


@pytest.mark.parametrize(
    ("body", "name", "wanted"),
    [
        # §6.3: "When different values for a property are specified at the same level, the last one in document order applies."
        (f"<property name='timeout' value='1s'/><property name='timeout' value='7s'/><form><field name='f'>{AB}</field></form>", "timeout", 7.0),
        (f"<form><property name='timeout' value='1s'/><field name='f'><property name='timeout' value='2s'/>{AB}<property name='timeout' value='3s'/></field></form>", "timeout", 3.0),
        (f"<property name='timeout' value='1s'/><form><property name='timeout' value='2s'/><field name='f'>{AB}</field></form>", "timeout", 2.0),
        (f"<property name='interdigittimeout' value='1s'/><form><field name='f'>{AB}</field></form>", "interdigit", 1.0),
        (f"<property name='termtimeout' value='500ms'/><form><field name='f'>{AB}</field></form>", "termtimeout", 0.5),
        (f"<property name='termchar' value='*'/><form><field name='f'>{AB}</field></form>", "terminators", "*"),
        (f"<property name='termchar' value=''/><form><field name='f'>{AB}</field></form>", "terminators", ""),
        (f"<form><field name='f'><prompt timeout='2s'>x</prompt>{AB}</field></form>", "timeout", 2.0),
        (f"<form><field name='f'><prompt timeout='2s'>x</prompt><prompt>y</prompt>{AB}</field></form>", "timeout", 5.0),
    ],
)  # fmt: skip
def test_properties(body: str, name: str, wanted: object) -> None:
    assert getattr(run(body).question.collect, name) == wanted  # type: ignore[union-attr]


BAD = "error.badfetch"


@pytest.mark.parametrize(
    "content",
    [
        "<if>x</if>",
        "<var/>",
        "<assign name='a'/>",
        "<value/>",
        "<foreach array='a'/>",
        "<nosuch/>",
        "<field name='x'/>",
        "<if cond='1'><else/>a<elseif cond='1'/></if>",
        "<prompt><goto next='#a'/></prompt>",
    ],
)  # fmt: skip
def test_documents_that_cannot_be_used(content: str) -> None:
    """It is thrown in the document that is left, which stays current."""
    body = "<var name='x' expr='7'/><form><catch event='error.badfetch'><exit expr='[x, _event]'/></catch><block><goto next='bad.vxml'/></block></form>"
    assert value(body, more={"bad.vxml": vxml(f"<form><block>{content}</block></form>")}) == [7, BAD]


@pytest.mark.parametrize(
    "content",
    [
        "<form><block name='b'/><filled namelist='b'/></form>",
        "<form><initial name='b'/><filled namelist='b'/></form>",
        "<form id='a'/><form id='a'/>",
        "<form><field name='a'/><field name='a'/></form>",
        "<form><property name='a'/></form>",
        "text",
        "<form>",
        "<form scope='x'/>",
        "<form><field name='f'><property value='a'/></field></form>",
        "<form><filled mode='most'/></form>",
        "<form id='a'/><menu id='a'><choice event='a'>b</choice></menu>",
        "<form><field name='f' modal='yes'/></form>",
        "<form><filled><field name='f'/></filled></form>",
        "<block/>",
        "<form><form/></form>",
        "<form><record name='r' dtmfterm='x'/></form>",
        "<form><block><prompt bargein='x'>a</prompt></block></form>",
        "<form><object name='o'><param/></object></form>",
        "<form><option>a</option></form>",
    ],
)  # fmt: skip
def test_documents_that_cannot_be_used_whole(content: str) -> None:
    body = "<form><catch event='error.badfetch'><exit expr='_event'/></catch><block><goto next='bad.vxml'/></block></form>"
    assert value(body, more={"bad.vxml": vxml(content)}) == BAD


@pytest.mark.parametrize(
    "deed",
    [
        "<assign name='nope' expr='1'/>", "<assign name='document.nope' expr='1'/>", "<assign name='application.nope' expr='1'/>", "<assign name='session.x' expr='1'/>",
        "<var name='dialog.x'/>", "<var name='session.x' expr='1'/>", "<var name='a b'/>", "<value expr='nope'/>", "<if cond='nope'>a</if>", "<log expr='nope'/>", "<exit namelist='nope'/>",
        "<submit next='x' namelist='nope'/>", "<disconnect namelist='nope'/>", "<clear namelist='nope'/>", "<return/>", "<goto expr='nope'/>", "<goto expritem='nope'/>",
        "<throw eventexpr='nope'/>", "<script>nope()</script>", "<script>(</script>", "<foreach item='i' array='nope'>a</foreach>", "<exit expr='nope'/>", "<audio expr='nope'/>",
        "<submit expr='nope'/>", "<data name='x' srcexpr='nope'/>", "<script srcexpr='nope'/>", "<foreach item='i' array='5'>a</foreach>", "<prompt cond='nope'>a</prompt>",
        "<data name='x' src='d.xml' namelist='nope'/>", "<prompt><mark nameexpr='nope'/></prompt>", "<prompt timeout='nope'>a</prompt>", "<prompt><value expr='a b'/></prompt>",
        "<throw event='a' messageexpr='nope'/>", "<var name='x' expr='nope'/>",
    ],
)  # fmt: skip
def test_semantic_errors(deed: str) -> None:
    body = f"<form><catch event='error.semantic'><exit expr='_event'/></catch><block>{deed}</block></form>"
    assert value(body) == "error.semantic"


@pytest.mark.parametrize(
    ("deed", "event"),
    [
        ("<goto next='no.vxml'/>", "error.badfetch.http.404"), ("<goto next='#no'/>", BAD), ("<goto nextitem='no'/>", BAD), ("<goto expritem=\"'no'\"/>", BAD),
        ("<goto next='leaf.vxml#no'/>", BAD), ("<submit next='no.vxml'/>", "error.badfetch.http.404"), ("<script src='no.js'/>", "error.badfetch.http.404"),
        ("<data name='x' src='no.xml'/>", "error.badfetch.http.404"), ("<data name='x' src='bad.xml'/>", BAD), ("<goto next='leaf2.vxml'/>", "error.badfetch.http.404"), ("<goto next='leaf3.vxml'/>", "error.semantic"),
        ("<goto next='nonsense://x'/>", BAD),
    ],
)  # fmt: skip
def test_what_cannot_be_had(deed: str, event: str) -> None:
    body = f"<form><catch><exit expr='_event'/></catch><block>{deed}</block></form>"
    more = {
        "leaf.vxml": vxml("<form id='a'/>"), "leaf2.vxml": vxml("<form/>", "application='nope.vxml'"), "bad.xml": "<a><b></a>",
        "leaf3.vxml": vxml("<form/>", "application='root.vxml'"), "root.vxml": vxml("", "application='root2.vxml'"), "root2.vxml": vxml(""),
    }  # fmt: skip
    assert value(body, more=more) == event


@pytest.mark.parametrize(
    ("body", "deeds", "wanted"),
    [
        # §5.2.4: the same count, the innermost; same scope, the first; conditions
        ("<catch event='e'><exit expr='1'/></catch><form><catch event='e'><exit expr='2'/></catch><block><throw event='e'/></block></form>", [], 2),
        ("<form><catch event='e'><exit expr='1'/></catch><catch event='e.x'><exit expr='2'/></catch><block><throw event='e.x'/></block></form>", [], 1),
        ("<form><catch event='e' cond='false'><exit expr='1'/></catch><catch event='x e'><exit expr='2'/></catch><block><throw event='e.x.y'/></block></form>", [], 2),
        ("<form><catch event='ev'><exit expr='1'/></catch><catch><exit expr='2'/></catch><block><throw event='event'/></block></form>", [], 2),
        ("<form><error><exit expr='1'/></error><block><throw event='error.x.y'/></block></form>", [], 1),
        (f"<form><field name='f'>{AB}<noinput>x</noinput><noinput count='3'><exit expr='3'/></noinput></field></form>", ["silence", "silence", "silence"], 3),
        (f"<form><noinput count='2'><exit expr='2'/></noinput><field name='f'>{AB}<noinput>x</noinput></field></form>", ["silence", "silence"], 2),
        # both are counted apart
        (f"<form><field name='f'>{AB}<noinput count='2'><exit expr='2'/></noinput><nomatch>x</nomatch><noinput>y</noinput></field></form>", ["silence", "q", "silence"], 2),
        ("<form><catch event='e' count='2'><exit expr='_event'/></catch><catch event='e'/><block><throw event='e.x'/></block><block><throw event='e.x'/></block><block><exit expr='0'/></block></form>", [], 0),
        # throw in a handler
        ("<form><catch event='e'><throw event='f' message='m'/></catch><catch event='f'><exit expr='_event + _message'/></catch><block><throw event='e'/></block></form>", [], "fm"),
        # the handler ends in the visit of the form going on
        ("<form><catch event='e'><log>x</log></catch><block><throw event='e'/></block><block><exit expr='5'/></block></form>", [], 5),
        # scopes: a handler of the document sees the dialog's variables
        ("<catch event='e'><exit expr='dialog.x'/></catch><form><var name='x' expr='4'/><block><throw event='e'/></block></form>", [], 4),
        # block's local variable
        ("<form><catch event='e'><exit expr='typeof y'/></catch><block><var name='y' expr='4'/><throw event='e'/></block></form>", [], "undefined"),
        # exit default
        (f"<property name='universals' value='all'/><form><field name='f'>{AB}<help><exit expr='1'/></help></field></form>", ["help"], 1),
        (f"<property name='universals' value='cancel'/><form><field name='f'>{AB}<help><exit expr='1'/></help><catch event='cancel'><exit expr='2'/></catch><nomatch><exit expr='3'/></nomatch></field></form>", ["help"], 3),
        # §5.1.5
        (f"<form><field name='f'>{AB}</field><block><exit expr='[application.lastresult$.length, application.lastresult$[0].utterance, application.lastresult$.interpretation, f$.utterance, f$.inputmode, f$.confidence]'/></block></form>", ["a"], [1, "a", "a", "a", "voice", 1]),
        ("<form><block><exit expr='typeof application.lastresult$'/></block></form>", [], "undefined"),
        # §5.3.2 var
        ("<form><var name='x' expr='1'/><block><var name='x' expr='2'/><assign name='x' expr='3'/></block><block><exit expr='x'/></block></form>", [], 1),
        ("<form><script>var q = 1</script><block><exit expr='dialog.q'/></block></form>", [], 1),
        ("<script>var q = 1</script><form><block><assign name='q' expr='2'/><exit expr='document.q'/></block></form>", [], 2),
        ("<form><block><script>var z = 1</script></block><block><exit expr='typeof z'/></block></form>", [], "undefined"),
        ("<form><field name='f'><grammar mode='dtmf' version='1.0' root='r'><rule id='r'>1 2</rule></grammar></field><filled><exit expr='f$.inputmode'/></filled></form>", ["keys 12"], "dtmf"),
        # 2.1 §3 grammar srcexpr, 2.1 §4 script srcexpr
        ("<form><script srcexpr=\"'s' + '.js'\"/><block><exit expr='s'/></block></form>", [], 9),
        ("<form><data name='d' src='d.xml'/><block><exit expr=\"d.documentElement.firstChild.firstChild.data\"/></block></form>", [], "t"),
        ("<form><var name='u' expr=\"'d.xml'\"/><block><data name='d' srcexpr='u'/><exit expr=\"d.documentElement.getElementsByTagName('b').item(0).getAttribute('c')\"/></block></form>", [], "v"),
        ("<form><var name='n'/><block><foreach item='i' array='[1,2,3]'><assign name='n' expr='(n||0) + i'/></foreach><exit expr='n'/></block></form>", [], 6),
        # CDATA, comments, entities
        ("<form><block><exit expr='1 &lt; 2 &amp;&amp; true'/><!-- no --></block></form>", [], True),
        ("<form><field name='f'><property name='inputmodes' value='dtmf'/><option dtmf='1'>a</option><nomatch><exit expr='1'/></nomatch><noinput><exit expr='2'/></noinput></field></form>", ["a"], 2),
        # a quiet handler: catch in document order with root
        ("<form><catch event='connection.disconnect'><exit expr='_event'/></catch><block><disconnect/></block></form>", [], "connection.disconnect.hangup"),
        ("<form><catch event='error.unsupported.format'><exit expr='1'/></catch><field name='f'><grammar type='application/x-nope'>a</grammar></field></form>", ["silence"], 1),
        ("<form><catch event='error.unsupported.builtin'><exit expr='1'/></catch><field name='f' type='nope'/></form>", ["silence"], 1),
        ("<form><catch event='error.badfetch'><exit expr='1'/></catch><field name='f'><grammar version='1.0' root='zz'><rule id='r'>a</rule></grammar></field></form>", ["silence"], 1),
        ("<form><catch event='error.badfetch'><exit expr='1'/></catch><field name='f'><grammar src='no.grxml'/></field></form>", ["silence"], 1),
        ("<form><catch event='error.semantic'><exit expr='1'/></catch><field name='f'/></form>", [], 1),
        ("<form><catch event='error.semantic'><exit expr='1'/></catch><field name='dialog.f'/></form>", [], 1),
    ],
)  # fmt: skip
def test_events_scopes_and_resources(body: str, deeds: Sequence[str], wanted: object) -> None:
    more = {"s.js": "var s = 9;", "d.xml": "<a><b c='v'>t</b></a>"}
    assert value(body, deeds, more=more) == wanted


@pytest.mark.parametrize(
    ("body", "deeds", "prompts"),
    [
        (f"<form><field name='f'>{AB}<prompt>p</prompt></field><block>end</block></form>", ["silence", "a"], ["p", "p", "end"]),
        (f"<form><field name='f'>{AB}<prompt>p</prompt><noinput>n</noinput></field><block>end</block></form>", ["silence", "a"], ["p", "n", "end"]),
        (f"<form><field name='f'>{AB}<prompt>p</prompt><prompt count='2'>q</prompt><noinput>n<reprompt/></noinput></field><block>end</block></form>", ["silence", "silence", "a"], ["p", "n", "q", "n", "q", "end"]),
        (f"<form><field name='f'>{AB}<prompt>p</prompt><prompt cond='false' count='2'>q</prompt><prompt count='2'>r</prompt></field></form>", ["silence", "a"], ["p", "r"]),
        (f"<form><field name='f'>{AB}<prompt count='2'>p</prompt></field></form>", ["silence", "a"], ["p"]),
        ("<form><block><prompt><audio src='no.wav'>alt</audio></prompt></block></form>", [], ["alt"]),
        ("<form><block><prompt><audio expr='undefined'>alt</audio>rest</prompt></block></form>", [], ["rest"]),
        ("<form><block><prompt><audio expr=\"'no.wav'\">alt <value expr='1+1'/></audio></prompt></block></form>", [], ["alt 2"]),
        ("<form><block>a <value expr=\"'b'\"/> c</block></form>", [], ["a b c"]),
        ("<form><block><prompt cond='1==2'>a</prompt><prompt cond='1==1'>b</prompt></block></form>", [], ["b"]),
        ("<menu><prompt>say <enumerate/></prompt><choice event='exit'>red</choice><choice event='exit'>blue</choice></menu>", ["red"], ["say red; blue;"]),
        ("<menu dtmf='true'><prompt><enumerate>for <value expr='_prompt'/> press <value expr='_dtmf'/>.</enumerate></prompt><choice event='exit'>red</choice><choice event='exit'>blue</choice></menu>", ["red"], ["for red press 1. for blue press 2."]),
        # a handler's goto to another form has its prompts
        (f"<form><field name='f'>{AB}<prompt>p</prompt><noinput><goto next='#two'/></noinput></field></form><form id='two'><field name='f'>{AB}<prompt>q</prompt></field></form>", ["silence", "a"], ["p", "q"]),
        # reprompt outside of handlers does nothing
        (f"<form><field name='f'>{AB}<prompt>p</prompt></field><block><reprompt/></block><field name='g'>{AB}<prompt>q</prompt></field></form>", ["a", "a"], ["p", "q"]),
        # a sudbialog's return
        (f"<form><subdialog name='s' src='#two'/><field name='g'>{AB}<prompt>q</prompt></field></form><form id='two'><block><throw event='e'/></block><catch event='e'><return/></catch></form>", ["a"], ["q"]),
        # clear resets the prompt counter
        (f"<form><field name='f'>{AB}<prompt>p</prompt><prompt count='2'>q</prompt><filled><if cond=\"f=='a'\"><clear namelist='f'/></if></filled></field></form>", ["silence", "a", "b"], ["p", "q", "p"]),
        # assigning undefined does not
        (f"<form><field name='f'>{AB}<prompt>p</prompt><prompt count='2'>q</prompt><filled><if cond=\"f=='a'\"><assign name='f' expr='undefined'/></if></filled></field></form>", ["a", "b"], ["p", "q"]),
    ],
)  # fmt: skip
def test_prompts(body: str, deeds: Sequence[str], prompts: list[str]) -> None:
    documents = {BASE + "start.vxml": vxml(body)}
    assert simulate(BASE + "start.vxml", deeds, documents=documents).prompts == prompts


@pytest.mark.parametrize(
    ("body", "attributes", "languages"),
    [
        ("<block>a</block>", "", [""]),
        ("<block>a</block>", "xml:lang='en-GB'", ["en-GB"]),
        ("<block><prompt>a</prompt></block>", "xml:lang='en-GB'", ["en-GB"]),
        ("<block><prompt xml:lang='fr'>a</prompt></block>", "xml:lang='en-GB'", ["fr"]),
        ("<block><prompt xml:lang='fr'>a <s xml:lang='de'>b</s> c</prompt></block>", "", ["fr", "de", "fr"]),
        ("<block><prompt xml:lang='fr'><audio src='no.wav'>a</audio></prompt></block>", "", ["fr"]),
    ],
)
def test_the_language_of_prompts(body: str, attributes: str, languages: list[str]) -> None:
    """§4.1, Appendix J: xml:lang holds for all within, unless something within says another."""
    field = f"<field name='f'>{AB}</field>"
    question = run(f"<form>{body}{field}</form>", attributes).question
    assert isinstance(question, Gather)
    items = [item for prompt in question.prompts for item in prompt.items]
    texts = [inner for item in items for inner in (item.fallback if isinstance(item, Audio) else [item])]
    assert [text.language for text in texts if isinstance(text, Text)] == languages


@pytest.mark.parametrize("keys", ["9", "99"])
def test_keys_part_a_bridge_whenever_they_are_pressed(keys: str) -> None:
    """§2.3.7.2: the caller's grammar ends the talk."""
    grammar = "<grammar mode='dtmf' version='1.0' root='r'><rule id='r'>9</rule></grammar>"
    sim = run(
        f"<form><transfer name='t' bridge='true' dest='tel:4008123456'>{grammar}"
        "<filled><exit expr='[t, t$.inputmode, t$.utterance]'/></filled></transfer></form>"
    )
    sim.press(keys)
    assert sim.value == ["near_end_disconnect", "dtmf", "9"]


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("Node.ELEMENT_NODE", 1),
        ("d.documentElement.firstChild.nodeType == Node.ELEMENT_NODE", True),
        ("d.documentElement instanceof Node && e.documentElement instanceof Node", True),
        ("DOMException.INDEX_SIZE_ERR", 1),
        ("caught(function () { t.substringData(9, 1) })", 1),
        ("caught(function () { t.substringData(-1, 1) })", 1),
        ("caught(function () { t.substringData(0, -1) })", 1),
        ("t.substringData(0, 5)", "t"),
    ],
)
def test_the_constants_and_exceptions_of_the_document_object_model(expression: str, wanted: object) -> None:
    """2.1 §5.1 and Appendix D."""
    body = f"""<form><data name='d' src='d.xml'/><data name='e' src='d.xml'/><script>
      var t = d.documentElement.firstChild.firstChild;
      function caught(f) {{ try {{ f(); return 0 }} catch (x) {{ return x instanceof DOMException &amp;&amp; x.code }} }}
      </script><block><exit expr="{expression.replace("&", "&amp;")}"/></block></form>"""
    assert value(body, more={"d.xml": "<a><b c='v'>t</b></a>"}) == wanted


def test_a_variable_may_be_called_as_the_class_of_nodes() -> None:
    body = "<var name='Node' expr='3'/><form><data name='d' src='d.xml'/><block><exit expr='Node'/></block></form>"
    assert value(body, more={"d.xml": "<a/>"}) == 3


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        ("digits?minlength=5;maxlength=2", BAD),
        ("digits?length=5;maxlength=2", BAD),
        ("digits?length=x", BAD),
        ("boolean?y=1;n=1", BAD),
        ("colour", "error.unsupported.builtin"),
    ],
)
def test_a_built_in_grammar_with_wrong_parameters(kind: str, event: str) -> None:
    """Appendix P; one that is not known is not supported."""
    caught = "<form><catch><exit expr='_event'/></catch>"
    assert value(f"{caught}<field name='f' type='{kind}'/></form>") == event
    assert value(f"{caught}<field name='f'><grammar src='builtin:dtmf/{kind}'/></field></form>") == event


def test_parameters_that_a_type_does_not_know_are_ignored() -> None:
    """§2.3.1.2."""
    body = "<form><field name='f' type='digits?colour=1'/><block><exit expr='f'/></block></form>"
    assert value(body, ["keys 12#"]) == "12"
