"""Prompts: what is said, when, and what cuts it (VoiceXML 2.0 §4.1, 2.1 §3, §7)."""
# ruff: noqa: E501  # documents stand in lines of their own

import pytest
from tests.unit.ivr.vxml.documents import BASE, outcome, run, words

from sipcc.ivr.steps import Audio, Gather, Mark, Prompt, Silence, Text, Value

YES = words("yes")


def items(prompt: str, **more: object) -> tuple[object, ...]:
    """What a prompt comes down to."""
    sim = run(f"<form><field name='a'>{YES}{prompt}</field></form>", **more)  # type: ignore[arg-type]
    assert isinstance(sim.question, Gather)
    return tuple(item for one in sim.question.prompts for item in one.items)


SOUND = {"hello.wav": "RIFF", "bye.wav": "RIFF", "page.html": "<html/>"}


@pytest.mark.parametrize(
    ("prompt", "made"),
    [
        ("<prompt>Hello,\n  you</prompt>", (Text("Hello, you"),)),
        ("<prompt>1 + 1 = <value expr='1 + 1'/>!</prompt>", (Text("1 + 1 = 2!"),)),
        ("<prompt>a<break time='250ms'/>b</prompt>", (Text("a"), Silence(0.25), Text("b"))),
        ("<prompt>a<break/>b</prompt>", (Text("a"), Silence(0.5), Text("b"))),
        ("<prompt>a<break strength='none'/>b</prompt>", (Text("a"), Silence(0.0), Text("b"))),
        ("<prompt>a<mark name='m'/>b</prompt>", (Text("a"), Mark("m"), Text("b"))),
        ("<prompt>a<mark nameexpr=\"'m' + 1\"/></prompt>", (Text("a"), Mark("m1"))),
        ("<prompt><p><s>One.</s><s>Two.</s></p></prompt>", (Text("One. Two."),)),
        (
            "<prompt>I <emphasis>really</emphasis> <prosody rate='slow'>do</prosody></prompt>",
            (Text("I really do"),),
        ),
        ("<prompt><sub alias='World Wide Web'>WWW</sub></prompt>", (Text("World Wide Web"),)),
        (
            "<prompt>say <voice name='anna'>hi</voice> again</prompt>",
            (Text("say"), Text("hi", "", "anna"), Text("again")),
        ),
        ("<prompt>say <s xml:lang='zh-CN'>你好</s></prompt>", (Text("say"), Text("你好", "zh-CN"))),
        ("<prompt><say-as interpret-as='digits'>12</say-as></prompt>", (Value("digits", "12"),)),
        (
            "<prompt><say-as interpret-as='date'>20260302</say-as></prompt>",
            (Value("date", "2026-03-02"),),
        ),
        ("<prompt>a<break strength='x-strong'/>b</prompt>", (Text("a"), Silence(1.0), Text("b"))),
        ("<prompt><p>One.</p><p>Two.</p></prompt>", (Text("One."), Silence(0.4), Text("Two."))),
        ("<prompt>Dear <emphasis>you</emphasis>!</prompt>", (Text("Dear you!"),)),
        (
            "<prompt>It is <say-as interpret-as='percentage'><value expr='5 * 10'/>%</say-as></prompt>",
            (Text("It is"), Value("percent", "50")),
        ),
        ("<prompt><say-as interpret-as='spell-out'>abc</say-as></prompt>", (Text("a b c"),)),
        ("<prompt><say-as interpret-as='vxml:time'>0305p</say-as></prompt>", (Value("time", "15:05"),)),
        (
            "<prompt><say-as interpret-as='telephone' format='86'>13800138000</say-as></prompt>",
            (Value("phone", "+8613800138000"),),
        ),
        ("<prompt><say-as interpret-as='currency'>much</say-as></prompt>", (Text("much"),)),
        (
            "<prompt><audio src='hello.wav'>no <value expr='1'/></audio></prompt>",
            (Audio(BASE + "hello.wav", (Text("no 1"),)),),
        ),
        ("<prompt><audio src='lost.wav'>no <value expr='1'/></audio></prompt>", (Text("no 1"),)),
        ("<prompt><audio src='lost.wav'><audio src='bye.wav'/></audio></prompt>", (Audio(BASE + "bye.wav"),)),
        ("<prompt><audio src='page.html'>no sound</audio></prompt>", (Text("no sound"),)),
        ("<prompt><audio expr=\"''\">no sound</audio></prompt>", (Text("no sound"),)),
        ("<prompt>a <audio expr=\"'hello' + '.wav'\"/></prompt>", (Text("a"), Audio(BASE + "hello.wav"))),
        ("<prompt>a <audio expr='undefined'>never</audio></prompt>", (Text("a"),)),
        ("<prompt xml:base='sub/'><audio src='../hello.wav'/></prompt>", (Audio(BASE + "hello.wav"),)),
        ("<prompt><desc>x</desc>a</prompt>", (Text("a"),)),
        ("<audio src='hello.wav'/>", (Audio(BASE + "hello.wav"),)),
        ("Just text <value expr=\"'here'\"/>", (Text("Just text here"),)),
        ("<prompt/>", ()),
    ],
)
def test_what_is_said(prompt: str, made: tuple[object, ...]) -> None:
    assert items(prompt, more=SOUND) == made


