"""Requests, <data> and its document object model (VoiceXML 2.0 §5.3.8, 2.1 §4, §5, Appendix D)."""
# ruff: noqa: E501  # documents stand in lines of their own

import pytest
from tests.unit.ivr.vxml.documents import BASE, outcome, run, vxml, words

from sipcc.ivr.fetch import FetchError, FetchRequest
from sipcc.ivr.vxml import Simulation

QUOTE = """<?xml version="1.0"?><?access-control allow="*"?>
<q:quote xmlns:q="http://q.example.com/" xmlns="http://d.example.com/" id="top" q:kind="stock"><!-- note -->
 <name lang="en">ACME<![CDATA[ & Co]]></name><last>12.5</last><last>13</last><?target some data?><deep><last>14</last></deep></q:quote>"""


def data(expression: str, body: str = QUOTE) -> object:
    document = f"""<form><error><exit expr="_event"/></error><block><data name="d" src="quote.xml"/>
      <var name="r" expr="d.documentElement"/><exit expr="{expression}"/></block></form>"""
    return outcome(document, more={"quote.xml": body})


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("d.nodeType", 9),
        ("d.nodeName", "#document"),
        ("r.tagName", "q:quote"),
        ("r.localName + r.prefix + r.namespaceURI", "quoteqhttp://q.example.com/"),
        ("r.nodeType == Node_ELEMENT()", "error.semantic"),
        ("r.nodeType == r.ELEMENT_NODE", True),
        ("r.getAttribute('id')", "top"),
        ("r.getAttribute('q:kind')", "stock"),
        ("r.getAttributeNS('http://q.example.com/', 'kind')", "stock"),
        ("r.getAttribute('nothing')", ""),
        ("r.hasAttribute('id') + ',' + r.hasAttribute('x')", "true,false"),
        ("r.getAttributeNode('id').value", "top"),
        ("r.getAttributeNode('id').ownerElement === r", True),
        ("r.attributes.length", 2),
        ("r.attributes.getNamedItem('id').nodeType", 2),
        ("r.attributes.item(0).specified", True),
        ("r.childNodes.item(0).nodeName", "#comment"),
        ("r.firstChild.data", " note "),
        ("r.getElementsByTagName('last').length", 3),
        ("r.getElementsByTagName('last').item(1).firstChild.data", "13"),
        ("r.getElementsByTagName('last')[2].parentNode.tagName", "deep"),
        ("r.getElementsByTagName('*').length", 5),
        ("d.getElementsByTagName('name').item(0).firstChild.nodeValue", "ACME"),
        ("d.getElementsByTagName('name')[0].lastChild.nodeType", 4),
        ("d.getElementsByTagName('name')[0].childNodes[1].data", " & Co"),
        ("d.getElementsByTagNameNS('http://d.example.com/', 'last').length", 3),
        ("d.getElementsByTagNameNS('*', 'quote').length", 1),
        ("d.getElementById('top').tagName", "q:quote"),
        ("r.lastChild.previousSibling.target", "target"),
        ("r.lastChild.previousSibling.data", "some data"),
        ("r.lastChild.nextSibling === null", True),
        ("r.parentNode === d", True),
        ("r.ownerDocument === d", True),
        ("d.ownerDocument === null", True),
        ("r.hasChildNodes()", True),
        ("r.firstChild.hasChildNodes()", False),
        ("r.firstChild.substringData(1, 3)", "not"),
        ("r.childNodes.item(99) === null", True),
        ("r.NOTATION_NODE + d.ENTITY_NODE", 18),
        ("d.implementation.hasFeature('Core', '2.0')", True),
        ("d.implementation.hasFeature('Events', '2.0')", False),
        ("r.isSupported('XML')", True),
        ("(r.normalize(), r.childNodes.length)", 7),
        ("d.doctype === null", True),
        ("r.appendChild(r)", "error.semantic"),
        ("(r.nodeName = 'x', r.nodeName)", "q:quote"),
    ],
)
def test_the_document_object_model(expression: str, value: object) -> None:
    assert data(expression) == value


