"""Forms: items, guards, prompts, mixed initiative and <filled> (VoiceXML 2.0 §2.1, §2.3, §2.4, Appendix C)."""
# ruff: noqa: E501  # documents stand in lines of their own

import pytest
from tests.unit.ivr.vxml.documents import outcome, run, words

YES = words("yes", "no")
END = "<block><exit expr=\"'end'\"/></block>"


def test_items_are_visited_in_the_order_of_the_document_and_once() -> None:
    body = "<form>" + "".join(f"<block><log>{n}</log></block>" for n in "abc") + END + "</form>"
    assert run(body).logs == ["a", "b", "c"]


def test_a_form_without_a_transition_ends_the_session() -> None:
    done = run("<form><block>Bye.</block></form><form id='other'><block>never</block></form>")
    assert done.exit is not None
    assert done.exit.reason == "done"
    assert done.prompts == ["Bye."]


def test_an_item_with_a_value_or_a_false_condition_is_left_out() -> None:
    body = f"""<form>
        <block name="a" expr="true"><log>a</log></block>
        <block cond="false"><log>b</log></block>
        <field name="c" expr="'x'">{YES}</field>
        <block cond="c == 'x'"><log>d</log></block>
    </form>"""
    assert run(body).logs == ["d"]


def test_a_cleared_item_is_visited_again_with_its_first_prompt() -> None:
    body = f"""<form>
      <var name="n" expr="0"/>
      <field name="a">{YES}<prompt count="1">one</prompt><prompt count="2">two</prompt><filled/></field>
      <block cond="n &lt; 2"><assign name="n" expr="n + 1"/><clear namelist="a"/></block>
    </form>"""
    sim = run(body)
    sim.silence()
    sim.say("yes")
    sim.say("no")
    assert sim.prompts == ["one", "two", "one"]


def test_clear_without_names_clears_the_items_and_not_the_variables() -> None:
    body = """<form><var name="n" expr="0"/>
      <block name="b"><assign name="n" expr="n + 1"/></block>
      <block cond="n &lt; 3"><clear/></block>
      <block><exit expr="n"/></block></form>"""
    assert outcome(body) == 3


@pytest.mark.parametrize(
    ("prompts", "heard"),
    [
        ("<prompt>a</prompt>", ["a", "a", "a"]),
        ("<prompt>a</prompt><prompt count='2'>b</prompt>", ["a", "b", "b"]),
        ("<prompt count='1'>a</prompt><prompt count='3'>b</prompt>", ["a", "a", "b"]),
        ("<prompt>a</prompt><prompt>b</prompt>", ["a", "b", "a", "b", "a", "b"]),
        ("<prompt cond='false'>a</prompt><prompt>b</prompt>", ["b", "b", "b"]),
        ("<prompt count='2' cond='false'>a</prompt><prompt>b</prompt>", ["b", "b", "b"]),
        ("plain", ["plain", "plain", "plain"]),
        ("plain<prompt count='2'>b</prompt>", ["plain", "b", "b"]),
    ],
)
def test_tapered_prompts(prompts: str, heard: list[str]) -> None:
    sim = run(f"<form><field name='a'>{YES}{prompts}</field></form>")
    sim.silence()
    sim.silence()
    assert sim.prompts == heard


def test_no_prompt_is_heard_after_a_handler_unless_it_says_reprompt() -> None:
    catch = "<noinput>n</noinput><nomatch>m<reprompt/></nomatch>"
    sim = run(f"<form><field name='a'>{YES}<prompt>q</prompt>{catch}</field></form>")
    sim.silence()
    sim.say("what")
    assert sim.prompts == ["q", "n", "m", "q"]


def test_the_prompt_counter_stands_while_prompts_are_left_out() -> None:
    prompts = "<prompt count='1'>one</prompt><prompt count='2'>two</prompt>"
    body = f"<form><field name='a'>{YES}{prompts}<noinput/><nomatch><reprompt/></nomatch></field></form>"
    sim = run(body)
    sim.silence()
    sim.silence()
    sim.say("what")
    assert sim.prompts == ["one", "two"]


