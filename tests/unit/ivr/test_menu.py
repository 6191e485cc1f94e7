"""One menu as a machine, and the settings it comes from."""

import msgspec
import pytest

from sipcc.call.destination import Destination
from sipcc.ivr.menu import Ask, Chosen, Menu
from sipcc.ivr.settings import IvrSettings, MenuSettings, split_keys

SETTINGS = MenuSettings(
    name="main",
    prompt="welcome",
    options={"1": "queue:sales", "2,3": "menu:other", "12": "echo"},
    then="queue:help",
)


def menu(**changes) -> Menu:
    return Menu(msgspec.structs.replace(SETTINGS, **changes), IvrSettings())


def test_first_question():
    ask = menu().begin()
    assert ask == Ask(
        prompts=("welcome",),
        options=("1", "2", "3", "12"),
        timeout=5.0,
        interdigit=3.0,
        terminators="#",
        bargein=True,
    )


def test_own_times_go_before_those_of_all_menus():
    ask = menu(timeout=1.0, interdigit=0.5).begin()
    assert (ask.timeout, ask.interdigit) == (1.0, 0.5)


def test_hash_as_an_option_is_no_terminator():
    assert menu(options={"#": "echo"}).begin().terminators == ""


@pytest.mark.parametrize(("keys", "to"), [("1", "queue:sales"), ("3", "menu:other"), ("12", "echo")])
def test_options(keys, to):
    assert menu().receive("match", keys) == Chosen(Destination.parse(to), "option", keys)


def test_no_input_and_no_match_are_counted_apart():
    core = menu(noinput=1, nomatch=2)
    assert isinstance(core.receive("noinput"), Ask)
    assert isinstance(core.receive("nomatch"), Ask)
    assert isinstance(core.receive("nomatch"), Ask)
    assert core.retries == 3
    assert core.receive("noinput") == Chosen(Destination("queue", "help"), "noinput", "")


def test_no_retries():
    assert menu(nomatch=0).receive("nomatch") == Chosen(Destination("queue", "help"), "nomatch", "")


def test_keys_that_are_no_option_count_as_no_match():
    core = menu(nomatch=0)
    assert core.receive("match", "9").reason == "nomatch"


def test_prompts_taper():
    core = menu(noinput=3, noinput_prompt=("first", "second"), nomatch_prompt="", prompt=("a", "b"))
    assert core.receive("noinput").prompts == ("first", "a", "b")
    assert core.receive("nomatch").prompts == ("a", "b")
    assert core.receive("noinput").prompts == ("second", "a", "b")
    assert core.receive("noinput").prompts == ("second", "a", "b")


def test_built_in_prompts_by_default():
    core = menu()
    assert core.receive("noinput").prompts == ("noinput", "welcome")
    assert core.receive("nomatch").prompts == ("invalid", "welcome")


def test_settings_as_they_come_from_toml():
    read = msgspec.convert(
        {
            "name": "main",
            "prompt": ["welcome", "choose"],
            "options": {"1": "queue:sales"},
            "timeout": 5,
            "then": "queue:sales",
        },
        MenuSettings,
    )
    assert read.prompts == ("welcome", "choose")
    assert read.timeout == 5.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "main", "prompt": "a", "options": {}},
        {"name": "main", "prompt": "a", "options": {}, "then": "echo", "retry": 3},
        {"name": "main", "prompt": "a", "options": {"1": 2}, "then": "echo"},
    ],
)
def test_settings_of_another_shape_are_refused(wrong):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, MenuSettings)


def test_the_first_of_duplicate_options_holds():
    settings = msgspec.structs.replace(SETTINGS, options={"1,2": "echo", "2": "busy"})
    assert settings.choices() == {"1": "echo", "2": "echo"}


@pytest.mark.parametrize(
    ("written", "keys"), [("1", ["1"]), (" 1 , 2", ["1", "2"]), ("", [""]), ("1,", ["1", ""])]
)
def test_split_keys(written, keys):
    assert split_keys(written) == keys