@pytest.mark.parametrize(
    ("call", "code"),
    [
        *[(f"r.{name}(r, r)", 7) for name in ("insertBefore", "replaceChild", "removeChild", "appendChild")],
        *[
            (f"r.{name}('a', 'b', 'c')", 7)
            for name in (
                "setAttribute", "setAttributeNS", "setAttributeNode", "setAttributeNodeNS", "removeAttribute",
                "removeAttributeNS", "removeAttributeNode",
            )
        ],
        *[
            (f"r.firstChild.{name}(1, 1, 'x')", 7)
            for name in ("appendData", "insertData", "deleteData", "replaceData", "splitText")
        ],
        *[
            (f"r.attributes.{name}('id', 'id')", 7)
            for name in ("setNamedItem", "removeNamedItem", "setNamedItemNS", "removeNamedItemNS")
        ],
        ("r.cloneNode(true)", 9),
        ("d.createElement('a')", 9),
        ("d.importNode(r, true)", 9),
        ("r.firstChild.substringData(99, 1)", 1),
    ],
)  # fmt: skip
def test_what_would_change_data_is_refused_and_changes_nothing(call: str, code: int) -> None:
    """As DOM Level 2 Core has it for what may only be read."""
    body = f"""<form><block><data name="d" src="quote.xml"/><var name="r" expr="d.documentElement"/><var name="found"/>
      <script>try {{ {call}; }} catch (error) {{ found = error instanceof DOMException ? error.code : -1; }}</script>
      <exit expr="[found, r.childNodes.length, r.attributes.length, r.firstChild.data]"/></block></form>"""
    assert outcome(body, more={"quote.xml": QUOTE}) == [code, 7, 2, " note "]


@pytest.mark.parametrize("body", ["<a>", "not xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<a/>" * 2])
def test_data_that_is_no_document(body: str) -> None:
    assert data("1", body) == "error.badfetch"


@pytest.mark.parametrize(
    ("instruction", "value"),
    [
        ("", 1),
        ("<?access-control allow='*'?>", 1),
        ("<?access-control allow='*.example.com'?>", 1),
        ("<?access-control allow='vxml.example.com other.example.com'?>", 1),
        ("<?access-control allow='other.example.com'?>", "error.noauthorization"),
        ("<?access-control allow='*' deny='vxml.example.com'?>", "error.noauthorization"),
    ],
)
def test_data_of_another_host(instruction: str, value: object) -> None:
    documents = {
        BASE + "start.vxml": vxml(
            "<form><error><exit expr='_event'/></error><block><data name='d' src='http://data.example.com/x'/><exit expr='1'/></block></form>"
        ),
        "http://data.example.com/x": instruction + "<x/>",
    }
    assert Simulation(BASE + "start.vxml", documents=documents).value == value


def test_data_without_a_name_is_only_asked_for() -> None:
    body = "<var name='a' expr=\"'1 2'\"/><form><block><data src='put' method='post' namelist='a'/><exit expr='1'/></block></form>"
    sim = run(body, more={"put": "not xml"})
    assert sim.value == 1
    assert sim.requests[-1].form == (("a", "1 2"),)


def test_data_of_the_document_and_of_the_form() -> None:
    body = """<data name="a" src="quote.xml"/><form><data name="b" srcexpr="'quote' + '.xml'"/>
      <block><exit expr="a.documentElement.tagName + b.documentElement.tagName"/></block></form>"""
    assert outcome(body, more={"quote.xml": QUOTE}) == "q:quoteq:quote"


def test_data_goes_into_a_variable_that_is_there() -> None:
    body = "<var name='a'/><form><block><data name='a' src='quote.xml'/></block><block><exit expr='a.nodeType'/></block></form>"
    assert outcome(body, more={"quote.xml": QUOTE}) == 9


# -- submit --------------------------------------------------------------------------------------------------

VALUES = "<var name='a' expr=\"'x &amp; y'\"/><var name='o' expr='{p: 1, q: [true, null]}'/><var name='u'/>"
FLAT = (("a", "x & y"), ("o.p", "1"), ("o.q.0", "true"), ("o.q.1", "null"), ("u", "undefined"))


def submitted(attributes: str) -> FetchRequest:
    body = f"<form>{VALUES}<block><submit next='to.vxml?z=1' namelist='a o u' {attributes}/></block></form>"
    sim = run(body, more={"to.vxml": vxml("<form/>"), "to.vxml?z=1": vxml("<form/>")})
    return sim.requests[-1]


