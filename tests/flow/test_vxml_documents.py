"""VoiceXML over SIP and RTP: what documents say is heard as tones, keys are RFC 4733, transfers INVITE and REFER."""
# ruff: noqa: E501  # documents stand in lines of their own

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, Centre
from tests.flow.tone_voice import ToneVoice

from sipcc.ivr.speech.recognise import Said, ScriptedRecogniser
from sipcc.rtp.codec import g711
from sipcc.rtp.files import seconds_of
from sipcc.rtp.flow import PlayFile
from sipcc.testing.audio import silence, tone, write_wav
from sipcc.testing.fakecall import FakeCall
from sipcc.testing.phone import Answer, Behaviour, Decline, Ignore

NUMBER = "4008120021"

CONFIG = """
[fetch]
folders = ["{folder}/app"]

[vxml]
documents = {{ page = "{folder}/app/start.vxml" }}

[[numbers]]
number = "4008120021"
to = "vxml:page"
"""

HZ = {
    name: 420.0 + 60 * at
    for at, name in enumerate(
        (
            "ask", "again", "more", "good", "other", "busy", "noanswer", "network_busy", "far_end_disconnect",
            "near_end_disconnect", "maxtime_disconnect", "error.connection.baddestination",
            "error.connection.noauthorization", "error.connection.noroute", "noinput", "nomatch",
        )
    )
}  # fmt: skip
"""The tone of each sound: what is heard tells what the document said."""


def page(body: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><vxml version="2.1" xmlns="http://www.w3.org/2001/vxml">{body}</vxml>'


def keys(*answers: str) -> str:
    items = "".join(f"<item>{' '.join(answer)}</item>" for answer in answers)
    return (
        f'<grammar mode="dtmf" version="1.0" root="r"><rule id="r"><one-of>{items}</one-of></rule></grammar>'
    )


class Page(Centre):
    """A centre with one document, and a sound for each word that it may say."""

    def __init__(
        self,
        folder: Path,
        body: str,
        ears: ScriptedRecogniser | None = None,
        voice: ToneVoice | None = None,
    ) -> None:
        app = folder / "app"
        app.mkdir()
        (app / "start.vxml").write_text(page(body), encoding="utf-8")
        for name, hz in HZ.items():
            write_wav(app / f"{name}.wav", tone(hz, 0.6))
        super().__init__(folder, extra=CONFIG.format(folder=folder), recogniser=ears, voice=voice)

    async def call(self) -> FakeCall:
        caller = await self.carrier.call(NUMBER)
        await caller.answered()
        return caller


async def heard(caller: FakeCall, *names: str, timeout: float = 8) -> None:
    """The sounds come in this order."""
    for name in names:
        await caller.hears(HZ[name], timeout=timeout, seconds=0.2)


def says(*names: str) -> str:
    return "".join(f'<audio src="{name}.wav"/>' for name in names)


# -- keys ----------------------------------------------------------------------------------------------------

FIELD = f"""<form><field name="a">{keys("1", "22", "3#")}<prompt>{says("ask")}</prompt>
  <noinput>{says("noinput")}<reprompt/></noinput><nomatch>{says("nomatch")}<reprompt/></nomatch>
  <filled><if cond="a == '22'">{says("good")}<else/>{says("other")}</if></filled></field></form>"""


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("1", ("ask", "other")),
        ("22", ("ask", "good")),
        ("9", ("ask", "nomatch", "ask")),
        ("", ("ask", "noinput", "ask")),
    ],
)
async def test_keys_of_a_grammar(tmp_path: Path, typed: str, names: tuple[str, ...]) -> None:
    async with Page(tmp_path, FIELD) as centre:
        caller = await centre.call()
        await heard(caller, names[0])
        if typed:
            await caller.press(typed, duration_ms=60, gap_ms=60)
        await heard(caller, *names[1:], timeout=12)
        await caller.hangup()


async def test_keys_typed_ahead_answer_one_item_after_the_other(tmp_path: Path) -> None:
    field = f"""<field name="{{0}}">{keys("1", "2")}<prompt>{says("ask")}</prompt></field>"""
    body = f"""<form>{field.format("a")}{field.format("b")}{field.format("c")}
      <block><if cond="a + b + c == '121'">{says("good")}</if></block></form>"""
    async with Page(tmp_path, body) as centre:
        caller = await centre.call()
        await caller.press("121", duration_ms=60, gap_ms=60)
        await heard(caller, "good")
        await caller.ended()