def test_a_handler_that_goes_to_another_item_leaves_out_its_prompts() -> None:
    body = f"""<form><field name="a">{YES}<prompt>a</prompt><noinput><goto nextitem="b"/></noinput></field>
        <field name="b">{YES}<prompt>b</prompt></field></form>"""
    sim = run(body)
    sim.silence()
    assert sim.prompts == ["a"]
    assert sim.question is not None
    assert sim.question.label == "b"  # type: ignore[union-attr]


def test_reprompt_before_going_to_another_item_lets_it_have_its_prompts() -> None:
    body = f"""<form><field name="a">{YES}<prompt>a</prompt>
        <noinput><reprompt/><goto nextitem="b"/></noinput></field>
        <field name="b">{YES}<prompt>b</prompt></field></form>"""
    sim = run(body)
    sim.silence()
    assert sim.prompts == ["a", "b"]


def test_a_handler_that_goes_to_another_form_lets_it_have_its_prompts() -> None:
    body = f"""<form><field name="a">{YES}<prompt>a</prompt><noinput><goto next="#g"/></noinput></field></form>
        <form id="g"><field name="b">{YES}<prompt>b</prompt></field></form>"""
    sim = run(body)
    sim.silence()
    assert sim.prompts == ["a", "b"]


def test_a_block_after_a_handler_uses_up_the_silence() -> None:
    body = f"""<form><field name="a">{YES}<prompt>a</prompt>
        <noinput><assign name="a" expr="'x'"/></noinput></field>
        <block><log>between</log></block>
        <field name="b">{YES}<prompt>b</prompt></field></form>"""
    sim = run(body)
    sim.silence()
    assert sim.prompts == ["a", "b"]


def test_goto_nextitem_ignores_guards() -> None:
    body = """<form><var name="n" expr="0"/>
      <block><goto nextitem="late"/></block>
      <block name="early"><log>early</log></block>
      <block name="late" cond="false"><log>late</log><assign name="n" expr="n + 1"/></block>
      </form>"""
    assert run(body).logs == ["late", "early"]


def test_goto_expritem_and_an_item_that_is_not_there() -> None:
    body = """<form><catch event="error.badfetch"><exit expr="_event"/></catch>
      <block><goto expritem="'no' + 'where'"/></block></form>"""
    assert outcome(body) == "error.badfetch"


# -- mixed initiative ----------------------------------------------------------------------------------------

FROM_TO = """<grammar mode="voice" root="r" version="1.0" xml:lang="en" tag-format="semantics/1.0">
  <rule id="r"><item>from <ruleref uri="#city"/><tag>out.origin = rules.latest();</tag></item>
    <item repeat="0-1">to <ruleref uri="#city"/><tag>out.target = rules.latest();</tag></item></rule>
  <rule id="city"><one-of><item>rome<tag>out = 'ROM';</tag></item><item>oslo<tag>out = 'OSL';</tag></item>
  </one-of></rule></grammar>"""

TRAVEL = f"""<form id="travel">{FROM_TO}
  <initial name="start"><prompt>Where from and to?</prompt>
     <nomatch count="2"><assign name="start" expr="true"/>One by one.<reprompt/></nomatch></initial>
  <field name="origin">{words("rome", "oslo")}<prompt>Where from?</prompt></field>
  <field name="goal" slot="target">{words("rome", "oslo")}<prompt>Where to?</prompt></field>
  <filled><exit expr="origin + ' ' + goal"/></filled></form>"""


def test_one_answer_fills_several_fields() -> None:
    sim = run(TRAVEL)
    sim.say("from rome to oslo")
    assert sim.prompts == ["Where from and to?"]
    assert sim.value == "ROM OSL"


def test_what_is_left_is_asked_for_and_initial_is_over() -> None:
    sim = run(TRAVEL)
    sim.say("from rome")
    assert sim.prompts == ["Where from and to?", "Where to?"]
    sim.say("oslo")
    assert sim.value == "ROM oslo"


