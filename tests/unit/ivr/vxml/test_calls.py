"""Recordings, transfers, subdialogs, and the end of the call (VoiceXML 2.0 §1.5.4, §2.3.4 to §2.3.7)."""
# ruff: noqa: E501  # documents stand in lines of their own

import pytest
from tests.unit.ivr.vxml.documents import outcome, run, vxml, words

from sipcc.ivr.steps import Record, Transfer

# -- record ---------------------------------------------------------------------------------------------------

RECORD = """<form><catch event="connection.disconnect.hangup"><submit next="save.vxml" namelist="m" method="post" enctype="multipart/form-data"/></catch>
  <record name="m" beep="true" maxtime="20s" finalsilence="2s" {more}><prompt>Speak.</prompt>
  <noinput><exit expr="'silent'"/></noinput>
  <filled><exit expr="[m$.duration > 0, m$.size > 0, m$.termchar, m$.maxtime]"/></filled></record></form>"""


def test_a_recording_is_ended_by_silence() -> None:
    sim = run(RECORD.format(more=""))
    assert sim.waiting == "record"
    assert isinstance(sim.question, Record)
    assert (sim.question.beep, sim.question.max_time, sim.question.final_silence) == (True, 20.0, 2.0)
    sim.say("hello this is a message")
    assert sim.value == [True, True, None, False]
    assert sim.prompts == ["Speak."]


def test_a_recording_is_ended_by_a_key() -> None:
    sim = run(RECORD.format(more="dtmfterm='true'"))
    sim.press("5")
    assert sim.value == [True, True, "5", False]


def test_a_recording_is_ended_by_a_key_of_its_grammar() -> None:
    body = f"""<form><record name="m" dtmfterm="false">{words("7", mode="dtmf")}
      <filled><exit expr="[m$.utterance, m$.inputmode, m$.termchar === null]"/></filled></record></form>"""
    sim = run(body)
    sim.press("7", after=3)
    assert sim.value == ["7", "dtmf", True]


def test_a_recording_without_a_voice() -> None:
    sim = run(RECORD.format(more=""))
    sim.silence()
    assert sim.value == "silent"


def test_a_recording_can_be_played_and_sent() -> None:
    body = """<form><record name="m"/><block><prompt>You said <audio expr="m"/>. <value expr="m"/></prompt>
      <submit next="save.vxml" namelist="m" method="post" enctype="multipart/form-data"/></block></form>"""
    sim = run(body, more={"save.vxml": vxml("<form><block>Saved.</block></form>")})
    sim.say("hello")
    assert sim.prompts == ["You said .", "Saved."]
    assert [url[-4:] for url in sim.spoken[0].audio] == [".wav", ".wav"]
    parts = sim.requests[-1].parts
    assert parts is not None
    name, file, content, kind = parts[0]
    assert (name, file, content[:4], kind) == ("m", "m.wav", b"RIFF", "audio/x-wav")


@pytest.mark.parametrize(
    ("kind", "file", "content"),
    [
        ("audio/x-wav", "m.wav", b"RIFF"),
        ("audio/wav", "m.wav", b"RIFF"),
        ("audio/basic", "m.ulaw", b"\xff\xff\xff\xff"),
        ("audio/x-alaw-basic", "m.alaw", b"\xd5\xd5\xd5\xd5"),
        ("audio/basic; rate=8000", "m.ulaw", b"\xff\xff\xff\xff"),
    ],
)
def test_a_recording_has_the_type_that_was_asked_for(kind: str, file: str, content: bytes) -> None:
    """Bare G.711 of 8 kHz has no head, so that its size is its length."""
    body = f"""<form><record name="m" type="{kind}"/><block><prompt><audio expr="m"/></prompt><log expr="m$.size"/>
      <submit next="save.vxml" namelist="m" method="post" enctype="multipart/form-data"/></block></form>"""
    sim = run(body, more={"save.vxml": vxml("<form><block>Saved.</block></form>")})
    sim.press("#", after=2)
    [(name, given, sent, media_type)] = sim.requests[-1].parts or ()
    assert (name, given, sent[:4]) == ("m", file, content)
    wanted = kind.partition(";")[0] if "basic" in kind else "audio/x-wav"
    assert (media_type, sim.logs) == (wanted, ["16000" if "basic" in kind else "32044"])
    assert sim.spoken[0].audio[0].endswith(file.removeprefix("m"))