@pytest.mark.parametrize(("more", "names"), [("termchar", ("good",)), ("none", ("other",))])
async def test_the_terminator_is_no_key_of_the_answer(
    tmp_path: Path, more: str, names: tuple[str, ...]
) -> None:
    value = "#" if more == "termchar" else ""
    body = f"""<property name="termchar" value="{value}"/><form><field name="a" type="digits?minlength=2;maxlength=4">
      <prompt>{says("ask")}</prompt><nomatch>{says("other")}<exit/></nomatch>
      <filled><if cond="a == '12'">{says("good")}</if></filled></field></form>"""
    async with Page(tmp_path, body) as centre:
        caller = await centre.call()
        await heard(caller, "ask")
        await caller.press("12#", duration_ms=60, gap_ms=60)
        await heard(caller, *names)
        await caller.ended()


# -- transfers -----------------------------------------------------------------------------------------------


def transfer(kind: str, dest: str = "sip:1001@pbx.example.com", inside: str = "") -> str:
    return f"""<form><catch event="error"><prompt><audio expr="_event + '.wav'"/></prompt><exit/></catch>
      <transfer name="t" dest="{dest}" {kind}>{inside}<filled><prompt><audio expr="t + '.wav'"/></prompt></filled></transfer></form>"""


@pytest.mark.parametrize("kind", ["type='bridge'", "type='consultation'"])
@pytest.mark.parametrize(
    ("behaviour", "name"),
    [
        (Decline(486), "busy"),
        (Decline(600), "busy"),
        (Decline(480), "noanswer"),
        (Ignore(), "noanswer"),
        (Decline(503), "network_busy"),
        (Decline(502), "error.connection.noroute"),
        (Decline(404), "error.connection.baddestination"),
        (Decline(403), "error.connection.noauthorization"),
    ],
)
async def test_nobody_takes_the_call(tmp_path: Path, kind: str, behaviour: Behaviour, name: str) -> None:
    async with Page(tmp_path, transfer(f"{kind} connecttimeout='4s'")) as centre:
        await centre.phone("1001", behaviour)
        caller = await centre.call()
        await heard(caller, name, timeout=20)
        await caller.ended()


@pytest.mark.parametrize("kind", ["bridge", "consultation", "blind"])
async def test_a_destination_to_which_no_way_leads(tmp_path: Path, kind: str) -> None:
    async with Page(tmp_path, transfer(f"type='{kind}'", "sip:nobody@pbx.example.com")) as centre:
        caller = await centre.call()
        await heard(caller, "network_busy")
        await caller.ended()


@pytest.mark.parametrize("ends", ["far_end_disconnect", "near_end_disconnect", "maxtime_disconnect"])
async def test_how_a_bridge_ends(tmp_path: Path, ends: str) -> None:
    longest = "3s" if ends == "maxtime_disconnect" else "0s"
    async with Page(tmp_path, transfer(f"bridge='true' maxtime='{longest}'", inside=keys("*9"))) as centre:
        agent = await centre.phone("1001")
        caller = await centre.call()
        await caller.hears(AGENT_HZ["1001"], timeout=8)
        if ends == "far_end_disconnect":
            await agent.calls[-1].hangup()
        elif ends == "near_end_disconnect":
            await caller.press("1*9", duration_ms=60, gap_ms=60)
        await heard(caller, ends)
        await agent.calls[-1].ended()
        await caller.ended()


async def test_a_word_parts_a_bridge(tmp_path: Path) -> None:
    grammar = (
        '<grammar mode="voice" version="1.0" xml:lang="en" root="r"><rule id="r">come back</rule></grammar>'
    )
    ears = ScriptedRecogniser(Said("hello there", after=1.5), Said("come back", after=2.0))
    async with Page(tmp_path, transfer("bridge='true'", inside=grammar), ears) as centre:
        await centre.phone("1001")
        caller = await centre.call()
        await caller.hears(AGENT_HZ["1001"], timeout=8)
        await heard(caller, "near_end_disconnect")
        await caller.ended()