def gather(prompts: str, document: str = "") -> Gather:
    sim = run(f"{document}<form><block>From a block.</block><field name='a'>{YES}{prompts}</field></form>")
    assert isinstance(sim.question, Gather)
    return sim.question


def cuts(prompts: tuple[Prompt, ...]) -> list[tuple[str, bool]]:
    return [(prompt.bargein, prompt.hotword) for prompt in prompts]


def test_prompts_wait_until_something_is_asked() -> None:
    assert [prompt.items for prompt in gather("<prompt>q</prompt>").prompts] == [
        (Text("From a block."),),
        (Text("q"),),
    ]


def test_barge_in() -> None:
    step = gather("<prompt bargein='false'>a</prompt><prompt bargeintype='hotword'>b</prompt>")
    assert cuts(step.prompts) == [("any", False), ("off", False), ("any", True)]
    off = gather(
        "<prompt>a</prompt><prompt bargein='true'>b</prompt>", "<property name='bargein' value='false'/>"
    )
    assert cuts(off.prompts) == [("off", False), ("off", False), ("any", False)]


@pytest.mark.parametrize(
    ("prompts", "document", "timeout"),
    [
        ("<prompt>a</prompt>", "", 5.0),
        ("<prompt timeout='2s'>a</prompt>", "", 2.0),
        ("<prompt timeout='2s'>a</prompt><prompt timeout='1500ms'>b</prompt>", "", 1.5),
        ("<prompt timeout='2s'>a</prompt><prompt>b</prompt>", "<property name='timeout' value='9s'/>", 9.0),
        ("<property name='timeout' value='3s'/>", "<property name='timeout' value='9s'/>", 3.0),
    ],
)
def test_the_last_prompt_says_how_long_to_wait(prompts: str, document: str, timeout: float) -> None:
    assert gather(prompts, document).collect.timeout == timeout


def test_timers_and_terminators_are_properties() -> None:
    given = {
        "interdigittimeout": "2s",
        "termtimeout": "1s",
        "termchar": "*",
        "maxspeechtimeout": "8s",
        "completetimeout": "0.4s",
        "incompletetimeout": "2s",
    }
    step = gather("", "".join(f"<property name='{name}' value='{value}'/>" for name, value in given.items()))
    assert (step.collect.interdigit, step.collect.termtimeout, step.collect.terminators) == (2.0, 1.0, "*")
    assert step.listen is not None
    assert (step.listen.max_time, step.listen.complete_timeout, step.listen.incomplete_timeout) == (
        8.0,
        0.4,
        2.0,
    )