@pytest.mark.parametrize("term", ["dtmfterm='true'", "dtmfterm='false'"])
def test_a_key_before_a_word_fills_nothing_and_is_no_noinput(term: str) -> None:
    """The form goes on as it does without an answer; what was typed is in lastresult$ (§2.3.6)."""
    body = f"""<form><record name="m" {term}>{words("5", mode="dtmf")}<prompt>Speak at last, please.</prompt>
      <prompt count="2"><value expr="typeof m + application.lastresult$.utterance"/></prompt>
      <filled><exit expr="m$.duration"/></filled></record></form>"""
    sim = run(body)
    sim.press("5", after=0.3)
    assert (sim.waiting, sim.events) == ("record", [])
    assert sim.prompts == ["Speak at last, please.", "undefined5"]
    sim.say("hello", seconds=1)
    assert sim.value == 4400, "what was said, and the silence that ended it"


def test_a_prompt_without_barge_in_is_no_time_for_keys() -> None:
    sim = run(RECORD.format(more="").replace("<prompt>", "<prompt bargein='false'>"))
    sim.press("5", after=0.1)
    assert (sim.value, sim.events) == ("silent", ["noinput"])


@pytest.mark.parametrize(("modal", "value"), [("false", "link"), ("true", 3000)])
def test_keys_for_others_end_a_recording_that_is_not_modal(modal: str, value: object) -> None:
    body = f"""<form><link dtmf="0" next="#b"/><record name="m" modal="{modal}">
      <filled><exit expr="m$.duration"/></filled></record></form><form id="b"><block><exit expr="'link'"/></block></form>"""
    sim = run(body)
    sim.press("0", after=3)
    assert sim.value == value


def test_what_is_typed_behind_the_end_of_a_recording_answers_what_comes_next() -> None:
    body = f"""<form><record name="m"/><field name="a">{words("1", mode="dtmf")}
      <filled><exit expr="m$.termchar + a"/></filled></field></form>"""
    sim = run(body)
    sim.press("#1", after=2)
    assert sim.value == "#1"


def test_hanging_up_before_a_recording_leaves_none() -> None:
    body = """<form><catch event="connection.disconnect.hangup"><log expr="typeof m"/></catch>
      <record name="m"><prompt>Speak at last, please.</prompt></record></form>"""
    sim = run(body)
    sim.hangup(after=0.2)
    assert sim.logs == ["undefined"]


def test_a_format_that_is_not_known() -> None:
    body = "<form><error><exit expr='_event'/></error><record name='m' type='video/mp4'/></form>"
    assert outcome(body) == "error.unsupported.format"


def test_hanging_up_in_a_recording_keeps_it() -> None:
    body = """<form><catch event="connection.disconnect.hangup"><log expr="m.indexOf('recording:') == 0"/></catch>
      <record name="m"/></form>"""
    sim = run(body)
    sim.hangup(after=4)
    assert sim.logs == ["true"]
    assert sim.exit is not None
    assert sim.exit.reason == "hangup"


# -- transfer -------------------------------------------------------------------------------------------------


def transferring(kind: str, more: str = "", inside: str = "") -> str:
    return f"""<form><catch event="connection.disconnect error"><log expr="_event"/><exit/></catch>
      <transfer name="t" dest="tel:+864008123456" {kind} {more}><prompt>Please wait.</prompt>{inside}
      <filled><exit expr="[t, t$.duration]"/></filled></transfer></form>"""


@pytest.mark.parametrize("kind", ["type='bridge'", "bridge='true'"])
@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("busy", ["busy", 0]),
        ("noanswer", ["noanswer", 0]),
        ("network_busy", ["network_busy", 0]),
        ("far_end_disconnect", ["far_end_disconnect", 7]),
        ("connected", ["far_end_disconnect", 7]),
        ("near_end_disconnect", ["near_end_disconnect", 7]),
        ("maxtime_disconnect", ["maxtime_disconnect", 7]),
        ("network_disconnect", ["network_disconnect", 7]),
        ("unknown", ["unknown", 0]),
    ],
)
def test_how_a_bridge_ends(kind: str, given: str, value: object) -> None:
    sim = run(transferring(kind))
    assert sim.waiting == "transfer"
    assert isinstance(sim.question, Transfer)
    assert sim.question.targets == ("+864008123456",)
    assert sim.prompts == ["Please wait."]
    sim.transfer(given, seconds=7)
    assert sim.value == value


