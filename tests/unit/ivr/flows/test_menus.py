"""``[[menus]]`` as flows: what callers hear, where they go, and what is told of it."""

from __future__ import annotations

import pytest

from sipcc.call.destination import Destination
from sipcc.call.events import CallEndedEvent
from sipcc.errors import CallEnded
from sipcc.events import Event
from sipcc.ivr.events import FlowFellBack, MenuEntered, MenuLeft, Reason
from sipcc.ivr.flows.check import check_flows
from sipcc.ivr.flows.counts import CountsFold
from sipcc.ivr.flows.graph import graph_of, mermaid
from sipcc.ivr.flows.menus import counts_in, firsts, flows_of_menus, told
from sipcc.ivr.flows.model import Flow
from sipcc.ivr.flows.run import MAX_ANSWERS, FlowServices, Run, playable
from sipcc.ivr.settings import IvrSettings, MenuSettings
from sipcc.ivr.sim import SimSession, finish
from sipcc.ivr.steps import Gather, Gathered, Named


def menu(name: str, options: dict[str, str], *, then: str = "queue:help", **more: object) -> MenuSettings:
    more.setdefault("prompt", name)
    return MenuSettings(name=name, options=options, then=then, **more)  # type: ignore[arg-type]


class Asked(SimSession):
    """Keeps the questions, and the language of each."""

    def __init__(self, script: str) -> None:
        super().__init__(script, language="en", answered=False)
        self.questions: list[tuple[Gather, str]] = []

    async def gather(self, step: Gather) -> Gathered:
        self.questions.append((step, self.language))
        return await super().gather(step)


class Walked:
    """One caller on its way through menus."""

    def __init__(
        self, script: str, *menus: MenuSettings, start: str = "main", settings: IvrSettings | None = None
    ) -> None:
        self.flow: Flow = flows_of_menus(menus, settings or IvrSettings())[f"menu:{start}"]
        self.session = Asked(script)
        self.events: list[Event] = []
        run = Run(self.session, FlowServices(tell=self._tell))
        self._run = run
        self.to = "caller"
        try:
            ending = finish(run.through(playable(self.flow)))
            self.to = str(ending.destination or ending.how)
            finish(run.speak())
        except CallEnded:
            pass

    def _tell(self, event: Event) -> None:
        shown = told(event, self.flow, str(self._run.result or ""))
        if shown is not None:
            self.events.append(shown)

    @property
    def heard(self) -> list[str]:
        return self.session.said

    @property
    def left(self) -> list[tuple[str, str, str, str, int]]:
        """Menu, reason, keys, destination and retries of each menu that was left."""
        return [
            (event.menu, event.reason, event.keys, event.destination, event.retries)
            for event in self.events
            if isinstance(event, MenuLeft)
        ]


def test_one_menu() -> None:
    walked = Walked("listen keys 1", menu("main", {"1": "queue:sales"}))
    assert walked.to == "queue:sales"
    assert walked.session.answered
    assert walked.heard == ["main"]
    assert isinstance(walked.events[0], MenuEntered)
    assert walked.events[0].menu == "main"
    assert walked.left == [("main", "option", "1", "queue:sales", 0)]


def test_the_first_question() -> None:
    options = {"1": "queue:sales", "2,3": "queue:other", "12": "echo"}
    walked = Walked("keys 3", menu("main", options, prompt=("welcome", "choose")))
    [(step, _)] = walked.session.questions
    assert [item for prompt in step.prompts for item in prompt.items] == [Named("welcome"), Named("choose")]
    assert (step.collect.timeout, step.collect.interdigit, step.collect.terminators) == (5.0, 3.0, "#")
    assert walked.left == [("main", "option", "3", "queue:other", 0)]  # the key, not the option as written


def test_own_times_go_before_those_of_all_menus() -> None:
    all_menus = IvrSettings(timeout=7.0, interdigit=2.0)
    for own, expected in (({}, (7.0, 2.0)), ({"timeout": 1.0, "interdigit": 0.5}, (1.0, 0.5))):
        walked = Walked("keys 1", menu("main", {"1": "echo"}, **own), settings=all_menus)
        [(step, _)] = walked.session.questions
        assert (step.collect.timeout, step.collect.interdigit) == expected


def test_hash_as_an_option_is_no_terminator() -> None:
    walked = Walked("keys #", menu("main", {"#": "echo"}))
    assert (walked.to, walked.session.questions[0][0].collect.terminators) == ("echo", "")


