"""Events and their handlers (VoiceXML 2.0 §5.2)."""
# documents stand in lines of their own

import pytest
from tests.unit.ivr.vxml.documents import BASE, outcome, run, words

YES = words("yes", "no")


def throwing(event: str, catches: str, more: str = "") -> str:
    return f"<form>{catches}<block>{more}<throw event='{event}'/></block></form>"


@pytest.mark.parametrize(
    ("event", "catches", "caught"),
    [
        ("a.b", "<catch event='a.b'>X</catch><catch event='a'>Y</catch>", "X"),
        ("a.b", "<catch event='a'>Y</catch><catch event='a.b'>X</catch>", "Y"),
        ("a.bc", "<catch event='a.b'>X</catch><catch event='a'>Y</catch>", "Y"),
        ("a", "<catch event='b a c'>X</catch>", "X"),
        ("a", "<catch>X</catch>", "X"),
        ("a", "<catch event='.'>X</catch>", "X"),
        ("a", "<catch event='a' cond='false'>X</catch><catch>Y</catch>", "Y"),
        ("a", "<catch event='a' count='2'>X</catch><catch event='a'>Y</catch>", "Y"),
        ("error.foo", "<error>X</error>", "X"),
        ("help", "<help>X</help>", "X"),
        ("noinput", "<noinput>X</noinput>", "X"),
        ("nomatch.extra", "<nomatch>X</nomatch>", "X"),
    ],
)
def test_which_handler_is_chosen(event: str, catches: str, caught: str) -> None:
    assert run(throwing(event, catches)).prompts[:1] == [caught]


def test_the_highest_count_that_was_reached_wins() -> None:
    catches = "".join(f"<noinput count='{n}'><log>{n}</log></noinput>" for n in (1, 3, 2))
    sim = run(f"<form><field name='a'>{YES}{catches}</field></form>")
    for _ in range(4):
        sim.silence()
    assert sim.logs == ["1", "2", "3", "3"]


def test_an_outer_handler_with_a_higher_count_wins() -> None:
    body = f"""<noinput count="2"><log>document</log></noinput>
      <form><field name="a">{YES}<noinput><log>field</log></noinput></field></form>"""
    sim = run(body)
    sim.silence()
    sim.silence()
    assert sim.logs == ["field", "document"]


def test_events_are_counted_under_all_beginnings_of_their_names() -> None:
    body = """<form><var name="n" expr="0"/>
      <catch event="my" count="1"><log>one</log><assign name="n" expr="n + 1"/></catch>
      <catch event="my" count="2"><log>two</log><assign name="n" expr="n + 1"/></catch>
      <field name="x"><grammar mode="dtmf" root="r" version="1.0"><rule id="r">1</rule></grammar>
        <noinput><throw eventexpr="n == 0 ? 'my.a' : 'my.b'"/></noinput></field></form>"""
    sim = run(body)
    sim.silence()
    sim.silence()
    assert sim.logs == ["one", "two"]


def test_counters_of_a_form_begin_anew_with_each_visit() -> None:
    body = """<var name="n" expr="0"/>
    <form id="f"><catch event="e" count="2"><log>second</log></catch>
      <catch event="e"><log>first</log><assign name="n" expr="n + 1"/>
        <if cond="n &lt; 3"><goto next="#f"/></if><exit/></catch>
      <block><throw event="e"/></block></form>"""
    assert run(body).logs == ["first", "first", "first"]


def test_counters_of_items_stand_until_they_are_cleared() -> None:
    body = f"""<form><field name="a">{YES}<noinput count="2"><log>two</log><clear namelist="a"/></noinput>
       <noinput><log>one</log></noinput></field></form>"""
    sim = run(body)
    for _ in range(4):
        sim.silence()
    assert sim.logs == ["one", "two", "one", "two"]


def test_the_variables_of_a_handler() -> None:
    body = """<form><catch event="a"><exit expr="[_event, _message]"/></catch>
      <block><throw event="a.b" messageexpr="'x' + 1"/></block></form>"""
    assert outcome(body) == ["a.b", "x1"]