@pytest.mark.parametrize(
    ("given", "event"),
    [
        ("403", "error.connection.noauthorization"),
        ("404", "error.connection.baddestination"),
        ("416", "error.unsupported.uri"),
        ("483", "error.connection.noroute"),
        ("488", "error.connection.protocol.488"),
        ("501", "error.unsupported.transfer.bridge"),
        ("noauthorization", "error.connection.noauthorization"),
        ("baddestination", "error.connection.baddestination"),
        ("noroute", "error.connection.noroute"),
        ("noresource", "error.connection.noresource"),
        ("unsupported", "error.unsupported.transfer.bridge"),
    ],
)
def test_refusals_are_events(given: str, event: str) -> None:
    sim = run(transferring("type='bridge'"))
    sim.transfer(given)
    assert sim.logs == [event]


@pytest.mark.parametrize(
    ("given", "value"),
    [("486", "busy"), ("600", "busy"), ("480", "noanswer"), ("408", "noanswer"), ("503", "network_busy")],
)
def test_a_status_that_has_a_name_of_its_own(given: str, value: str) -> None:
    """As on a real call, see `sipcc.ivr.steps.failure_of`."""
    sim = run(transferring("type='consultation'"))
    sim.transfer(given)
    assert sim.value == [value, 0]


@pytest.mark.parametrize("kind", ["blind", "consultation"])
def test_what_is_not_supported_names_its_kind(kind: str) -> None:
    sim = run(transferring(f"type='{kind}'"))
    sim.transfer("unsupported")
    assert sim.logs == [f"error.unsupported.transfer.{kind}"]


@pytest.mark.parametrize("kind", ["blind", "consultation", "bridge"])
def test_nobody_knows_what_came_of_it(kind: str) -> None:
    sim = run(transferring(f"type='{kind}'"))
    sim.transfer("unknown")
    assert sim.value == ["unknown", 0]


TOLD = "<filled><exit expr='[t, t$.duration, t$.inputmode, t$.utterance]'/></filled>"


@pytest.mark.parametrize(
    ("kind", "after", "duration"), [("bridge", 2, 0), ("consultation", 2, 0), ("bridge", 25, 20)]
)
@pytest.mark.parametrize("mode", ["dtmf", "voice"])
def test_the_caller_calls_it_off_or_parts_the_two(
    kind: str, after: float, duration: float, mode: str
) -> None:
    """A grammar of the transfer is listened to while it rings, and in a bridge also then (§2.3.7.2)."""
    sim = run(
        f"<form><transfer name='t' dest='tel:1' type='{kind}'>{words('1', mode=mode)}{TOLD}</transfer></form>"
    )
    sim.press("91", after=after) if mode == "dtmf" else sim.say("1", after=after)
    assert isinstance(sim.value, list)
    state, seconds, inputmode, utterance = sim.value
    assert (state, inputmode, utterance) == ("near_end_disconnect", mode, "1")
    assert isinstance(seconds, int | float)
    assert duration <= seconds <= duration + 1


@pytest.mark.parametrize("mode", ["dtmf", "voice"])
@pytest.mark.parametrize(
    ("bargein", "state"), [("true", "near_end_disconnect"), ("false", "far_end_disconnect")]
)
def test_the_caller_calls_it_off_in_the_prompts(mode: str, bargein: str, state: str) -> None:
    """Barge-in is as usual in the prompts before a transfer (§2.3.7)."""
    prompt = f"<prompt bargein='{bargein}'>You are put through in a moment.</prompt>"
    sim = run(
        f"<form><transfer name='t' dest='tel:1' bridge='true' transferaudio='r.wav'>{prompt}{words('1', mode=mode)}{TOLD}</transfer></form>",
        more={"r.wav": "RIFF"},
    )
    assert (sim.waiting, sim.prompts) == ("transfer", ["You are put through in a moment."])
    sim.press("1", after=0.3) if mode == "dtmf" else sim.say("1", after=0.3)
    assert isinstance(sim.value, list)
    assert sim.value[0] == state
    assert ("r.wav" in sim.prompts) is (bargein == "false"), "it rings, or it does not"


@pytest.mark.parametrize("given", ["busy", "404", "connected", "unknown"])
def test_prompts_that_may_be_cut_are_heard_once(given: str) -> None:
    sim = run(transferring("type='bridge'", inside=words("1", mode="dtmf")))
    sim.transfer(given)
    assert sim.prompts == ["Please wait."]


@pytest.mark.parametrize("kind", ["blind", "bridge"])
def test_what_no_grammar_of_the_transfer_has_changes_nothing(kind: str) -> None:
    """It is modal: grammars of others are not listened to; and nothing calls a blind one off."""
    own = words("1") if kind == "blind" else words("2")
    sim = run(
        f"<form><catch event='connection'><exit expr='_event'/></catch><link dtmf='1' next='#f'>{words('1')}</link>"
        f"<transfer name='t' dest='tel:1' type='{kind}'>{own}{TOLD}</transfer></form><form id='f'/>"
    )
    sim.say("1", after=2)
    assert sim.value in ("connection.disconnect.transfer", ["far_end_disconnect", 3600, None, None])