@pytest.mark.parametrize(
    "name", ["timeout", "interdigittimeout", "confidencelevel", "maxnbest", "inputmodes", "bargein"]
)
def test_a_property_with_a_wrong_value(name: str) -> None:
    body = f"<property name='{name}' value='wrong'/><form><error><exit expr='_event'/></error><field name='a'>{YES}<prompt>q</prompt></field></form>"
    assert outcome(body) == "error.semantic"


def test_properties_of_the_root_hold_in_leaves_and_inner_ones_go_before() -> None:
    root = "<vxml version='2.1'><property name='timeout' value='7s'/><property name='termchar' value='*'/></vxml>"
    sim = run(
        f"<property name='timeout' value='8s'/><form><field name='a'>{YES}</field></form>",
        "application='root.vxml'",
        more={"root.vxml": root},
    )
    assert isinstance(sim.question, Gather)
    assert (sim.question.collect.timeout, sim.question.collect.terminators) == (8.0, "*")


def test_marks_that_were_heard() -> None:
    body = f"""<form><field name="a">{YES}<prompt>One two three four.<mark name="first"/>Five six seven eight nine ten.
      <mark name="second"/></prompt>
      <filled><exit expr="[a$.markname, application.lastresult$.markname, a$.marktime > 100, a$.marktime &lt; 5000]"/></filled></field></form>"""
    sim = run(body)
    sim.say("yes", after=2.0)
    assert sim.value == ["first", "first", True, True]


def test_without_marks_they_are_undefined() -> None:
    sim = run(f"<form><field name='a'>{YES}<filled><exit expr='typeof a$.markname'/></filled></field></form>")
    sim.say("yes")
    assert sim.value == "undefined"


def test_the_language_of_a_document_is_that_of_its_texts() -> None:
    sim = run("<form><block>你好<exit/></block></form>", "xml:lang='zh-CN'")
    assert sim.prompts == ["你好"]


def test_fetchaudio_lets_prompts_be_played_before_the_fetch() -> None:
    body = """<form><block>Before.<submit next="next.vxml" fetchaudio="music.wav"/></block></form>"""
    sim = run(body, more={"next.vxml": "<vxml version='2.1'><form><block>After.</block></form></vxml>"})
    assert sim.prompts == ["Before.", "After."]
    assert sim.spoken[0].seconds < sim.spoken[1].seconds


def test_bases_of_urls_are_put_together_once() -> None:
    body = f"""<form><field name='a'>{YES}<prompt xml:base='c/'><audio src='x.wav'>lost</audio></prompt></field></form>"""
    sim = run(body, "xml:base='b/'")
    assert sim.requests[-1].target == BASE + "b/c/x.wav"


@pytest.mark.parametrize(
    ("kind", "size", "file"),
    [
        ("audio/x-wav", 16044, "r.wav"),
        ("audio/basic", 8000, "r.ulaw"),
        ("audio/x-alaw-basic", 8000, "r.alaw"),
    ],
)
def test_recordings_of_answers(kind: str, size: int, file: str) -> None:
    about = "application.lastresult$"
    body = f"""<property name="recordutterance" value="true"/><property name="recordutterancetype" value="{kind}"/>
      <form><field name="a">{YES}<filled><log expr="{about}.recording == a$.recording"/>
      <log expr="a$.recordingsize"/><log expr="a$.recordingduration"/><var name="r" expr="a$.recording"/>
      <submit next="save.vxml" namelist="r" method="post" enctype="multipart/form-data"/></filled></field></form>"""
    sim = run(body, more={"save.vxml": "<vxml version='2.1'><form/></vxml>"})
    sim.say("yes")
    assert sim.logs == ["true", str(size), "1000"]
    [(_, given, content, media_type)] = sim.requests[-1].parts or ()
    assert (given, len(content), media_type) == (file, size, kind)


def test_speech_that_is_too_long() -> None:
    sim = run(
        f"<form><field name='a'>{YES}<catch event='maxspeechtimeout'><exit expr='_event'/></catch></field></form>"
    )
    sim.say("yes", seconds=25)
    assert sim.value == "maxspeechtimeout"