@pytest.mark.parametrize("kind", ["bridge", "consultation"])
async def test_a_key_calls_off_what_rings(tmp_path: Path, kind: str) -> None:
    async with Page(
        tmp_path, transfer(f"type='{kind}' transferaudio='more.wav'", inside=keys("9"))
    ) as centre:
        agent = await centre.phone("1001", Answer(after=20))
        caller = await centre.call()
        await heard(caller, "more")
        await caller.press("9", duration_ms=60, gap_ms=60)
        await heard(caller, "near_end_disconnect")
        assert await agent.calls[-1].ended() == "cancelled"
        await caller.ended()


@pytest.mark.parametrize("key", ["9", ""])
async def test_a_key_in_the_prompts_calls_it_off(tmp_path: Path, key: str) -> None:
    inside = keys("9") + f"<prompt>{says('ask', 'ask', 'ask')}</prompt>"
    async with Page(tmp_path, transfer("bridge='true'", inside=inside)) as centre:
        agent = await centre.phone("1001")
        caller = await centre.call()
        await heard(caller, "ask")
        if key:
            await caller.press(key, duration_ms=60, gap_ms=60)
            await heard(caller, "near_end_disconnect")
            assert not agent.calls
            await caller.ended()
        else:
            await caller.hears(AGENT_HZ["1001"], timeout=8)
            await caller.hangup()


async def test_a_caller_who_hangs_up_in_a_bridge(tmp_path: Path) -> None:
    async with Page(tmp_path, transfer("bridge='true'")) as centre:
        agent = await centre.phone("1001")
        caller = await centre.call()
        await caller.hears(AGENT_HZ["1001"], timeout=8)
        await caller.hangup()
        await agent.calls[-1].ended()


@pytest.mark.parametrize(
    ("status", "name"),
    [(200, ""), (486, "busy"), (408, "noanswer"), (404, "error.connection.baddestination")],
)
async def test_a_blind_transfer_is_a_refer(tmp_path: Path, status: int, name: str) -> None:
    async with Page(tmp_path, transfer("type='blind'")) as centre:
        await centre.phone("1001")
        centre.carrier.endpoint.outbound.allow_also("REFER")
        caller = await centre.call()
        caller.takes = lambda inbound: inbound.reply(202)
        await asyncio.sleep(2)
        [refer] = [request for request in caller.requests if request.method == "REFER"]
        assert "1001" in (refer.headers.get("Refer-To") or "")
        notify = [("Event", "refer"), ("Subscription-State", "terminated;reason=noresource")]
        body = f"SIP/2.0 {status} Whatever\r\n".encode()
        await caller.send("NOTIFY", headers=notify, body=body, content_type="message/sipfrag")
        if name:
            await heard(caller, name)
        await caller.ended()


@pytest.mark.parametrize("kind", ["blind", "consultation"])
async def test_a_transfer_of_a_phone_that_knows_no_refer_goes_through_us(tmp_path: Path, kind: str) -> None:
    async with Page(tmp_path, transfer(f"type='{kind}'")) as centre:
        agent = await centre.phone("1001")
        caller = await centre.call()
        await caller.hears(AGENT_HZ["1001"], timeout=8)
        await asyncio.sleep(2)
        await caller.hears(AGENT_HZ["1001"], timeout=1)
        await agent.calls[-1].hears(CALLER_HZ, timeout=1)
        await caller.hangup()


@pytest.mark.parametrize(
    ("kind", "refers"), [("bridge", False), ("consultation", False), ("blind", True), ("blind", False)]
)
async def test_the_other_side_is_told_what_the_document_wants(
    tmp_path: Path, kind: str, refers: bool
) -> None:
    wanted = "order 7, 谢谢".encode().hex() + ";encoding=hex"
    body = transfer(f"type='{kind}' aai='order 7, 谢谢'")
    async with Page(tmp_path, body) as centre:
        agent = await centre.phone("1001")
        if refers:
            centre.carrier.endpoint.outbound.allow_also("REFER")
        caller = await centre.call()
        caller.takes = lambda inbound: inbound.reply(202)
        await asyncio.sleep(2)
        if refers:
            [refer] = [request for request in caller.requests if request.method == "REFER"]
            assert f"?User-to-User={wanted.replace(';', '%3B').replace('=', '%3D')}>" in (
                refer.headers.get("Refer-To") or ""
            )
        else:
            assert agent.calls[-1].request.headers.get("User-to-User") == wanted
        await caller.hangup()


