"""What a caller may say while it is recorded (VoiceXML 2.0 §2.3.6)."""
# ruff: noqa: E501  # documents stand in lines of their own

from tests.unit.ivr.vxml.documents import run, words

STOP = words("stop it")
TOLD = "[r$.utterance, r$.inputmode, r$.confidence, r$.interpretation, r$.termchar, r$.duration, application.lastresult$.utterance]"


def test_words_of_its_own_grammar_end_a_recording() -> None:
    sim = run(f"<form><record name='r'>{STOP}<filled><exit expr='{TOLD}'/></filled></record></form>")
    sim.say("stop it", 0.9, after=2.0, seconds=1.0)
    assert sim.value == ["stop it", "voice", 0.9, "stop it", None, 3600, "stop it"]


def test_other_words_are_what_is_recorded() -> None:
    sim = run(
        f"<form><record name='r'>{STOP}<filled><exit expr='typeof r$.utterance'/></filled></record></form>"
    )
    sim.say("I would like to stop it", after=0.0, seconds=2.0)
    assert (sim.value, sim.seconds) == ("undefined", 5.0)


def test_words_that_are_not_sure_enough_end_no_recording() -> None:
    sim = run(
        f"<form><record name='r'>{STOP}<filled><exit expr='typeof r$.utterance'/></filled></record></form>"
    )
    sim.say("stop it", 0.2)
    assert sim.value == "undefined"


def test_without_voice_among_its_input_modes_no_words_end_it() -> None:
    sim = run(
        f"<form><record name='r'><property name='inputmodes' value='dtmf'/>{STOP}<filled><exit expr='typeof r$.utterance'/></filled></record></form>"
    )
    sim.say("stop it")
    assert sim.value == "undefined"


LINK = f"<link event='e'>{STOP}</link>"


def test_a_recording_is_modal_unless_it_says_otherwise() -> None:
    sim = run(f"{LINK}<form><record name='r'><filled><exit expr='r$.maxtime'/></filled></record></form>")
    sim.say("stop it")
    assert sim.value is False


def test_words_for_others_end_a_recording_that_is_not_modal_and_leave_it_empty() -> None:
    sim = run(
        f"{LINK}<form><record name='r' modal='false'><catch event='e'><exit expr='[typeof r, application.lastresult$.utterance]'/></catch></record></form>"
    )
    sim.say("stop it")
    assert (sim.value, sim.events) == (["undefined", "stop it"], ["e"])


def test_words_for_the_form_fill_its_fields_instead() -> None:
    tagged = STOP.replace("stop it</item>", "stop it <tag>out.f = 'x'</tag></item>").replace(
        "<grammar", "<grammar tag-format='semantics/1.0'"
    )
    sim = run(
        f"<form>{tagged}<record name='r' modal='false'/><field name='f'/><filled mode='any'><exit expr='[typeof r, f]'/></filled></form>"
    )
    sim.say("stop it")
    assert sim.value == ["undefined", "x"]