def test_initial_may_give_up() -> None:
    sim = run(TRAVEL)
    sim.say("hm")
    sim.say("hm")
    assert sim.prompts[-2:] == ["One by one.", "Where from?"]


def test_a_form_grammar_is_active_in_fields_that_are_not_modal() -> None:
    sim = run(TRAVEL)
    sim.say("from rome")
    sim.say("from oslo to rome")
    assert sim.value == "OSL ROM"


def test_in_a_modal_field_only_its_own_grammars_are_active() -> None:
    sim = run(f"""<link event="help">{words("anything")}</link><form>{FROM_TO}
      <field name="a" modal="true">{YES}</field></form>""")
    sim.say("from rome")
    sim.say("anything")
    assert sim.events == ["nomatch", "nomatch"]


def test_shadow_variables_of_fields_that_a_form_grammar_filled() -> None:
    body = TRAVEL.replace(
        "origin + ' ' + goal", "[origin$.utterance, goal$.interpretation.target, goal$.inputmode]"
    )
    sim = run(body)
    sim.say("from rome to oslo", 0.75)
    assert sim.value == ["from rome to oslo", "OSL", "voice"]


def test_a_slot_may_be_a_path() -> None:
    grammar = """<grammar mode="voice" root="r" version="1.0" xml:lang="en" tag-format="semantics/1.0">
      <rule id="r">big cola<tag>out.drink = {size: 'big', kind: 'cola'};</tag></rule></grammar>"""
    sim = run(f"""<form>{grammar}<field name="size" slot="drink.size">{YES}</field>
      <field name="kind" slot="drink.kind">{YES}</field><filled><exit expr="size + kind"/></filled></form>""")
    sim.say("big cola")
    assert sim.value == "bigcola"


@pytest.mark.parametrize(
    ("slot", "value"), [("", {"a": 1, "b": 2}), ("slot='b'", 2), ("slot='c'", {"a": 1, "b": 2})]
)
def test_what_a_field_grammar_fills(slot: str, value: object) -> None:
    grammar = """<grammar mode="voice" root="r" version="1.0" xml:lang="en" tag-format="semantics/1.0">
      <rule id="r">go<tag>out.a = 1; out.b = 2;</tag></rule></grammar>"""
    sim = run(f"<form><field name='x' {slot}>{grammar}<filled><exit expr='x'/></filled></field></form>")
    sim.say("go")
    assert sim.value == value


# -- filled --------------------------------------------------------------------------------------------------


def test_filled_actions_run_in_the_order_of_the_document() -> None:
    body = f"""<form>{FROM_TO}
      <filled><log>all</log></filled>
      <field name="origin">{YES}<filled><log>origin</log></filled></field>
      <field name="target">{YES}<filled><log>target</log></filled></field>
      <filled mode="any" namelist="origin"><log>any</log></filled>
      <filled namelist="origin target"><exit/></filled></form>"""
    sim = run(body)
    sim.say("from rome to oslo")
    assert sim.logs == ["all", "origin", "target", "any"]


def test_mode_all_waits_and_mode_any_does_not() -> None:
    body = f"""<form><field name="a">{YES}</field><field name="b">{YES}</field>
       <filled mode="any"><log>any</log></filled><filled mode="all" namelist="a b"><log>all</log></filled></form>"""
    sim = run(body)
    sim.say("yes")
    assert sim.logs == ["any"]
    sim.say("no")
    assert sim.logs == ["any", "any", "all"]


def test_a_throw_in_filled_stops_the_rest() -> None:
    body = f"""<form><catch event="stop"><log>caught</log></catch>
       <field name="a">{YES}<filled><throw event="stop"/></filled></field>
       <filled><log>never</log></filled></form>"""
    sim = run(body)
    sim.say("yes")
    assert sim.logs == ["caught"]


def test_a_field_is_only_filled_when_its_turn_came_by_an_answer() -> None:
    body = f"""<form><block><assign name="a" expr="1"/></block>
      <field name="a">{YES}<filled><log>never</log></filled></field></form>"""
    assert run(body).logs == []


