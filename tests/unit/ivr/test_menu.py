"""The settings of a menu."""

import msgspec
import pytest

from sipcc.ivr.settings import MenuSettings, split_keys

SETTINGS = MenuSettings(
    name="main",
    prompt="welcome",
    options={"1": "queue:sales", "2,3": "menu:other", "12": "echo"},
    then="queue:help",
)


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
