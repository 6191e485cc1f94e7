"""SSML: each element, say-as of each type, and what is refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.ivr.speech.sayas import say_as
from sipcc.ivr.speech.ssml import SsmlBuilder, SsmlError, read_ssml, seconds_of
from sipcc.ivr.steps import Audio, Mark, Silence, Text, Value


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("Hello   <emphasis>dear</emphasis>\n caller.", [Text("Hello dear caller.")]),
        ("<speak>Hello <prosody rate='slow'>there</prosody></speak>", [Text("Hello there")]),
        ('a<break time="500ms"/>b', [Text("a"), Silence(0.5), Text("b")]),
        ('a<break time="1.5s"/>', [Text("a"), Silence(1.5)]),
        ("a<break/>b", [Text("a"), Silence(0.5), Text("b")]),
        ('<break strength="x-strong"/>', [Silence(1.0)]),
        ('<break time="900s"/>', [Silence(60.0)]),
        ('<break time="soon"/>', [Silence(0.5)]),
        ('<sub alias="World Wide Web">WWW</sub> is', [Text("World Wide Web is")]),
        ('a<mark name="m1"/>b', [Text("a"), Mark("m1"), Text("b")]),
        (
            'now <lang xml:lang="zh-CN">您好</lang> then',
            [Text("now"), Text("您好", "zh-CN"), Text("then")],
        ),
        ('<voice name="amy other">hi <s>there</s></voice>', [Text("hi there", "", "amy")]),
        ('<speak xml:lang="en-GB" version="1.1">hi</speak>', [Text("hi", "en-GB")]),
        ("<p>one</p><p><s>two</s> <s>three</s></p>", [Text("one"), Silence(0.4), Text("two three")]),
        (
            '<audio src="hello.wav">Hello <mark name="x"/><desc>a greeting</desc></audio>',
            [Audio("hello.wav", (Text("Hello"), Mark("x")))],
        ),
        (
            '<audio src="a.wav"><audio src="b.wav">c</audio></audio>',
            [Audio("a.wav", (Audio("b.wav", (Text("c"),)),))],
        ),
        ('<audio src="a.wav" clipBegin="2s"/>', [Audio("a.wav", (), 2.0)]),
        (
            '<audio src="a.wav" fetchtimeout="500ms" maxage="60" maxstale="0"/>',
            [Audio("a.wav", timeout=0.5, max_age=60.0, max_stale=0.0)],
        ),
        ('<audio src="a.wav" fetchtimeout="soon" maxage="old"/>', [Audio("a.wav")]),
        ('<speak xml:base="http://example.com/x/"><audio src="a.wav"/></speak>', [Audio("http://example.com/x/a.wav")]),
        ('<metadata><x>no</x></metadata><lexicon uri="l"/>yes', [Text("yes")]),
        ("<phoneme ph='x'>tomato</phoneme> <w>soup</w>", [Text("tomato soup")]),
        ("&lt;5 &amp; &#65;<![CDATA[ <b> ]]>", [Text("<5 & A <b>")]),
        ('you owe <say-as interpret-as="currency">$12.50</say-as>.',
         [Text("you owe"), Value("money", "12.50 USD"), Text(".")]),
        ("<unknown>read me</unknown>", [Text("read me")]),
        ("Dear <emphasis>you</emphasis>! <sub alias='Doctor'>Dr.</sub>, <prosody rate='x'>rea</prosody>lly",
         [Text("Dear you! Doctor, really")]),
        ("say <say-as interpret-as='verbatim'>ab</say-as>.", [Text("say a b.")]),
        ("<say-as interpret-as='digits'>1 <audio src='a.wav'/>2</say-as>",
         [Text("1"), Audio("a.wav"), Text("2")]),
        ('<break size="small"/>a<break size="large"/>', [Silence(0.25), Text("a"), Silence(0.75)]),
        ('<?xml version="1.0"?><ssml:speak xmlns:ssml="http://www.w3.org/2001/10/synthesis">a</ssml:speak>',
         [Text("a")]),
        ("", []),
    ],
)  # fmt: skip
def test_each_element(text: str, items: list[object]) -> None:
    assert list(read_ssml(text)) == items


def test_language_voice_and_base_may_come_from_outside() -> None:
    items = read_ssml(
        '你好<audio src="a.wav"/>', language="zh", voice="v", base="https://example.com/d/x.vxml"
    )
    assert items == (Text("你好", "zh", "v"), Audio("https://example.com/d/a.wav"))


@pytest.mark.parametrize(
    ("text", "wanted", "format", "said"),
    [
        ("12005", "cardinal", "", Value("number", "12005")),
        ("12,005", "number", "", Value("number", "12005")),
        ("3", "number", "ordinal", Value("ordinal", "3")),
        ("3rd", "ordinal", "", Value("ordinal", "3")),
        ("0042", "number", "digits", Value("digits", "0042")),
        ("1024#", "digits", "", Value("digits", "1024#")),
        ("138 0013 8000", "telephone", "", Value("phone", "138 0013 8000")),
        ("138 0013 8000", "telephone", "86", Value("phone", "+86138 0013 8000")),
        ("8005551234x789", "vxml:phone", "", Value("phone", "8005551234")),
        ("3/2/2025", "date", "mdy", Value("date", "2025-03-02")),
        ("2.3.2025", "date", "dmy", Value("date", "2025-03-02")),
        ("2025-03-02", "date", "", Value("date", "2025-03-02")),
        ("20250302", "vxml:date", "", Value("date", "2025-03-02")),
        ("02032025", "date", "dmy", Value("date", "2025-03-02")),
        ("March 2", "date", "md", Text("March 2")),
        ("????0302", "vxml:date", "", Text("????0302")),
        ("2025-02-30", "date", "", Text("2025-02-30")),
        ("14:05", "time", "hms24", Value("time", "14:05")),
        ("2:05pm", "time", "hms12", Value("time", "14:05")),
        ("12:30 a.m.", "time", "hms12", Value("time", "00:30")),
        ("0305p", "vxml:time", "", Value("time", "15:05")),
        ("1400h", "vxml:time", "", Value("time", "14:00")),
        ("25:99", "time", "", Text("25:99")),
        ("13pm", "time", "", Text("13pm")),
        ("USD12.50", "vxml:currency", "", Value("money", "12.50 USD")),
        ("￥12", "currency", "", Value("money", "12 CNY")),
        ("12.5 元", "currency", "", Value("money", "12.5 CNY")),
        ("12.5", "currency", "", Value("money", "12.5")),
        ("EUR 5", "currency", "", Text("EUR 5")),
        ("much", "currency", "", Text("much")),
        ("1h5m", "duration", "", Value("duration", "3900")),
        ("PT90S", "duration", "", Value("duration", "90")),
        ("long", "duration", "", Text("long")),
        ("50%", "percentage", "", Value("percent", "50")),
        ("abc 1", "spell-out", "", Text("a b c 1")),
        ("true", "vxml:boolean", "", Text("yes")),
        ("x", "address", "", Text("x")),
        ("x", "", "", Text("x")),
    ],
)
def test_say_as(text: str, wanted: str, format: str, said: object) -> None:
    assert say_as(text, wanted, format=format) == said


def test_say_as_keeps_language_and_voice() -> None:
    assert say_as("x", "date", language="zh", voice="v") == Text("x", "zh", "v")
    assert say_as("5", "cardinal", language="zh") == Value("number", "5", "zh")
    assert say_as("false", "vxml:boolean", language="zh-CN") == Text("否", "zh-CN")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("a <b>", "line 1, column [1-9]+: it is no XML"),
        ("one\ntwo </x>", r"line 2, column \d+: it is no XML"),
        ('<!DOCTYPE speak [<!ENTITY a "b">]><speak>&a;</speak>', "no XML|document type"),
        ('<?xml version="1.0"?><!DOCTYPE speak [<!ENTITY a "b">]><speak>&a;</speak>', "document type"),
        ("&unknown;", "no XML"),
        ("<s>" * 65 + "</s>" * 65, "deeper than 64"),
        ("<s/>" * 5000, "more than 5000 elements"),
        ("x" * 200_001, "more than 200000 characters"),
        ("half a character: \ud800", "no XML"),
    ],
)
def test_what_is_refused(text: str, cause: str) -> None:
    with pytest.raises(SsmlError, match=cause):
        read_ssml(text)


def test_strict_reading_refuses_strange_elements() -> None:
    with pytest.raises(SsmlError, match="line 2, column 3: there is no element 'blink'"):
        read_ssml("<speak>\n  <blink>b</blink></speak>", strict=True)


def test_a_builder_takes_what_is_no_ssml() -> None:
    builder = SsmlBuilder(language="en")
    builder.text("You chose ")
    builder.add(Value("number", "2"))
    builder.start("prosody", {})
    builder.text("well")
    assert builder.language == "en"
    builder.end()
    assert builder.close() == (Text("You chose", "en"), Value("number", "2"), Text("well", "en"))


@pytest.mark.parametrize(
    ("time", "seconds"), [("3s", 3.0), ("+.5s", 0.5), ("1e3s", None), ("-1s", None), ("", None)]
)
def test_times(time: str, seconds: float | None) -> None:
    assert seconds_of(time) == seconds


@given(st.text(alphabet='<>/&;"= \nabsp-k:audiomrk!', max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(SsmlError):
        read_ssml(text)