def test_wrong_keys_then_silence_then_the_right_key() -> None:
    walked = Walked("listen keys 9\nsilence\nlisten keys 1", menu("main", {"1": "queue:sales"}))
    assert walked.to == "queue:sales"
    assert walked.heard == ["main", "invalid", "main", "noinput", "main"]
    assert walked.left == [("main", "option", "1", "queue:sales", 2)]


@pytest.mark.parametrize(
    ("script", "more", "heard", "reason", "retries"),
    [
        ("", {"noinput": 1}, ["main", "noinput", "main"], "noinput", 1),
        ("", {"noinput": 0}, ["main"], "noinput", 0),
        ("listen keys 9", {"nomatch": 0}, ["main"], "nomatch", 0),
        ("", {"noinput": 3, "noinput_prompt": ("first", "second"), "prompt": ("a", "b")},
         ["a", "b", "first", "a", "b", "second", "a", "b", "second", "a", "b"], "noinput", 3),
        ("listen keys 9\nlisten keys 8", {"nomatch": 1, "nomatch_prompt": ""}, ["main"] * 2, "nomatch", 1),
        # they are counted apart
        ("silence\nlisten keys 9\nlisten keys 8\nsilence", {"noinput": 1, "nomatch": 2},
         ["main", "noinput", "main", "invalid", "main", "invalid", "main"], "noinput", 3),
    ],
)  # fmt: skip
def test_retries_used_up_lead_to_then(
    script: str, more: dict[str, object], heard: list[str], reason: str, retries: int
) -> None:
    walked = Walked(script, menu("main", {"1": "queue:sales"}, **more))
    assert walked.to == "queue:help"
    assert walked.heard == heard
    assert walked.left == [("main", reason, "", "queue:help", retries)]


def test_options_that_begin_with_others_wait_for_more() -> None:
    options = {"1": "queue:one", "12": "queue:twelve"}
    assert Walked("keys 12", menu("main", options)).to == "queue:twelve"
    waiting, ended = Walked("keys 1", menu("main", options)), Walked("keys 1#", menu("main", options))
    assert (waiting.to, ended.to) == ("queue:one", "queue:one")
    assert waiting.session.now() >= 3.0 > ended.session.now()


def test_the_first_of_duplicate_options_holds() -> None:
    assert Walked("keys 2", menu("main", {"1,2": "echo", "2": "busy"})).to == "echo"


def test_nine_levels_in_one_burst_play_nothing() -> None:
    levels = [menu(f"level{n}", {str(n): f"menu:level{n + 1}"}) for n in range(1, 9)]
    levels.append(menu("level9", {"9": "queue:deep"}))
    walked = Walked("keys 123456789", *levels, start="level1")
    assert walked.to == "queue:deep"
    assert walked.session.now() < 2.0
    assert [left[:4] for left in walked.left] == [
        *((f"level{n}", "option", str(n), f"menu:level{n + 1}") for n in range(1, 9)),
        ("level9", "option", "9", "queue:deep"),
    ]


def test_a_menu_without_barge_in_is_heard_and_forgets_what_came_before() -> None:
    menus = [menu("main", {"1": "menu:legal"}), menu("legal", {"2": "queue:sales"}, bargein=False)]
    walked = Walked("keys 12\nlisten keys 2", *menus)
    assert walked.to == "queue:sales"
    assert "legal" in walked.heard


def test_the_language_of_a_menu_stays_with_the_call() -> None:
    menus = [
        menu("main", {"2": "menu:chinese"}),
        menu("chinese", {"1": "menu:sales"}, language="zh"),
        menu("sales", {"1": "queue:sales"}),
    ]
    walked = Walked("keys 2\nkeys 1\nkeys 1", *menus)
    assert [language for _, language in walked.session.questions] == ["en", "zh", "zh"]
    assert [event.menu for event in walked.events if isinstance(event, MenuEntered)] == [
        "main",
        "chinese",
        "sales",
    ]
    assert walked.left[0] == ("main", "option", "2", "menu:chinese", 0)
    assert Walked("keys 1\nkeys 1", *menus, start="chinese").session.language == "zh"


CIRCLE = [
    menu("main", {"1": "menu:other", "2": "echo"}, then="menu:other", noinput=0),
    menu("other", {"1": "echo"}, then="menu:main", noinput=0),
]


