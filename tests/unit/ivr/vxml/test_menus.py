"""Menus, links, and grammars of other scopes (VoiceXML 2.0 §2.2, §2.5, §3.1)."""
# ruff: noqa: E501  # documents stand in lines of their own

import pytest
from tests.unit.ivr.vxml.documents import outcome, run, vxml, words

from sipcc.ivr.vxml import NotWaiting

MENU = """<menu id="m" {more}><prompt>Say <enumerate/></prompt>
  <choice next="#sport">sport news</choice>
  <choice dtmf="0" event="help">operator</choice>
  <choice expr="'#' + 'weather'">weather</choice>
  <help>H</help><noinput>N<reprompt/></noinput></menu>
<form id="sport"><block><exit expr="'sport'"/></block></form>
<form id="weather"><block><exit expr="'weather'"/></block></form>"""


@pytest.mark.parametrize(
    ("more", "say", "value"),
    [
        ("", "sport news", "sport"),
        ("", "weather", "weather"),
        ("accept='approximate'", "sport", "sport"),
        ("", "sport", None),
    ],
)
def test_choices_by_speech(more: str, say: str, value: object) -> None:
    sim = run(MENU.format(more=more))
    sim.say(say)
    assert sim.value == value


def test_the_first_nine_choices_without_keys_are_numbered() -> None:
    sim = run(MENU.format(more="dtmf='true'"))
    sim.press("0")
    assert sim.events == ["help"]
    sim.press("2")
    assert sim.value == "weather"


def test_without_dtmf_true_there_are_only_the_keys_that_are_written() -> None:
    sim = run(MENU.format(more=""))
    sim.press("1")
    assert sim.events == ["nomatch"]


def test_a_menu_asks_again() -> None:
    sim = run(MENU.format(more=""))
    sim.silence()
    sim.say("operator")
    assert sim.prompts == [
        "Say sport news; operator; weather;",
        "N",
        "Say sport news; operator; weather;",
        "H",
    ]


def test_enumerate_in_a_menu_with_a_template() -> None:
    menu = MENU.format(more="dtmf='true'").replace(
        "<enumerate/>", "<enumerate><value expr='_dtmf'/> <value expr='_prompt'/>,</enumerate>"
    )
    assert run(menu).prompts == ["Say 1 sport news, 0 operator, 2 weather,"]


def test_a_choice_with_a_grammar_of_its_own() -> None:
    menu = f"<menu><choice next='#x'>some text {words('secret')}</choice></menu><form id='x'><block><exit expr='1'/></block></form>"
    sim = run(menu)
    sim.say("some text")
    assert sim.events == ["nomatch"]
    sim.say("secret")
    assert sim.value == 1


def test_the_event_of_a_choice_has_its_message() -> None:
    menu = "<menu><choice dtmf='1' event='my.e' messageexpr=\"'m' + 1\"/><catch event='my'><exit expr='_event + _message'/></catch></menu>"
    sim = run(menu)
    sim.press("1")
    assert sim.value == "my.em1"


def test_a_menu_of_the_document_is_active_in_its_forms() -> None:
    field = f"<field name='a'>{words('yes')}<prompt>q</prompt></field>"
    body = f"<form>{field}</form>" + MENU.format(more="scope='document'")
    sim = run(body)
    sim.say("weather")
    assert sim.value == "weather"


def test_a_form_of_the_document_is_entered_with_what_was_said() -> None:
    body = f"""<form><field name="a">{words("yes")}<prompt>first</prompt></field></form>
      <form id="other" scope="document"><grammar mode="voice" version="1.0" root="r" xml:lang="en"
        tag-format="semantics/1.0"><rule id="r">go to rome<tag>out.city = 'rome'</tag></rule></grammar>
        <block><log>never before the answer</log></block>
        <field name="city">{words("rome")}<filled><exit expr="city"/></filled></field></form>"""
    sim = run(body)
    sim.say("go to rome")
    assert sim.value == "rome"
    assert sim.logs == []