# -- prompts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "names"),
    [
        # one after the other, over items that ask nothing
        (f"<form><block>{says('ask')}</block><block>{says('good')}</block></form>", ("ask", "good")),
        # the content in the place of a sound that is not there, or is none
        (f"<form><block><audio src='lost.wav'>{says('good')}</audio></block></form>", ("good",)),
        (f"<form><block><audio src='start.vxml'>{says('good')}</audio></block></form>", ("good",)),
        (f"<form><block><audio src='lost.wav'/>{says('good')}</block></form>", ("good",)),
        (f"<form><block><audio expr='undefined'>{says('other')}</audio>{says('good')}</block></form>", ("good",)),
        # conditions and expressions
        (f"<form><var name='n' expr=\"'good'\"/><block><prompt cond='n == 1'>{says('other')}</prompt><audio expr=\"n + '.wav'\"/></block></form>", ("good",)),
        # each of a list
        ("<form><block><prompt><foreach item='x' array=\"['ask', 'more', 'good']\"><audio expr=\"x + '.wav'\"/></foreach></prompt></block></form>", ("ask", "more", "good")),
        # by the count of visits
        (f"<property name='timeout' value='1s'/><form><field name='a'>{keys('1')}<prompt>{says('ask')}</prompt><prompt count='2'>{says('more')}</prompt><catch event='noinput' count='3'>{says('good')}<exit/></catch><noinput><reprompt/></noinput></field></form>", ("ask", "more", "more", "good")),
        # before the end
        (f"<form><block>{says('ask')}<disconnect/></block></form>", ("ask",)),
        (f"<form><block>{says('ask')}<exit/></block></form>", ("ask",)),
    ],
)  # fmt: skip
async def test_what_is_heard(tmp_path: Path, body: str, names: tuple[str, ...]) -> None:
    async with Page(tmp_path, body) as centre:
        caller = await centre.call()
        await heard(caller, *names)
        await caller.ended()


@pytest.mark.parametrize("bargein", ["true", "false"])
async def test_only_prompts_with_barge_in_are_cut(tmp_path: Path, bargein: str) -> None:
    body = f"""<form><field name="a">{keys("1")}<prompt bargein="{bargein}">{says(*["ask"] * 5)}</prompt>
      <noinput>{says("noinput")}<exit/></noinput><filled>{says("good")}</filled></field></form>"""
    async with Page(tmp_path, body) as centre:
        caller = await centre.call()
        await heard(caller, "ask")
        loop = asyncio.get_running_loop()
        began = loop.time()
        await caller.press("1", duration_ms=60, gap_ms=60)
        await heard(caller, "good" if bargein == "true" else "noinput", timeout=12)
        assert (loop.time() - began < 1.5) is (bargein == "true")
        await caller.ended()


@pytest.mark.parametrize("law", ["PCMU", "PCMA"])
@pytest.mark.parametrize("made", ["by the document", "by the caller"])
async def test_bare_g711_is_played_and_recorded(tmp_path: Path, law: g711.Law, made: str) -> None:
    ending, kind = ("ulaw", "audio/basic") if law == "PCMU" else ("alaw", "audio/x-alaw-basic")
    body = f"<form><block><audio src='sound.{ending}'>{says('other')}</audio></block></form>"
    if made == "by the caller":
        body = f"""<form><record name="m" type="{kind}" maxtime="2s" beep="false"/>
          <block><if cond="m$.size == 16000">{says("good")}</if><audio expr="m"/></block></form>"""
    async with Page(tmp_path, body) as centre:
        samples = tone(HZ["good"], 1.0)
        (tmp_path / "app" / f"sound.{ending}").write_bytes(g711.encode(samples.astype(np.int16), law))
        caller = await centre.call()
        await heard(caller, "good")
        if made == "by the caller":
            await caller.hears(CALLER_HZ, timeout=4)
        await caller.ended()


