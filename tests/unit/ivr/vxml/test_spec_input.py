"""What answers a question, and when: keys, grammars and their scopes (VoiceXML 2.0 §3 and §4.1)."""
# ruff: noqa: E501  # documents stand in lines of their own

from collections.abc import Sequence

import pytest
from tests.unit.ivr.vxml.documents import BASE, run, vxml, words

from sipcc.ivr.vxml import Simulation, simulate

AB = words("a", "b")
SAID = words("p")
CAUGHT = "<catch event='e'><exit expr='_event'/></catch>"


def value(body: str, deeds: Sequence[str]) -> object:
    sim = simulate(BASE + "start.vxml", deeds, documents={BASE + "start.vxml": vxml(body)})
    assert sim.exit is not None
    return sim.exit.value


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


@pytest.mark.parametrize(("cut", "asked"), [("false", True), ("true", False)])
def test_keys_typed_ahead_of_such_a_prompt_that_is_played_before_a_fetch_are_dropped(
    cut: str, asked: bool
) -> None:
    """§4.1.8: with fetchaudio, what waits is played while there is no question."""
    sim = run(
        f"<form><field name='e'>{KEY}</field><block><prompt bargein='{cut}'>Please wait.</prompt><goto next='two.vxml' fetchaudio='a.wav'/></block></form>",
        more={
            "two.vxml": vxml(f"<form><field name='f'>{KEY}<filled><exit expr='f'/></filled></field></form>")
        },
    )
    sim.press("12")
    assert (sim.waiting == "input") is asked
    assert asked or sim.value == "two"


def test_keys_behind_such_a_prompt_cut_the_next_one() -> None:
    sim = run(
        f"<form><field name='f'><prompt bargein='false'>No.</prompt><prompt>A long sentence that may well be cut by a key.</prompt>{KEY}"
        "<filled><exit expr='f'/></filled></field></form>"
    )
    sim.press("2", after=2.5)
    assert sim.value == "two"


MIXED = "<prompt>A sentence that may well be cut.</prompt><prompt bargein='false'>Another one, which nobody may cut at all.</prompt><prompt>A third one, which may be cut.</prompt>"
SECOND_S = 3.0
"""In the second of them."""
THIRD_S = 6.5


@pytest.mark.parametrize(
    ("after", "wanted", "heard"), [(0.5, "one", 1), (SECOND_S, "silent", 3), (THIRD_S, "one", 3)]
)
def test_each_prompt_says_itself_whether_it_may_be_cut(after: float, wanted: str, heard: int) -> None:
    """§4.1.5: the attribute counts while its prompt plays; what cuts one cuts those behind it as well."""
    sim = run(
        f"<form><field name='f'>{MIXED}{KEY}<filled><exit expr='f'/></filled><noinput><exit expr=\"'silent'\"/></noinput></field></form>"
    )
    starts = [spoke.seconds for spoke in sim.spoken]
    assert len(starts) == 3
    sim.press("1", after=after)
    assert (sim.value, len(sim.prompts)) == (wanted, heard)
    spoken = run(
        f"<form><field name='f'>{MIXED}{KEY}<filled><exit expr='f'/></filled><noinput><exit expr=\"'silent'\"/></noinput></field></form>"
    )
    spoken.say("one", after=after, seconds=0.4)
    assert (spoken.value, len(spoken.prompts)) == (wanted, heard)


@pytest.mark.parametrize(
    ("body", "deeds", "wanted"),
    [
        # §3.1.4: of several grammars of one scope the first in the document
        (f"<form>{CAUGHT}<link event='e.link'>{SAID}</link>{SAID}<field name='f'>{AB}</field></form>", ["p"], "e.link"),
        (f"<form>{SAID}<link event='e.link'>{SAID}</link>{CAUGHT}<nomatch/><field name='p'>{AB}<filled><exit expr='p'/></filled></field></form>", ["p", "a"], "a"),
        (f"<form>{CAUGHT}<field name='f'><link event='e.link'>{SAID}</link>{SAID}<filled><exit expr='f'/></filled></field></form>", ["p"], "e.link"),
        (f"<form>{CAUGHT}<field name='f'>{SAID}<link event='e.link'>{SAID}</link><filled><exit expr='f'/></filled></field></form>", ["p"], "p"),
        (f"<form>{CAUGHT}<field name='f'><option value='o'>p</option>{SAID}<filled><exit expr='f'/></filled></field></form>", ["p"], "o"),
        (f"<form>{CAUGHT}<field name='f'>{AB}</field></form><form scope='document'>{SAID}<field name='z'>{AB}</field><block><exit expr='3'/></block></form><link event='e.link'>{SAID}</link>", ["p", "a"], 3),
        (f"<form>{CAUGHT}<field name='f'>{AB}</field></form><link event='e.link'>{SAID}</link><form scope='document'>{SAID}<field name='z'>{AB}</field></form>", ["p"], "e.link"),
        # and of several scopes the innermost
        (f"<link event='e.doc'>{SAID}</link>{CAUGHT}<form><link event='e.form'>{SAID}</link><field name='f'>{AB}</field></form>", ["p"], "e.form"),
        (f"<link event='e.doc'>{SAID}</link>{CAUGHT}<form><link event='e.form'>{SAID}</link><field name='f'>{SAID}<filled><exit expr='f'/></filled></field></form>", ["p"], "p"),
    ],
)  # fmt: skip
def test_which_of_several_grammars_is_matched(body: str, deeds: Sequence[str], wanted: object) -> None:
    assert value(body, deeds) == wanted