def test_a_namelist_with_a_variable_that_is_not_there() -> None:
    body = f"""<form><catch event="error.semantic"><exit expr="'semantic'"/></catch>
       <field name="a">{YES}</field><filled namelist="a nobody"><log>never</log></filled></form>"""
    sim = run(body)
    sim.say("yes")
    assert sim.value == "semantic"


# -- fields ---------------------------------------------------------------------------------------------------


def test_options_in_both_modes() -> None:
    body = """<form><field name="a"><prompt>Choose: <enumerate/></prompt>
      <option dtmf="1" value="L">lobster</option><option dtmf="2">sole</option><option dtmf="3"/>
      <filled><log expr="a"/><clear/></filled></field></form>"""
    sim = run(body)
    assert sim.prompts == ["Choose: lobster; sole; ;"]
    sim.say("lobster")
    sim.press("2")
    sim.press("3")
    assert sim.logs == ["L", "sole", "3"]


def test_an_approximate_option() -> None:
    body = """<form><field name="a"><option accept="approximate" value="x">great green dragon</option>
      <option>small red frog</option><filled><log expr="a"/><clear/></filled></field></form>"""
    sim = run(body)
    for said in ("great dragon", "green", "small frog", "dragon green", "small red frog"):
        sim.say(said)
    assert sim.logs == ["x", "x", "small red frog"]


def test_enumerate_with_a_template() -> None:
    body = """<form><field name="a"><prompt><enumerate>For <value expr="_prompt"/> press <value expr="_dtmf"/>.
      </enumerate></prompt><option dtmf="1">lobster</option><option dtmf="2">sole</option></field></form>"""
    assert run(body).prompts == ["For lobster press 1. For sole press 2."]


@pytest.mark.parametrize(
    ("kind", "keys", "value"),
    [
        ("boolean", "1", True),
        ("boolean", "2", False),
        ("boolean?y=7;n=9", "9", False),
        ("digits", "123#", "123"),
        ("digits?length=3", "123", "123"),
        ("digits?minlength=2;maxlength=4", "1234", "1234"),
        ("date", "20260302", "20260302"),
        ("currency", "12*50#", "12.50"),
        ("number", "3*5#", "3.5"),
        ("phone", "4008123456*12#", "4008123456x12"),
        ("time", "0930", "0930?"),
    ],
)
def test_built_in_types_by_keys(kind: str, keys: str, value: object) -> None:
    sim = run(f"<form><field name='a' type='{kind}'><filled><exit expr='a'/></filled></field></form>")
    sim.press(keys)
    assert sim.value == value


@pytest.mark.parametrize(("kind", "said", "value"), [("boolean", "yes", True), ("boolean", "no", False), ("digits", "one two", "12")])  # fmt: skip
def test_built_in_types_by_speech(kind: str, said: str, value: object) -> None:
    sim = run(f"<form><field name='a' type='{kind}'><filled><exit expr='a'/></filled></field></form>")
    sim.say(said)
    assert sim.value == value


def test_an_unknown_type() -> None:
    body = """<form><catch event="error.unsupported.builtin"><exit expr="_event"/></catch>
      <field name="a" type="nothing"/></form>"""
    assert outcome(body) == "error.unsupported.builtin"


def test_a_field_without_a_grammar_is_an_error() -> None:
    body = "<form><catch event='error.semantic'><exit expr='_event'/></catch><field name='a'>q</field></form>"
    assert outcome(body) == "error.semantic"


@pytest.mark.parametrize("name", ["if", "1a", "a.b"])
def test_a_name_that_no_variable_may_have(name: str) -> None:
    body = f"<form><catch event='error.semantic'><exit expr='1'/></catch><field name='{name}'>{YES}</field></form>"
    assert outcome(body) == 1


def test_the_item_of_an_unnamed_field_works() -> None:
    sim = run(f"<form><field>{YES}<filled><exit expr=\"'ok'\"/></filled></field></form>")
    sim.say("yes")
    assert sim.value == "ok"