MENU = "<menu dtmf='true'>{}<choice next='#a'>tea</choice><choice next='#b'>coffee</choice></menu>"


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        ("<form><block>Two and <value expr='1 + 1'/></block></form>", ("Two and 2",)),
        (MENU.format("<prompt>Say <enumerate/></prompt>"), ("Say tea; coffee;",)),
        (MENU.format("<prompt><enumerate>Press <value expr='_dtmf'/> for <value expr='_prompt'/>.</enumerate></prompt>"), ("Press 1 for tea. Press 2 for coffee.",)),
        ("<form><block><prompt>Dear <emphasis>you</emphasis>! <sub alias='Doctor'>Dr.</sub></prompt></block></form>", ("Dear you! Doctor",)),
        ("<form><block><prompt>One <s xml:lang='zh-CN'>二</s> three</prompt></block></form>", ("One", "二", "three")),
        ("<form><block><audio src='lost.wav'>instead <value expr=\"'of it'\"/></audio></block></form>", ("instead of it",)),
        ("<form><block><prompt><foreach item='x' array=\"['a', 'b']\"><value expr='x'/><break time='300ms'/></foreach></prompt></block></form>", ("a", "b")),
        (f"<form><field name='a'>{keys('1')}<prompt>Long.<mark name='m'/>Longer.</prompt><filled><value expr='a$.markname'/></filled></field></form>", ("Long.", "Longer.", "m")),
        (f"<property name='timeout' value='1s'/><form><field name='a'>{keys('1')}<prompt>first</prompt><prompt count='2'>second</prompt><noinput>nothing <reprompt/></noinput></field></form>", ("first", "nothing", "second")),
    ],
)  # fmt: skip
async def test_texts_that_are_heard(tmp_path: Path, body: str, texts: tuple[str, ...]) -> None:
    words = {text: 500.0 + 150 * at for at, text in enumerate(texts)}
    async with Page(tmp_path, body, voice=ToneVoice(words)) as centre:
        caller = await centre.call()
        for text, hz in words.items():
            if text == "m":
                await caller.press("1", duration_ms=60, gap_ms=60)
            await caller.hears(hz, timeout=8)
        await caller.hangup()


# -- recordings ----------------------------------------------------------------------------------------------

RECORD = f"""<property name="timeout" value="2s"/><form><catch event="connection.disconnect.hangup"><log>gone</log></catch>
  <record name="m" finalsilence="1s" maxtime="4s" beep="true">{keys("7")}<noinput>{says("noinput")}<exit/></noinput>
  <filled><if cond="m$.termchar == '5'">{says("good")}<elseif cond="m$.utterance == '7'"/>{says("again")}
  <elseif cond="m$.maxtime"/>{says("more")}<else/>{says("other")}</if></filled></record></form>"""


@pytest.mark.parametrize(
    ("way", "name"),
    [("5", "good"), ("7", "again"), ("speaks on", "more"), ("stops", "other"), ("says nothing", "noinput")],
)
async def test_what_ends_a_recording(tmp_path: Path, way: str, name: str) -> None:
    async with Page(tmp_path, RECORD) as centre:
        caller = await centre.call()
        if way == "stops":
            caller.media.say(np.concatenate([tone(CALLER_HZ, 2.5), silence(30)]))
        elif way == "says nothing":
            caller.media.say(silence(30))
        elif way in "57":
            await asyncio.sleep(2)
            await caller.press(way, duration_ms=60, gap_ms=60)
        await heard(caller, name)
        await caller.ended()


async def test_who_hangs_up_in_a_recording_leaves_it(tmp_path: Path) -> None:
    async with Page(tmp_path, RECORD) as centre:
        caller = await centre.call()
        await asyncio.sleep(2.5)
        await caller.hangup()
        await asyncio.sleep(1)
    [file] = (tmp_path / "recordings" / "messages").glob("*.wav")
    assert 1.5 < seconds_of(PlayFile(str(file))) < 2.6


async def test_a_key_before_a_word_is_no_recording(tmp_path: Path) -> None:
    """It is no noinput either: the form goes on, and asks again (§2.3.6)."""
    body = f"""<form><record name="m" maxtime="2s"><prompt count="1">{says("ask", "ask", "ask")}</prompt>
      <prompt count="2">{says("again")}</prompt><filled>{says("good")}</filled></record></form>"""
    async with Page(tmp_path, body) as centre:
        caller = await centre.call()
        await heard(caller, "ask")
        await caller.press("5", duration_ms=60, gap_ms=60)
        await heard(caller, "again", "good")
        await caller.ended()
