"""Scripts of made-up callers: what a line means, and what is said of one that means nothing."""

import pytest

from sipcc.ivr.flows.script import (
    Asked,
    At,
    HangUp,
    HeardPrompt,
    Keys,
    Say,
    ScriptError,
    Silence,
    Wait,
    keys,
    parse_script,
)


@pytest.mark.parametrize(("line", "acts"), [
    ("keys 1 wait 2s keys 3#", (Asked(), Keys("1"), Wait(2.0), Keys("3#"))),
    ("silence", (Asked(), Silence())),
    ("say 查订单", (Asked(), Say("查订单"))),
    ("say I want to pay ~0.4 wait 500ms keys 1", (Asked(), Say("I want to pay", 0.4), Wait(0.5), Keys("1"))),
    ("hangup", (Asked(anything=True), HangUp())),
    ("wait 3m hangup", (Wait(180.0), HangUp())),
    ("at 90s keys *#  # a comment", (At(90.0), Keys("*#"))),
    ("heard welcome keys 2", (HeardPrompt("welcome"), Keys("2"))),
    ("keys #", (Asked(), Keys("#"))),
    ("# only a comment", ()),
    ("", ()),
])  # fmt: skip
def test_a_line(line, acts):
    assert parse_script(line).acts == acts


def test_settings_stand_anywhere_and_add_up():
    script = parse_script('keys 1\ndial=busy\ncrm = {level = 3}\ndial=answered\nrate=4\nname="a b"')
    assert script.acts == (Asked(), Keys("1"))
    assert script.outcomes == {
        "dial": ("busy", "answered"),
        "crm": ({"level": 3},),
        "rate": (4,),
        "name": ("a b",),
    }


@pytest.mark.parametrize(("text", "message"), [
    ("keys 1\npress 2", r"line 2: 'press' is not known"),
    ("keys 1x", r"'1x' cannot be typed"),
    ("wait soon", r"'soon' is no time; write it as 2s"),
    ("keys", r"'keys' needs something after it, as in 'keys 12#'"),
    ("say wait 2s", r"'say' needs something"),
    ("crm={level=", r"neither a word nor a value"),
])  # fmt: skip
def test_what_means_nothing_is_refused_with_its_line(text, message):
    with pytest.raises(ScriptError, match=message):
        parse_script(text)


def test_keys_for_each_question():
    assert keys("1", "", "2").acts == (Asked(), Keys("1"), Asked(), Silence(), Asked(), Keys("2"))
