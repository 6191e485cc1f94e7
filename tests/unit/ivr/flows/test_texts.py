"""The texts of a flow that a voice can read ahead."""

from __future__ import annotations

from sipcc.ivr.flows.load import parse_flow
from sipcc.ivr.flows.texts import texts_of

FLOW = """
languages = ["zh-CN", "en"]
voice = "amy"
[retry]
noinput_prompt = ["Are you there?"]
[nodes.hello]
type = "say"
prompt = [
  "welcome",
  {zh = "您好。", en = "Hello, caller."},
  {text = "Hi there {name}."},
  {text = "Bonjour.", language = "fr"},
]
then = "ask"
[nodes.ask]
type = "menu"
prompt = [
  {prompt = "text:Press one."},
  {prompt = "text:{queue:sales:length} wait"},
  {say = "number", value = "5"},
]
options = { "1" = "song" }
then = "song"
[nodes.song]
type = "play"
audio = "https://example.com/a.wav"
otherwise = {text = "No song today.", voice = "bob"}
then = "hangup"
"""


def test_texts_in_each_language_without_those_that_only_a_call_knows() -> None:
    flow, report = parse_flow(FLOW.replace('then = "song"\n[nodes.song]', "[nodes.song]"), "f")
    assert flow is not None, [str(finding) for finding in report.findings]
    found = set(texts_of(flow, "de"))
    assert found == {
        ("您好。", "zh-CN", "amy"),
        ("Hello, caller.", "en", "amy"),
        ("Bonjour.", "fr", "amy"),
        ("Press one.", "zh-CN", ""),
        ("Press one.", "en", ""),
        ("No song today.", "zh-CN", "bob"),
        ("No song today.", "en", "bob"),
        ("Are you there?", "zh-CN", "amy"),
        ("Are you there?", "en", "amy"),
    }


def test_a_flow_of_no_language_has_that_of_the_calls() -> None:
    flow, _ = parse_flow('[nodes.a]\ntype = "say"\nprompt = "Good morning, caller."\nthen = "hangup"\n', "f")
    assert flow is not None
    assert list(texts_of(flow, "en-GB")) == [("Good morning, caller.", "en-GB", "")]
