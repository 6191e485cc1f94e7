"""What the caller of a simulation does at moments of one question: keys with pauses, several answers."""

import pytest
from tests.unit.ivr.vxml.documents import run, words

from sipcc.ivr.vxml import HungUp, NotWaiting, Pressed, Said, Simulation

_DIGITS = (
    "<property name='interdigittimeout' value='2s'/><property name='termtimeout' value='1s'/>"
    "<form><field name='f' type='digits'><prompt>Your number?</prompt></field>"
    "<block><exit expr='f'/></block></form>"
)
_HOTWORD = (
    "<form><field name='f'>"
    "<prompt {how}>A rather long prompt of many words that nobody hears to its end.</prompt>"
    "{grammar}<noinput><exit expr=\"'noinput'\"/></noinput>"
    "<nomatch><exit expr=\"'nomatch'\"/></nomatch></field>"
    "<block><exit expr='f'/></block></form>"
)


def hotword(how: str) -> Simulation:
    return run(_HOTWORD.format(how=how, grammar=words("x") + words("1", mode="dtmf")))


@pytest.mark.parametrize(("gap", "value"), [(0.1, "12"), (1.5, "12"), (2.5, "1")])
def test_the_gap_of_keys_and_interdigittimeout(gap: float, value: str) -> None:
    sim = run(_DIGITS)
    sim.press("12", gap=gap)
    assert sim.value == value


@pytest.mark.parametrize(("second", "value"), [(1.0, "12"), (3.0, "1")])
def test_keys_at_moments_of_one_question(second: float, value: str) -> None:
    sim = run(_DIGITS)
    sim.answer(Pressed(keys="1", after=0), Pressed(keys="2", after=second))
    assert sim.value == value
    with pytest.raises(NotWaiting):
        sim.press("2")


@pytest.mark.parametrize(("gap", "rest"), [(0.5, ""), (1.5, "#")])
def test_the_gap_of_keys_and_termtimeout(gap: float, rest: str) -> None:
    """A terminator within termtimeout belongs to the keys before it; a later one comes too late."""
    sim = run(
        "<property name='termtimeout' value='1s'/><form><field name='f' type='digits?length=2'/>"
        "<field name='g'>" + words("#", mode="dtmf") + "<property name='termchar' value=''/></field>"
        "<block><exit expr='g'/></block></form>"
    )
    sim.answer(Pressed(keys="12", after=0), Pressed(keys="#", after=0.3 + gap))
    assert (sim.value or "") == rest


def test_words_that_a_hotword_prompt_does_not_know_and_words_that_it_knows() -> None:
    sim = hotword("bargeintype='hotword'")
    sim.answer(Said(text="zz", after=0.5), Said(text="x", after=2.0))
    assert sim.value == "x"
    assert sim.seconds < 4
    assert [note.text for note in sim.notes if note.what == "does"] == ["after 0.5s say zz; after 2s say x"]


def test_words_under_a_prompt_that_nothing_cuts_and_words_after_it() -> None:
    sim = hotword("bargein='false'")
    sim.answer(Said(text="x", after=0.2), Said(text="x", after=8.0))
    assert sim.value == "x"
    assert sim.seconds > 8


def test_words_and_then_keys() -> None:
    sim = hotword("bargeintype='hotword'")
    sim.answer(Said(text="zz", after=0.5), Pressed(keys="1", after=1.5))
    assert sim.value == "1"


def test_without_a_moment_one_follows_the_other() -> None:
    sim = run(_DIGITS)
    sim.answer(Pressed(keys="1"), Pressed(keys="2"))
    assert sim.value == "12"


def test_what_one_question_did_not_take_the_next_one_hears() -> None:
    sim = run(
        "<form><field name='a'>" + words("x") + "</field><field name='b'>" + words("y") + "</field>"
        "<block><exit expr='a + b'/></block></form>"
    )
    sim.answer(Said(text="x", after=0), Said(text="y", after=3.0))
    assert sim.value == "xy"


def test_after_a_wrong_answer_the_rest_is_forgotten() -> None:
    sim = hotword("")
    sim.answer(Said(text="zz", after=0), Said(text="x", after=10.0))
    assert sim.value == "nomatch"


def test_hanging_up_is_one_of_them() -> None:
    sim = hotword("bargeintype='hotword'")
    sim.answer(Said(text="zz", after=0.5), HungUp(after=2.0))
    assert sim.exit is not None
    assert (sim.exit.reason, round(sim.seconds, 1)) == ("hangup", 2.0)


def test_alternatives_belong_to_the_words_they_were_given_with() -> None:
    sim = run(
        "<property name='maxnbest' value='3'/><form><field name='f'>"
        "<prompt bargeintype='hotword'>Which?</prompt>"
        + words("x", "y")
        + "</field><block><exit expr='application.lastresult$.length'/></block></form>"
    )
    sim.answer(
        Said(text="zz", after=0, alternatives=(("y", 0.3),)),
        Said(text="x", confidence=0.8, after=1.0, alternatives=(("y", 0.6),)),
    )
    assert sim.value == 2


def test_no_answer_at_all_is_no_answer() -> None:
    with pytest.raises(ValueError, match="silence"):
        hotword("").answer()


def test_texts_and_sounds_stand_in_their_order_with_how_they_may_be_cut() -> None:
    sim = run(
        "<form><block>first <audio src='a.wav'/> then <value expr='1 + 1'/></block><field name='f'>"
        "<prompt bargeintype='hotword'><audio src='a.wav'/>Which?</prompt>"
        "<prompt bargein='false'>Say.</prompt>" + words("x") + "</field></form>",
        more={"a.wav": "RIFF"},
    )
    url = "http://vxml.example.com/a.wav"
    block, which, say = sim.spoken
    assert block.items == ("first", url, "then 2")
    assert (which.items, which.hotword, which.bargein) == ((url, "Which?"), True, True)
    assert (say.items, say.hotword, say.bargein) == (("Say.",), False, False)