def test_the_scope_of_a_grammar_goes_before_that_of_its_form() -> None:
    wide, narrow = words("wide", scope="document"), words("narrow")
    body = f"""<form><field name="a">{words("yes")}</field></form>
      <form id="other">{wide}{narrow}<block><exit expr="'other'"/></block></form>"""
    sim = run(body)
    sim.say("narrow")
    assert sim.events == ["nomatch"]
    sim.say("wide")
    assert sim.value == "other"


def test_inner_grammars_go_before_outer_ones() -> None:
    body = f"""<link event="doc">{words("same", "outer")}</link>
      <form><link event="form">{words("same", "middle")}</link>
      <field name="a">{words("same")}<filled><log>field</log><clear/></filled>
      <catch event="doc"><log>doc</log></catch><catch event="form"><log>form</log></catch></field></form>"""
    sim = run(body)
    for said in ("same", "middle", "outer"):
        sim.say(said)
    assert sim.logs == ["field", "form", "doc"]


def test_links_of_fields_and_their_keys() -> None:
    body = f"""<form><field name="a">{words("yes")}<link dtmf="* 9" next="#b"/></field></form>
      <form id="b"><block><exit expr="application.lastresult$.utterance"/></block></form>"""
    sim = run(body)
    sim.press("*9")
    assert sim.value == "*9"


def test_a_form_of_the_root_is_entered_from_a_leaf() -> None:
    root = vxml(
        f"<var name='n' expr='1'/><form scope='document'>{words('home')}<block><exit expr='n'/></block></form>"
    )
    sim = run(
        f"<form><block><assign name='n' expr='7'/></block><field name='a'>{words('yes')}</field></form>",
        "application='root.vxml'",
        more={"root.vxml": root},
    )
    sim.say("home")
    assert sim.value == 7


def test_universals_are_off_unless_the_property_says_so() -> None:
    field = f"<form><field name='a'>{words('yes')}<help>H</help></field></form>"
    off = run(field)
    off.say("help")
    assert off.events == ["nomatch"]
    some = run(f"<property name='universals' value='help cancel'/>{field}")
    some.say("help")
    some.say("exit")
    assert some.events == ["help", "nomatch"]
    everything = run(f"<property name='universals' value='all'/>{field}")
    everything.say("exit")
    assert everything.exit is not None
    assert everything.exit.event == "exit"


def test_grammars_by_url_in_both_forms() -> None:
    abnf = "#ABNF 1.0;\nlanguage en;\nroot $r;\npublic $r = oslo;\n"
    xml = words("rome").replace("<grammar", "<grammar xmlns='http://www.w3.org/2001/06/grammar'")
    sim = run(
        """<form><field name="a"><grammar src="a.gram" type="application/srgs"/>
        <grammar srcexpr="'b' + '.grxml'"/><filled><log expr="a"/><clear/></filled></field></form>""",
        more={"a.gram": abnf, "b.grxml": xml},
    )
    sim.say("oslo")
    sim.say("rome")
    assert sim.logs == ["oslo", "rome"]


def test_an_inline_grammar_in_the_abnf_form() -> None:
    abnf = "#ABNF 1.0;\nlanguage en;\nmode voice;\nroot $r;\n$r = oslo | bergen;\n"
    sim = run(f"""<form><field name="a"><grammar type="application/srgs"><![CDATA[{abnf}]]></grammar>
      <filled><exit expr="a"/></filled></field></form>""")
    sim.say("bergen")
    assert sim.value == "bergen"


@pytest.mark.parametrize(
    ("grammar", "event"),
    [
        ("<grammar src='missing.grxml'/>", "error.badfetch.http.404"),
        ("<grammar type='application/x-jsgf'>x</grammar>", "error.unsupported.format"),
        (
            "<grammar version='1.0' root='nowhere' xml:lang='en'><rule id='r'>a</rule></grammar>",
            "error.badfetch",
        ),
        ("<grammar src='builtin:grammar/nothing'/>", "error.unsupported.builtin"),
        ("<grammar srcexpr='nobody'/>", "error.semantic"),
    ],
)
def test_grammars_that_cannot_be_used(grammar: str, event: str) -> None:
    body = f"<form><error><exit expr='_event'/></error><field name='a'>{grammar}</field></form>"
    assert outcome(body) == event