def test_what_the_other_side_is_told() -> None:
    for more in ("aai='a=1'", "aaiexpr=\"'a=' + 1\""):
        step = run(transferring("type='bridge'", more)).question
        assert isinstance(step, Transfer)
        assert step.data == "a=1"
    sim = run(transferring("type='bridge'", f"aai='{'x' * 501}'"))
    assert sim.logs == ["error.semantic"]


def test_the_sound_of_the_ringing_is_heard_and_may_be_missing() -> None:
    for more, heard in (({"ring.wav": "RIFF"}, ["Please wait.", "ring.wav"]), ({}, ["Please wait."])):
        sim = run(transferring("type='bridge'", "transferaudio='ring.wav'"), more=more)
        sim.transfer("busy")
        assert (sim.prompts, sim.value) == (heard, ["busy", 0])


@pytest.mark.parametrize("kind", ["", "bridge='false'", "type='blind'", "type='consultation'"])
def test_a_transfer_that_leaves(kind: str) -> None:
    sim = run(transferring(kind))
    sim.transfer("connected")
    assert sim.logs == ["connection.disconnect.transfer"]


def test_a_consultation_that_fails_comes_back() -> None:
    sim = run(transferring("type='consultation'"))
    sim.transfer("busy")
    assert sim.value == ["busy", 0]


def test_keys_part_a_bridge() -> None:
    sim = run(transferring("bridge='true'", inside=words("*", mode="dtmf")))
    sim.press("*", after=20)
    assert isinstance(sim.value, list)
    assert sim.value[0] == "near_end_disconnect"


def test_hanging_up_in_a_bridge() -> None:
    sim = run(transferring("bridge='true'"))
    sim.hangup(after=9)
    assert sim.logs == ["connection.disconnect.hangup"]


def test_times_and_targets_of_a_transfer() -> None:
    sim = run(transferring("bridge='true'", "connecttimeout='12s' maxtime='90s' transferaudio='ring.wav'"))
    step = sim.question
    assert isinstance(step, Transfer)
    assert (step.timeout, step.max_time, len(step.waiting)) == (12.0, 90.0, 1)


@pytest.mark.parametrize(
    ("dest", "target"),
    [
        ("tel:+86-400-812-3456", "+864008123456"),
        ("tel:(400)812.3456;ext=7", "4008123456"),
        ("TEL:4008123456", "4008123456"),
        ("sip:sales-desk@example.com", "sip:sales-desk@example.com"),
    ],
)
def test_whom_a_transfer_calls(dest: str, target: str) -> None:
    step = run(f"<form><transfer dest='{dest}' bridge='true'/></form>").question
    assert isinstance(step, Transfer)
    assert step.targets == (target,)


@pytest.mark.parametrize(
    ("dest", "event"),
    [("nonsense", "error.connection.baddestination"), ("mailto:a@example.com", "error.unsupported.uri")],
)
def test_targets_that_cannot_be_called(dest: str, event: str) -> None:
    body = f"<form><error><exit expr='_event'/></error><transfer dest='{dest}' bridge='true'/></form>"
    assert outcome(body) == event


# -- subdialogs ----------------------------------------------------------------------------------------------

SUB = vxml("""<form id="ask"><var name="city" expr="'nowhere'"/>
  <block><if cond="city == 'oslo'"><var name="size" expr="{n: 1}"/><return namelist="city size"/>
  <elseif cond="city == 'event'"/><return event="sub.fail" message="why"/><else/><return/></if></block></form>""")


def sub(inside: str, more: str = "") -> str:
    return f"""<form><catch event="error sub"><exit expr="_event + ' ' + _message"/></catch>
      <subdialog name="s" src="sub.vxml" {more}>{inside}<filled><exit expr="s"/></filled></subdialog></form>"""


@pytest.mark.parametrize(
    ("inside", "value"),
    [
        ("<param name='city' expr=\"'os' + 'lo'\"/>", {"city": "oslo", "size": {"n": 1}}),
        ("<param name='city' value='oslo'/>", {"city": "oslo", "size": {"n": 1}}),
        ("<param name='city' value='event'/>", "sub.fail why"),
        ("", {}),
    ],
)
def test_what_a_subdialog_returns(inside: str, value: object) -> None:
    assert outcome(sub(inside), more={"sub.vxml": SUB}) == value


