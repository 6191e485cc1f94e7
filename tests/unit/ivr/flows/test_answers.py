"""What a node makes once for all calls: what it takes for an answer, and the prompt that never changes."""

import gc
import weakref

import pytest

from sipcc.call.digits import Answer
from sipcc.ivr.flows import nodes
from sipcc.ivr.flows.answers import plain_words
from sipcc.ivr.flows.load import parse_flow
from sipcc.ivr.flows.model import Flow, Phrase, Variants
from sipcc.ivr.flows.nodes import Menu, Survey
from sipcc.ivr.flows.phrases import constant, spoken
from sipcc.ivr.flows.run import playable, run_flow
from sipcc.ivr.flows.simulate import Simulated
from sipcc.ivr.sim import SimSession, finish
from sipcc.ivr.steps import Audio, Gather, Gathered, Named, Silence, Text, Value


def menu(**fields: object) -> Menu:
    return Menu(**{"prompt": (Text("Press a key."),), "options": {"1,2": "a", "0": "b"}, **fields})  # type: ignore[arg-type]


def flow_of(text: str) -> Flow:
    flow, report = parse_flow(text, "one")
    assert flow is not None, report.findings
    return flow


class TestAnswers:
    def test_of_a_menu(self) -> None:
        node = menu(words={"0": ("An Agent!", "agent")})
        answers = node.answers
        assert answers.options == {"1": "1,2", "2": "1,2", "0": "0"}
        assert answers.words == {plain_words("an agent"): "0", "agent": "0"}
        assert answers.listen is not None
        assert answers.listen.hints == ("An Agent!", "agent")
        assert answers.keys is not None
        assert [answers.keys.check(keys) for keys in ("", "1", "9")] == [
            Answer.PARTIAL,
            Answer.FINAL,
            Answer.NO,
        ]
        assert node.answers is answers

    @pytest.mark.parametrize(("option", "terminators"), [("1", "#"), ("#", ""), ("1#", "")])
    def test_the_terminator_of_a_menu_that_has_it_as_a_key(self, option: str, terminators: str) -> None:
        assert menu(options={option: "a"}).answers.terminators == terminators

    def test_a_menu_without_words_does_not_listen(self) -> None:
        assert menu().answers.listen is None

    @pytest.mark.parametrize(
        ("fields", "keys"),
        [
            ({"digits": 2, "keys": {"*": "a"}}, {"1": Answer.PARTIAL, "12": Answer.FINAL, "*": Answer.FINAL}),
            ({"digits": (1, 3)}, {"1": Answer.MATCH, "123": Answer.FINAL, "*": Answer.NO}),
            ({"speech": True, "keys": {"*": "a"}}, {"": Answer.PARTIAL, "*": Answer.FINAL, "1": Answer.NO}),
        ],
    )
    def test_of_a_gather(self, fields: dict[str, object], keys: dict[str, Answer]) -> None:
        answers = nodes.Gather(into="x", **fields).answers  # type: ignore[arg-type]
        assert answers.keys is not None
        assert {typed: answers.keys.check(typed) for typed in keys} == keys

    def test_a_gather_by_speech_alone_takes_no_keys(self) -> None:
        answers = nodes.Gather(into="x", speech=True).answers
        assert answers.keys is None
        assert answers.listen is not None
        assert answers.listen.accepts is None

    def test_of_a_survey(self) -> None:
        node = Survey(store="x", scale="2-4")
        assert node.ends == (2, 4)
        assert node.answers.keys is not None
        assert [node.answers.keys.check(key) for key in "1245"] == [
            Answer.NO,
            Answer.FINAL,
            Answer.FINAL,
            Answer.NO,
        ]


CHANGING: list[Phrase] = [
    (Text("Hello {name}."),),
    (Text("A brace }} alone."),),
    (Value("number", "12"),),
    (Audio("hello.wav"),),
    (Named("welcome"), Variants({"en": (Text("Hello."),), "zh": (Text("你好"),)})),
]


@pytest.mark.parametrize("phrase", CHANGING, ids=str)
def test_a_phrase_that_may_be_another_in_the_next_call(phrase: Phrase) -> None:
    assert constant(phrase) is None


@pytest.mark.parametrize(
    "phrase", [(), (Named("welcome"), Silence(0.5), Text("Hello.", "en", "anna"))], ids=str
)
def test_a_phrase_that_is_the_same_in_each_call(phrase: Phrase) -> None:
    assert constant(phrase) == spoken(phrase, "zh-CN", lambda name: "never asked")


def test_the_voice_of_a_flow_reads_a_prompt_that_never_changes() -> None:
    said: list[str] = []

    class Hearing(SimSession):
        async def gather(self, step: Gather) -> Gathered:
            said.extend(item.voice for prompt in step.prompts for item in prompt.items)  # type: ignore[union-attr]
            return await super().gather(step)

    menu = '[nodes.a]\ntype = "menu"\nprompt = "Press one."\noptions = {"1" = "hangup"}\n'
    for text in (menu, f'voice = "anna"\n{menu}'):
        finish(run_flow(Hearing("keys 1"), playable(flow_of(text))))
    assert said == ["", "anna"]


def test_a_call_that_is_over_is_freed_at_once() -> None:
    flow = flow_of('[nodes.a]\ntype = "menu"\nprompt = "Press one."\noptions = {"1" = "queue:sales"}\n')
    gc.disable()
    try:
        call = Simulated(playable(flow), "keys 1")
        finish(call.run())
        assert call.exit == "queue:sales"
        gone = weakref.ref(call), weakref.ref(call.session)
        del call
        assert [each() for each in gone] == [None, None]
    finally:
        gc.enable()
