"""Walking a caller through menus, on a call that is made of the real collector and a script of keys."""

import pytest

from sipcc.bus import Bus
from sipcc.call.destination import Destination
from sipcc.call.digits import Collector, CollectSettings, DigitBuffer, OptionsMatcher
from sipcc.errors import CallEnded, ConfigError
from sipcc.events import Event
from sipcc.ivr.events import MenuEntered, MenuLeft
from sipcc.ivr.flow import MAX_MENUS, MenuFlow
from sipcc.ivr.settings import IvrSettings, MenuSettings

PROMPT_S = 4.0


class ScriptedCall:
    """A call whose caller types by a script: for each prompt heard, what is typed after it."""

    def __init__(self, *answers: str, ahead: str = "") -> None:
        self.id = "c1"
        self.language = "en"
        self.answered = False
        self.last_outcome = "match"
        self.heard: list[str] = []
        self.languages: list[str] = []
        self.time = 0.0
        self.answers = list(answers)
        self.buffer = DigitBuffer()
        self.type(ahead, self.buffer)

    def type(self, digits: str, target: DigitBuffer | Collector) -> None:
        for digit in digits:
            target.key_began(digit, now=self.time)
            target.key_ended(digit, now=self.time)

    def now(self) -> float:
        return self.time

    def wall_of(self, at: float) -> float:
        return at

    async def answer(self) -> None:
        self.answered = True

    async def play(self, *prompts: str) -> None:
        self.heard += prompts

    async def ask(self, *prompts, options, timeout, interdigit, terminators, bargein) -> str | None:
        settings = CollectSettings(
            timeout=timeout, interdigit=interdigit, terminators=terminators, bargein=bargein
        )
        core = Collector(settings, OptionsMatcher(options), self.buffer)
        core.start(prompt_playing=True, now=self.time)
        self.languages.append(self.language)
        if not core.barged:
            self.heard += prompts
            self.time += PROMPT_S
            core.prompt_ended(now=self.time)
        if core.result is None:
            answer = self.answers.pop(0) if self.answers else ""
            if answer == "hangup":
                raise CallEnded("normal")
            self.type(answer, core)
        while core.result is None:
            self.time = core.deadline
            core.expire(now=self.time)
        self.last_outcome = core.result.outcome
        return core.result.digits if core.result.outcome == "match" else None


def menu(name: str, options: dict[str, str], *, then: str = "queue:help", **more) -> MenuSettings:
    more.setdefault("prompt", name)
    return MenuSettings(name=name, options=options, then=then, **more)


async def walk(call: ScriptedCall, *menus: MenuSettings, start: str = "main", **more) -> str:
    return str(await MenuFlow(menus, **more).run(start, call))


async def test_one_menu():
    call = ScriptedCall("1")
    assert await walk(call, menu("main", {"1": "queue:sales"})) == "queue:sales"
    assert call.answered
    assert call.heard == ["main"]


async def test_wrong_keys_then_silence_then_the_right_key():
    call = ScriptedCall("9", "", "1")
    assert await walk(call, menu("main", {"1": "queue:sales"})) == "queue:sales"
    assert call.heard == ["main", "invalid", "main", "noinput", "main"]


async def test_retries_used_up_lead_to_then():
    call = ScriptedCall()
    assert await walk(call, menu("main", {"1": "queue:sales"}, noinput=1)) == "queue:help"
    assert call.heard == ["main", "noinput", "main"]
    assert call.time == 2 * (PROMPT_S + 5.0)


async def test_prefix_options_wait_for_more():
    options = {"1": "queue:one", "12": "queue:twelve"}
    assert await walk(ScriptedCall("12"), menu("main", options)) == "queue:twelve"
    call = ScriptedCall("1")
    assert await walk(call, menu("main", options)) == "queue:one"
    assert call.time == PROMPT_S + 3.0
    call = ScriptedCall("1#")
    assert await walk(call, menu("main", options)) == "queue:one"
    assert call.time == PROMPT_S


async def test_nine_levels_in_one_burst_play_nothing():
    levels = [menu(f"level{n}", {str(n): f"menu:level{n + 1}"}) for n in range(1, 9)]
    levels.append(menu("level9", {"9": "queue:deep"}))
    call = ScriptedCall(ahead="123456789")
    assert await walk(call, *levels, start="level1") == "queue:deep"
    assert call.heard == []
    assert call.time == 0.0


