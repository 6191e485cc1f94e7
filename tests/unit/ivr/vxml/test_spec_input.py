"""What answers a question, and when: keys, grammars and their scopes (VoiceXML 2.0 §3 and §4.1)."""
# ruff: noqa: E501  # documents stand in lines of their own

from tests.unit.ivr.vxml.documents import run

KEY = "<option dtmf='1' value='one'>one</option><option dtmf='2' value='two'>two</option>"


def test_keys_in_a_prompt_that_they_may_not_cut_are_dropped() -> None:
    sim = run(
        f"<form><field name='f'><prompt bargein='false'>A long sentence that nobody may cut.</prompt>{KEY}"
        "<filled><exit expr='f'/></filled><noinput><exit expr=\"'silent'\"/></noinput></field></form>"
    )
    sim.press("1", after=0.5)
    assert (sim.value, sim.events) == ("silent", ["noinput"])


def test_keys_typed_ahead_of_such_a_prompt_are_dropped() -> None:
    sim = run(
        f"<form><field name='e'><prompt>First.</prompt>{KEY}</field><field name='f'><prompt bargein='false'>Second.</prompt>{KEY}"
        "<filled><exit expr='e+f'/></filled></field></form>"
    )
    sim.press("12")
    assert sim.waiting == "input"
    sim.press("1")
    assert sim.value == "oneone"


def test_keys_behind_such_a_prompt_cut_the_next_one() -> None:
    sim = run(
        f"<form><field name='f'><prompt bargein='false'>No.</prompt><prompt>A long sentence that may well be cut by a key.</prompt>{KEY}"
        "<filled><exit expr='f'/></filled></field></form>"
    )
    sim.press("2", after=2.5)
    assert sim.value == "two"