def test_a_parameter_that_the_subdialog_does_not_declare() -> None:
    value = outcome(sub("<param name='other' value='1'/>"), more={"sub.vxml": SUB})
    assert str(value).startswith("error.semantic ")


def test_a_subdialog_may_handle_wrong_parameters_itself() -> None:
    own = SUB.replace("<form id", "<error><exit expr=\"'own'\"/></error><form id")
    assert outcome(sub("<param name='other' value='1'/>"), more={"sub.vxml": own}) == "own"


def test_a_subdialog_of_the_same_document_has_variables_of_its_own() -> None:
    body = """<var name="n" expr="0"/><form><block><assign name="n" expr="5"/></block>
      <subdialog name="s" src="#inner"><filled><exit expr="[n, s.n]"/></filled></subdialog></form>
      <form id="inner"><block><assign name="n" expr="n + 1"/><return namelist="n"/></block></form>"""
    assert outcome(body) == [5, 1]


def test_subdialogs_see_nothing_of_their_caller() -> None:
    own = vxml('<form><block><exit expr="typeof n + typeof x"/></block></form>')
    body = "<var name='n' expr='0'/><form><var name='x' expr='1'/><subdialog name='s' src='sub.vxml'/></form>"
    assert outcome(body, more={"sub.vxml": own}) == "undefinedundefined"


def test_an_event_in_a_subdialog_is_not_handled_by_its_caller() -> None:
    own = vxml("<form><block><throw event='error.own'/></block></form>")
    sim = run(sub(""), more={"sub.vxml": own})
    assert sim.exit is not None
    assert sim.exit.event == "error.own"


def test_subdialogs_in_subdialogs_have_a_limit() -> None:
    body = "<form id='f'><error><exit expr='_event'/></error><subdialog name='s' src='#f'/></form>"
    assert outcome(body) == "error.semantic"


def test_a_subdialog_goes_from_document_to_document() -> None:
    more = {
        "sub.vxml": vxml("<form><block><goto next='sub2.vxml'/></block></form>"),
        "sub2.vxml": vxml("<form><var name='r' expr='2'/><block><return namelist='r'/></block></form>"),
    }
    assert outcome(sub(""), more=more) == {"r": 2}


def test_variables_go_with_the_request_of_a_subdialog() -> None:
    sim = run(sub("", "namelist='session.connection.local.uri' method='post'"), more={"sub.vxml": SUB})
    assert sim.requests[-1].form == (("session.connection.local.uri", "tel:4008123456"),)


# -- the end of the call --------------------------------------------------------------------------------------


def test_after_a_hangup_things_may_still_be_done_but_not_asked() -> None:
    body = f"""<catch event="connection.disconnect.hangup"><log>gone</log><goto next="#clean"/></catch>
      <form><field name="a">{words("yes")}</field></form>
      <form id="clean"><block><log>cleaning</log><prompt>never heard</prompt></block>
        <field name="b">{words("yes")}</field><block><log>never</log></block></form>"""
    sim = run(body)
    sim.hangup()
    assert sim.logs == ["gone", "cleaning"]
    assert sim.exit is not None
    assert sim.exit.reason == "hangup"
    assert sim.prompts == []


def test_disconnect_plays_what_waits_and_throws() -> None:
    body = """<form><catch event="connection.disconnect.hangup"><log>gone</log><submit next="end.vxml" namelist="x"/></catch>
      <var name="x" expr="1"/><block>Bye.<disconnect namelist="x"/></block></form>"""
    sim = run(body, more={"end.vxml": vxml("<form><block><log>end</log></block></form>")})
    assert (sim.prompts, sim.logs) == (["Bye."], ["gone", "end"])
    assert sim.events == ["connection.disconnect.hangup"]
    assert sim.requests[-1].target.endswith("end.vxml?x=1")


def test_exit_plays_what_waits() -> None:
    assert run("<form><block>One. <exit/></block></form>").prompts == ["One."]


def test_who_is_gone_is_not_disconnected_again() -> None:
    body = """<catch event="connection.disconnect"><goto next="#f"/></catch>
      <form id="f"><block><log>once more</log><disconnect/></block></form>"""
    sim = run(body)
    assert sim.exit is not None
    assert (sim.logs, sim.exit.reason) == (["once more", "once more"], "hangup")


def test_a_loop_after_the_end_is_stopped() -> None:
    body = """<catch event="connection.disconnect"><goto next="#f"/></catch>
      <form id="f"><block cond="true"><goto next="#f"/></block></form>"""
    sim = run("<form><block><disconnect/></block></form>" + body)
    assert sim.exit is not None
    assert sim.exit.reason == "limit"