def test_without_a_message_it_is_undefined() -> None:
    body = """<form><catch event="a"><exit expr="_message === undefined"/></catch>
      <block><throw eventexpr="'a'"/></block></form>"""
    assert outcome(body) is True


def test_a_handler_sees_the_variables_of_where_the_event_happened() -> None:
    body = """<catch event="a"><assign name="x" expr="x + 1"/><exit expr="dialog.x"/></catch>
      <form><var name="x" expr="1"/><block><throw event="a"/></block></form>"""
    assert outcome(body) == 2


def test_a_handler_of_the_root_finds_urls_from_the_document() -> None:
    root = """<vxml version="2.1"><catch event="a"><goto next="next.vxml"/></catch></vxml>"""
    from tests.unit.ivr.vxml.documents import vxml

    documents = {
        "http://vxml.example.com/roots/root.vxml": root,
        "http://vxml.example.com/leaves/leaf.vxml": vxml(
            "<form><block><throw event='a'/></block></form>", "application='../roots/root.vxml'"
        ),
        "http://vxml.example.com/leaves/next.vxml": vxml("<form><block><exit expr='1'/></block></form>"),
    }
    from sipcc.ivr.vxml import Simulation

    sim = Simulation("http://vxml.example.com/leaves/leaf.vxml", documents=documents)
    assert sim.value == 1


def test_an_event_in_a_handler_is_looked_for_from_where_it_began() -> None:
    body = f"""<catch event="b"><log>document b</log></catch>
      <form><field name="x">{YES}<noinput><throw event="b"/></noinput>
        <catch event="b"><log>field b</log></catch></field></form>"""
    sim = run(body)
    sim.silence()
    assert sim.logs == ["field b"]


def test_a_handler_that_throws_its_own_event_is_stopped() -> None:
    sim = run("<form><catch event='a'><throw event='a'/></catch><block><throw event='a'/></block></form>")
    assert sim.exit is not None
    assert sim.exit.reason == "limit"


@pytest.mark.parametrize(
    ("event", "reason", "said"),
    [
        ("error.foo", "error", ["Sorry, something went wrong. Please call again later."]),
        ("anything", "error", ["Sorry, something went wrong. Please call again later."]),
        ("exit", "exit", []),
        ("connection.disconnect.hangup", "hangup", []),
    ],
)
def test_the_default_handlers_that_end_the_session(event: str, reason: str, said: list[str]) -> None:
    sim = run(f"<form><block><throw event='{event}'/></block></form>")
    assert sim.exit is not None
    assert (sim.exit.reason, sim.prompts) == (reason, said)
    assert sim.exit.event == event


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("noinput", ["q", "q"]),
        ("help", ["q", "Sorry, there is no help here.", "q"]),
        ("nomatch", ["q", "Sorry, I did not understand that.", "q"]),
        ("maxspeechtimeout", ["q", "Sorry, I did not understand that.", "q"]),
        ("cancel", ["q"]),
    ],
)
def test_the_default_handlers_that_ask_again(event: str, said: list[str]) -> None:
    sim = run(f"""<link event="{event}">{words("now")}</link>
      <form><field name="a">{YES}<prompt>q</prompt></field></form>""")
    sim.say("now")
    assert sim.prompts == said


def test_the_default_handlers_speak_chinese() -> None:
    sim = run("<form><block><throw event='error.x'/></block></form>", "xml:lang='zh-CN'")
    assert sim.prompts == ["抱歉，系统出现问题，请稍后再拨。"]