def test_the_condition_of_a_handler_may_ask_for_the_event() -> None:
    body = "<form><catch cond=\"_event == 'a'\"><exit expr='1'/></catch><catch><exit expr='2'/></catch><block><throw event='{}'/></block></form>"
    assert (outcome(body.format("a")), outcome(body.format("b"))) == (1, 2)


def test_a_handler_while_a_form_begins_does_not_take_its_prompts() -> None:
    sim = run(
        f"<form><error><log>e</log></error><var name='x' expr='nobody'/><field name='a'>{YES}<prompt>q</prompt></field></form>"
    )
    assert (sim.logs, sim.prompts) == (["e"], ["q"])


def test_a_handler_while_a_form_begins_may_choose_the_item() -> None:
    sim = run(
        "<form><error><goto nextitem='b'/></error><block name='b'><log>b</log></block><script>nobody</script></form>"
    )
    assert sim.exit is not None
    assert (sim.logs, sim.exit.reason) == (["b"], "done")


def test_an_empty_prompt_may_say_how_long_to_wait() -> None:
    step = gather("<prompt>a</prompt><prompt timeout='8s'/>")
    assert (step.collect.timeout, len(step.prompts)) == (8.0, 2)


def test_choices_are_hints_for_the_recogniser() -> None:
    sim = run("<menu><choice next='#a'>sales</choice><choice next='#a'>support</choice></menu>")
    assert isinstance(sim.question, Gather)
    assert sim.question.listen is not None
    assert sim.question.listen.hints == ("sales", "support")


def test_a_grammar_whose_age_matters_is_fetched_again() -> None:
    grammar = words("yes").replace("<grammar", "<grammar xmlns='http://www.w3.org/2001/06/grammar'")
    for more, count in (("", 2), ("maxage='0'", 3)):
        body = f"<form><field name='a'><grammar src='g.grxml' {more}/></field></form>"
        sim = run(body, more={"g.grxml": grammar})
        sim.silence()
        assert len(sim.requests) == count


def test_prompts_that_were_cut_before_they_began_were_not_heard() -> None:
    body = f"<form><field name='a'>{YES}<prompt>One two three four five.</prompt><prompt>Six seven.</prompt></field></form>"
    sim = run(body)
    assert sim.prompts == ["One two three four five.", "Six seven."]
    sim.say("yes", after=0.5)
    assert sim.prompts == ["One two three four five."]
    late = run(body)
    late.say("yes")
    assert late.prompts == ["One two three four five.", "Six seven."]


@pytest.mark.parametrize(
    ("more", "property_", "heard"),
    [
        ("", "", "slow.wav"),
        ("fetchtimeout='1s'", "", "instead"),
        ("fetchtimeout='4s'", "", "slow.wav"),
        ("", "<property name='fetchtimeout' value='1s'/>", "instead"),
        ("fetchtimeout='4s'", "<property name='fetchtimeout' value='1s'/>", "slow.wav"),
    ],
)
def test_a_sound_that_takes_too_long_gives_way_to_its_content(more: str, property_: str, heard: str) -> None:
    body = f"<form>{property_}<block><audio src='slow.wav' {more}>instead</audio></block></form>"
    seconds = lambda request: 3.0 if request.target.endswith(".wav") else 0.0  # noqa: E731
    assert run(body, more={"slow.wav": "RIFF"}, fetch_seconds=seconds).prompts == [heard]


@pytest.mark.parametrize(
    ("more", "property_", "ages"),
    [
        ("", "", (None, None)),
        ("maxage='10' maxstale='20'", "", (10.0, 20.0)),
        (
            "maxage='10'",
            "<property name='audiomaxage' value='5'/><property name='audiomaxstale' value='6'/>",
            (10.0, 6.0),
        ),
    ],
)
def test_how_old_a_sound_may_be(more: str, property_: str, ages: tuple[float | None, float | None]) -> None:
    sim = run(f"<form>{property_}<block><audio src='a.wav' {more}/></block></form>", more={"a.wav": "RIFF"})
    assert (sim.requests[-1].max_age, sim.requests[-1].max_stale) == ages