@pytest.mark.parametrize("weight", ["1", "0.5", ".5", "2."])
def test_weights_of_grammars(weight: str) -> None:
    body = (
        f"<form><field name='f'>{words('x', weight=weight)}<filled><exit expr='f'/></filled></field></form>"
    )
    assert value(body, ["x"]) == "x"


FRENCH = words("oui").replace('xml:lang="en"', 'xml:lang="fr-CA"')
NONE = words("x").replace('xml:lang="en"', 'xml:lang="qq-ZZ"')


@pytest.mark.parametrize(
    ("body", "attributes", "languages", "wanted"),
    [
        ("<form><block><prompt xml:lang='qq'>x</prompt><exit/></block></form>", "", (), True),
        ("<form><block><prompt>x <s xml:lang='qq-ZZ'>y</s></prompt><exit/></block></form>", "", (), True),
        ("<form><block><prompt>x <s xml:lang='fr'>y</s></prompt><exit/></block></form>", "", (), False),
        ("<form><block><prompt>x <s xml:lang='fr'>y</s></prompt><exit/></block></form>", "", ("en-US",), True),
        ("<form><block>x<exit/></block></form>", "xml:lang='qq'", (), True),
        ("<form><block>x<exit/></block></form>", "xml:lang='en-GB'", ("en-US",), False),
        (f"<form><field name='f'>{NONE}</field></form>", "", (), True),
        (f"<form><field name='f'>{NONE.replace('voice', 'dtmf')}<option dtmf='1'/></field></form>", "", (), False),
        (f"<form><field name='f'>{FRENCH}</field></form>", "", (), False),
        (f"<form><field name='f'>{FRENCH}</field></form>", "", ("en", "zh-CN"), True),
        ("<form><field name='f'><grammar src='g.grxml'/></field></form>", "", (), True),
        ("<form><field name='f'><prompt xml:lang='qq'>x</prompt><option>a</option></field></form>", "", (), True),
    ],
)  # fmt: skip
def test_languages_that_are_not_there(
    body: str, attributes: str, languages: Sequence[str], wanted: bool
) -> None:
    caught = "<catch event='error.unsupported.language'><exit/></catch>"
    grammar = NONE.replace(
        "<grammar", '<?xml version="1.0"?><grammar xmlns="http://www.w3.org/2001/06/grammar"'
    )
    sim = run(caught + body, attributes, languages=languages, more={"g.grxml": grammar})
    assert (sim.events == ["error.unsupported.language"]) is wanted, sim.notes


def test_our_own_sentences_are_heard_whatever_the_languages() -> None:
    sim = run("<form><block><throw event='error.x'/></block></form>", languages=("fr",))
    assert (sim.events, len(sim.prompts)) == (["error.x"], 1)


TAGGED = (
    words("p")
    .replace("<item>p</item>", "<item>p <tag>out = 'other'</tag></item>")
    .replace("<grammar", "<grammar tag-format='semantics/1.0'")
)
NBEST = "application.lastresult$"


def asked(body: str, best: int) -> Simulation:
    return run(f"<property name='maxnbest' value='{best}'/>{body}")


def test_the_interpretations_of_several_grammars_are_all_told() -> None:
    each = f"{NBEST}.length + {NBEST}[0].interpretation + {NBEST}[1].interpretation + {NBEST}[1].utterance"
    sim = asked(
        f"<link event='e'>{TAGGED}</link><form><field name='f'>{SAID}<filled><exit expr='{each}'/></filled></field></form>",
        5,
    )
    sim.say("p")
    assert sim.value == "2potherp"


def test_all_interpretations_of_an_ambiguous_answer_are_told() -> None:
    items = "<item>p <tag>out = 'first'</tag></item><item>p <tag>out = 'second'</tag></item><item>p <tag>out = 'first'</tag></item>"
    grammar = TAGGED.replace("<item>p <tag>out = 'other'</tag></item>", items)
    each = f"{NBEST}.length + {NBEST}[0].interpretation + {NBEST}[1].interpretation + f"
    sim = asked(f"<form><field name='f'>{grammar}<filled><exit expr='{each}'/></filled></field></form>", 5)
    sim.say("p")
    assert sim.value == "2firstsecondfirst"


def test_no_interpretation_is_told_twice() -> None:
    sim = asked(
        f"<link event='e'>{SAID}</link><form><field name='f'>{SAID}<filled><exit expr='{NBEST}.length'/></filled></field></form>",
        5,
    )
    sim.say("p")
    assert sim.value == 1


def test_what_was_heard_is_told_by_its_confidence() -> None:
    each = f"{NBEST}.length + {NBEST}[0].utterance + {NBEST}[1].utterance + f + f$.confidence"
    sim = asked(f"<form><field name='f'>{AB}<filled><exit expr='{each}'/></filled></field></form>", 2)
    sim.say("a", 0.6, alternatives=[("b", 0.8), ("q", 0.7)])
    assert sim.value == "2bab0.8"