@pytest.mark.parametrize(
    ("content", "event"),
    [
        ("<assign name='nobody' expr='1'/>", "error.semantic"),
        ("<assign name='document.nobody' expr='1'/>", "error.semantic"),
        ("<assign name='session.connection' expr='1'/>", "error.semantic"),
        ("<assign name='connection' expr='1'/>", "error.semantic"),
        ("<var name='a.b' expr='1'/>", "error.semantic"),
        ("<var name='dialog.b' expr='1'/>", "error.semantic"),
        ("<var name='x' expr='nobody'/>", "error.semantic"),
        ("<if cond='nobody'/>", "error.semantic"),
        ("<value expr='nobody'/>", "error.semantic"),
        ("<log expr='1 +'/>", "error.semantic"),
        ("<clear namelist='nobody'/>", "error.semantic"),
        ("<exit namelist='nobody'/>", "error.semantic"),
        ("<return/>", "error.semantic"),
        ("<submit next='x.vxml' namelist='nobody'/>", "error.semantic"),
        ("<foreach item='i' array=\"'no array'\"/>", "error.semantic"),
        ("<script>throw 1</script>", "error.semantic"),
        ("<script>while (true) {}</script>", "error.semantic"),
        ("<goto next='#nowhere'/>", "error.badfetch"),
        ("<goto next='missing.vxml'/>", "error.badfetch.http.404"),
        ("<submit next='missing.vxml'/>", "error.badfetch.http.404"),
        ("<script src='missing.js'/>", "error.badfetch.http.404"),
        ("<goto nextitem='nowhere'/>", "error.badfetch"),
        ("<goto expr=\"'#no' + 'where'\"/>", "error.badfetch"),
        ("<prompt timeout='5'>x</prompt>", "error.semantic"),
        ('<prompt bargein="true"><enumerate/></prompt>', "error.semantic"),
    ],
)
def test_what_fails_is_an_event(content: str, event: str) -> None:
    body = f"<form><error><exit expr='_event'/></error><block>{content}</block></form>"
    assert outcome(body) == event


def test_an_object_is_not_supported() -> None:
    body = "<form><error><exit expr='_event'/></error><object name='o' classid='builtin://x'/></form>"
    assert outcome(body) == "error.unsupported.objectname"


def test_an_error_in_a_condition_of_an_item() -> None:
    body = """<form><error><exit expr='_event'/></error><block cond="nobody"/></form>"""
    assert outcome(body) == "error.semantic"


@pytest.mark.parametrize("place", ["vxml", "form"])
def test_errors_while_variables_are_made(place: str) -> None:
    var = "<var name='x' expr='nobody'/>"
    outer, inner = (var, "") if place == "vxml" else ("", var)
    body = f"<error><exit expr='_event'/></error>{outer}<form>{inner}<block/></form>"
    assert outcome(body) == "error.semantic"


@pytest.mark.parametrize(
    ("body", "place", "problem"),
    [
        ("<form><block>\n <log expr='nope.y'/></block></form>", "2:2", "nope.y: ReferenceError"),
        ("<form><block>\n<goto next='#nowhere'/></block></form>", "2:1", "has no dialog 'nowhere'"),
        (
            "<form><block><if cond='1'>\n  <assign name='a' expr='1'/></if></block></form>",
            "2:3",
            "not declared",
        ),
        ("<form>\n<var name='a' expr='nope'/><block/></form>", "2:1", "nope: ReferenceError"),
        ("\n<var name='a' expr='nope'/><form><block/></form>", "2:1", "nope: ReferenceError"),
        ("<form>\n<block cond='nope'/></form>", "2:1", "nope: ReferenceError"),
        ("<form>\n<field name='a'/></form>", "2:1", "no grammar is active"),
        ("<form><block>\n<throw event='error.a' message='own'/></block></form>", "2:1", "own"),
    ],
)
def test_errors_tell_where_they_come_from(body: str, place: str, problem: str) -> None:
    """Those who read the log find the element; documents have the message alone."""
    simulation = run(body)
    assert simulation.exit is not None
    assert simulation.exit.message.startswith(f"{BASE}start.vxml:{place}: ")
    assert problem in simulation.exit.message
    note = next(note for note in simulation.notes if note.what == "event")
    assert note.details["message"] == simulation.exit.message


def test_documents_have_messages_without_a_place() -> None:
    body = "<catch event='error'><exit expr='_message'/></catch><form><block><throw event='error.a' message='own'/></block></form>"  # noqa: E501
    assert outcome(body) == "own"