def test_a_question_with_keys_only_gives_nomatch_to_speech_and_the_other_way_round() -> None:
    sim = run(f"<form><field name='a'>{words('1', mode='dtmf')}</field></form>")
    sim.say("one")
    assert sim.events == ["nomatch"]
    sim = run(f"<form><field name='a'>{words('one')}</field></form>")
    sim.press("1")
    assert sim.events == ["nomatch"]


def test_input_modes() -> None:
    field = (
        f"<field name='a'>{words('1', mode='dtmf')}{words('one')}<filled><exit expr='a'/></filled></field>"
    )
    sim = run(f"<form><property name='inputmodes' value='dtmf'/>{field}</form>")
    sim.say("one")
    assert sim.events == ["noinput"]
    sim.press("1")
    assert sim.value == "1"


def test_alternatives_and_confidence() -> None:
    field = f"""<property name="maxnbest" value="3"/><form><field name="a">{words("oslo", "bergen", "rome")}
      <filled><exit expr="[a, application.lastresult$.length, application.lastresult$[1].utterance]"/></filled>
      </field></form>"""
    sim = run(field)
    sim.say("oslo", 0.9, alternatives=[("bergen", 0.7), ("paris", 0.6), ("rome", 0.3)])
    assert sim.value == ["oslo", 2, "bergen"]
    sim = run(field)
    sim.say("oslo", 0.4)
    assert sim.events == ["nomatch"]
    sim = run(f"<property name='confidencelevel' value='0.3'/>{field}")
    sim.say("paris", 0.9, alternatives=[("rome", 0.4)])
    assert sim.events == ["error.semantic"]  # there is no second result


def test_what_is_typed_ahead_answers_the_next_question() -> None:
    fields = "".join(f"<field name='f{n}' type='digits?length=1'/>" for n in range(4))
    sim = run(f"<form>{fields}<filled><exit expr='f0 + f1 + f2 + f3'/></filled></form>")
    sim.press("1320")
    assert sim.value == "1320"


def test_the_simulation_says_what_does_not_fit() -> None:
    sim = run(f"<form><field name='a'>{words('yes')}</field></form>")
    with pytest.raises(NotWaiting, match="not for a transfer"):
        sim.transfer("busy")
    sim.hangup()
    assert sim.exit is not None
    assert sim.exit.reason == "hangup"
    with pytest.raises(NotWaiting, match="over"):
        sim.say("yes")


def test_the_event_of_a_link_of_the_root_is_handled_from_the_item_on() -> None:
    root = vxml(f"<link event='op'>{words('operator')}</link><catch event='op'><log>root</log></catch>")
    body = f"<catch event='op'><log>leaf</log></catch><form><field name='a'>{words('yes')}</field></form>"
    sim = run(body, "application='root.vxml'", more={"root.vxml": root})
    sim.say("operator")
    assert sim.logs == ["leaf"]


def test_nothing_of_the_caller_of_a_subdialog_is_listened_to_in_it() -> None:
    body = f"<link event='op'>{words('operator')}</link><form><subdialog name='s' src='sub.vxml'/></form>"
    more = {"sub.vxml": vxml(f"<form><field name='q'>{words('yes')}</field></form>")}
    sim = run(body, more=more)
    sim.say("operator")
    assert sim.events == ["nomatch"]


@pytest.mark.parametrize(("keys", "value"), [("1", "one"), ("12", "twelve")])
def test_the_longer_of_two_options_is_waited_for(keys: str, value: str) -> None:
    body = """<form><field name="a"><option dtmf="1" value="one">a</option><option dtmf="12" value="twelve">b</option>
      </field><block><exit expr="a"/></block></form>"""
    sim = run(body)
    sim.press(keys)
    assert sim.value == value