def test_silence_in_a_circle_is_ended_with_a_word() -> None:
    walked = Walked("", *CIRCLE)
    assert walked.to == "hungup"
    assert walked.heard == ["main", "other", "main", "goodbye"]
    assert walked.left[-1] == ("main", "noinput", "", "play:goodbye", 0)
    assert [event.to for event in walked.events if isinstance(event, FlowFellBack)] == ["play:goodbye"]


def test_a_key_makes_the_circle_new() -> None:
    walked = Walked("keys 1\nsilence\nkeys 1\nsilence\nkeys 2", *CIRCLE)
    assert walked.to == "echo"


def test_pressing_for_ever_is_ended() -> None:
    walked = Walked("keys 1\n" * (MAX_ANSWERS + 1), menu("main", {"1": "menu:main"}))
    assert (walked.to, walked.heard) == ("hungup", ["goodbye"])
    assert len(walked.left) == MAX_ANSWERS


def test_who_hangs_up_has_left_no_menu() -> None:
    walked = Walked("listen hangup", menu("main", {"1": "echo"}))
    assert (walked.to, walked.left) == ("caller", [])


MENUS = [
    menu("main", {"1": "queue:sales", "2": "menu:more", "3": "menu:elsewhere"}),
    menu("more", {"1": "menu:main", "2": "menu:chinese"}),
    menu("chinese", {"1": "queue:sales"}, language="zh", then="menu:more"),
    menu("alone", {"1": "queue:help", "2": "menu:last"}),
    menu("last", {"1": "queue:help"}),
]


def test_a_flow_has_the_menus_that_its_first_one_leads_to() -> None:
    flows = flows_of_menus(MENUS, IvrSettings())
    assert list(flows) == ["menu:main", "menu:more", "menu:chinese", "menu:alone", "menu:last"]
    assert list(flows["menu:main"].nodes) == ["main", "more", "chinese:language", "chinese"]
    assert flows["menu:chinese"].start == "chinese:language"
    assert flows["menu:main"].target_of("main", "options.3").destination == Destination("menu", "elsewhere")
    assert firsts(flows) == ["menu:main", "menu:alone"]
    assert flows["menu:main"].version != flows["menu:alone"].version
    assert firsts({}) == []
    last = [menu("last", {"1": "echo"}), *CIRCLE, menu("third", {"1": "menu:last"}, then="menu:main")]
    assert firsts(flows_of_menus(last, IvrSettings())) == ["menu:third"]
    assert firsts(flows_of_menus(CIRCLE, IvrSettings())) == ["menu:main"]


def test_what_callers_did_is_drawn() -> None:
    flow = flows_of_menus([menu("main", {"1,2": "menu:more"}), menu("more", {"1": "echo"})], IvrSettings())
    fold = CountsFold()
    at = {"at": 1.0}
    for call, keys in enumerate(["1", "2", ""]):
        fold.apply(MenuEntered(**at, call=str(call), menu="main"))
        reason: Reason = "option" if keys else "noinput"
        to = "menu:more" if keys else "queue:help"
        fold.apply(
            MenuLeft(**at, call=str(call), menu="main", reason=reason, keys=keys, destination=to, retries=0)
        )
    fold.apply(MenuEntered(**at, call="0", menu="more"))
    fold.apply(CallEndedEvent(**at, call="0", cause="normal", sip_status=None, ended_by="caller"))
    fold.apply(CallEndedEvent(**at, call="1", cause="normal", sip_status=None, ended_by="caller"))
    counts = counts_in(flow["menu:main"], fold.counts())
    main, more = counts["menu:main", "main"], counts["menu:main", "more"]
    assert (main.entries, main.edges, main.ended, main.timed_out) == (3, {"options.1,2": 2, "retry": 1}, 0, 1)
    assert (more.entries, more.edges, more.ended) == (1, {}, 1)
    drawn = mermaid(graph_of(flow["menu:main"], (), counts))
    assert '|"1,2 (2)"|' in drawn


def test_menus_are_checked_and_drawn_as_flows_are() -> None:
    flows = flows_of_menus(MENUS, IvrSettings())
    defects = check_flows([flows["menu:main"]])
    assert [(defect.code, defect.at) for defect in defects] == []
    circle = flows_of_menus(CIRCLE, IvrSettings())["menu:main"]
    defects = check_flows([circle])
    assert [defect.code for defect in defects] == ["E05", "E14"]
    drawn = mermaid(graph_of(circle, defects))
    assert "main<br/>menu" in drawn
    assert "other<br/>menu" in drawn