def test_submit_by_get() -> None:
    request = submitted("")
    assert (request.method, request.query) == ("GET", FLAT)
    assert request.target.startswith(BASE + "to.vxml?z=1&a=x+%26+y&")


def test_submit_by_post() -> None:
    request = submitted("method='post'")
    assert (request.method, request.form) == ("POST", FLAT)


def test_submit_as_multipart() -> None:
    request = submitted("method='post' enctype='multipart/form-data'")
    assert request.parts is not None
    assert request.parts[0] == ("a", "", b"x & y", "")


def test_submit_sends_the_named_inputs_of_the_form_by_itself() -> None:
    body = f"""<form><var name="v" expr="1"/><field name="a">{words("yes")}</field><field>{words("yes")}</field>
      <block name="b"><submit next="to.vxml"/></block></form>"""
    sim = run(body, more={"to.vxml": vxml("<form/>")})
    sim.say("yes")
    sim.say("yes")
    assert sim.requests[-1].query == (("a", "yes"),)


def test_submit_fetches_again_and_begins_anew() -> None:
    body = "<var name='n' expr='0'/><form><block><assign name='n' expr='n + 1'/><submit next='#two'/></block></form><form id='two'><block><exit expr='n'/></block></form>"
    sim = run(body)
    assert sim.value == 0
    assert len(sim.requests) == 2


@pytest.mark.parametrize(
    ("attributes", "properties", "given"),
    [
        ("", "", (10.0, None, None)),
        ("fetchtimeout='3s' maxage='60' maxstale='9'", "", (3.0, 60.0, 9.0)),
        (
            "",
            "<property name='fetchtimeout' value='4s'/><property name='documentmaxage' value='5'/><property name='documentmaxstale' value='6'/>",
            (4.0, 5.0, 6.0),
        ),
    ],
)
def test_times_and_ages_of_requests(attributes: str, properties: str, given: tuple[object, ...]) -> None:
    body = f"{properties}<form><block><goto next='to.vxml' {attributes}/></block></form>"
    request = run(body, more={"to.vxml": vxml("<form/>")}).requests[-1]
    assert (request.timeout, request.max_age, request.max_stale) == given


def test_what_cannot_be_had_is_an_event_with_its_status() -> None:
    def fetch(request: FetchRequest) -> str:
        if request.target.endswith("start.vxml"):
            return vxml(
                "<form><error><exit expr='[_event, _message.length > 0]'/></error><block><goto next='x'/></block></form>"
            )
        raise FetchError(request.target, "status", "the status is 503", status=503)

    assert Simulation(BASE + "start.vxml", fetch=fetch).value == ["error.badfetch.http.503", True]


SLOW = """<property name="fetchaudiodelay" value="2s"/><form><error><exit expr="_event"/></error>
  <block>Wait.<goto next="next.vxml" fetchaudio="music.wav" fetchtimeout="5s"/></block></form>"""


@pytest.mark.parametrize(
    ("seconds", "prompts", "value"),
    [
        (1.0, ["Wait.", "After."], None),
        (3.0, ["Wait.", "music.wav", "After."], None),
        (9.0, ["Wait.", "music.wav"], "error.badfetch"),
    ],
)
def test_slow_fetches(seconds: float, prompts: list[str], value: object) -> None:
    def slow(request: FetchRequest) -> float:
        return seconds if request.target.endswith("next.vxml") else 0.0

    more = {"next.vxml": vxml("<form><block>After.</block></form>"), "music.wav": "RIFF"}
    sim = run(SLOW, more=more, fetch_seconds=slow)
    assert (sim.prompts, sim.value) == (prompts, value)


def test_disconnect_gives_its_values() -> None:
    sim = run("<form><var name='a' expr='{b: 1}'/><block><disconnect namelist='a'/></block></form>")
    assert sim.exit is not None
    assert (sim.exit.reason, sim.exit.values) == ("hangup", {"a": {"b": 1}})
    body = "<form><error><exit expr='_event'/></error><block><disconnect namelist='nobody'/></block></form>"
    assert outcome(body) == "error.semantic"