async def test_keys_beyond_the_last_menu_stay_for_what_comes():
    call = ScriptedCall(ahead="1234")
    assert (
        await walk(call, menu("main", {"1": "menu:next"}), menu("next", {"2": "queue:sales"}))
        == "queue:sales"
    )
    assert len(call.buffer) == 2


async def test_a_menu_without_barge_in_is_heard_and_forgets_what_came_before():
    call = ScriptedCall("2", ahead="12")
    menus = [menu("main", {"1": "menu:legal"}), menu("legal", {"2": "queue:sales"}, bargein=False)]
    assert await walk(call, *menus) == "queue:sales"
    assert call.heard == ["legal"]


async def test_language_of_a_menu_stays_with_the_call():
    call = ScriptedCall("2", "1", "1")
    menus = [
        menu("main", {"2": "menu:chinese"}),
        menu("chinese", {"1": "menu:sales"}, language="zh"),
        menu("sales", {"1": "queue:sales"}),
    ]
    await walk(call, *menus)
    assert call.languages == ["en", "zh", "zh"]


async def test_silence_in_a_circle_is_ended_with_a_word():
    call = ScriptedCall()
    menus = [
        menu("main", {"1": "echo"}, then="menu:other", noinput=0),
        menu("other", {"1": "echo"}, then="menu:main", noinput=0),
    ]
    assert await walk(call, *menus) == "hangup"
    assert call.heard == ["main", "other", "goodbye"]


async def test_a_key_makes_the_circle_new():
    call = ScriptedCall("1", "", "1", "", "2")
    menus = [
        menu("main", {"1": "menu:other", "2": "echo"}, noinput=0),
        menu("other", {"1": "echo"}, then="menu:main", noinput=0),
    ]
    assert await walk(call, *menus) == "echo"


async def test_pressing_for_ever_is_ended():
    call = ScriptedCall(*("1" * (MAX_MENUS + 1)))
    assert await walk(call, menu("main", {"1": "menu:main"})) == "hangup"
    assert call.heard == ["main"] * MAX_MENUS + ["goodbye"]


async def test_hang_up_comes_through():
    with pytest.raises(CallEnded):
        await walk(ScriptedCall("hangup"), menu("main", {"1": "echo"}))


async def test_events():
    events: list[Event] = []
    bus = Bus()
    bus.on_all(events.append)
    call = ScriptedCall("", "1")
    flow = MenuFlow([menu("main", {"1": "queue:sales"})], IvrSettings(timeout=1.0), bus=bus, clock=call)
    await flow.run("main", call)
    assert events == [
        MenuEntered(at=0.0, call="c1", menu="main"),
        MenuLeft(
            at=9.0, call="c1", menu="main", reason="option", keys="1", destination="queue:sales", retries=1
        ),
    ]


async def test_unknown_menu_names_the_one_meant():
    with pytest.raises(ConfigError, match=r"menu:mian: no such menu \(did you mean 'main'\?\)"):
        await walk(ScriptedCall(), menu("main", {"1": "echo"}), start="mian")


@pytest.mark.parametrize(
    ("menus", "message"),
    [
        ([menu("main", {"1": "menu:mian"})], r'menus\[0\]\.options\["1"\]: there is no menu .*did you mean'),
        ([menu("main", {"1": "fly:away"})], "unknown destination"),
        ([menu("main", {"1": "echo"}, then="")], "has no `then`"),
        ([menu("main", {})], "has no options"),
        ([menu("main", {"x": "echo"})], "cannot be typed"),
        ([menu("main", {"1": "echo"}), menu("main", {"1": "echo"})], "two menus"),
    ],
)
def test_wrong_menus_are_refused_at_once(menus, message):
    with pytest.raises(ConfigError, match=message):
        MenuFlow(menus)


def test_names_and_destinations():
    flow = MenuFlow([menu("main", {"1": "queue:sales", "2": "menu:main"}), menu("b", {"1": "echo"})])
    assert flow.names == ("main", "b")
    assert flow.destinations() == {
        Destination("queue", "sales"),
        Destination("queue", "help"),
        Destination("echo"),
    }
