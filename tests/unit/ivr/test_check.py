"""Each mistake in menus is found where it is, and clean menus are left in peace."""

import pytest

from sipcc.ivr.check import check_menus
from sipcc.ivr.prompts import PromptCatalogue
from sipcc.ivr.settings import IvrSettings, MenuSettings


@pytest.fixture
def catalogue(tmp_path):
    return PromptCatalogue(IvrSettings(prompts=str(tmp_path)))


def menu(name: str = "main", **changes) -> MenuSettings:
    fields = {"prompt": "welcome", "options": {"1": "queue:sales"}, "then": "queue:sales"}
    return MenuSettings(**{"name": name, **fields, **changes})


def findings(catalogue, *menus: MenuSettings, **more) -> list[tuple[str, str]]:
    found = check_menus(menus, known_queues={"sales", "help"}, catalogue=catalogue, **more)
    assert all(finding.hint for finding in found)
    return [(finding.path, finding.severity) for finding in found]


def test_clean_menus(catalogue):
    menus = [
        menu(
            options={
                "1": "queue:sales",
                "2": "menu:other",
                "#": "menu:main",
                "*": "dial:sip:1001@example.com",
            }
        ),
        menu("other", options={"0,9": "queue:help", "1": "play:goodbye"}, language="zh", then="menu:main"),
    ]
    assert findings(catalogue, *menus) == []


@pytest.mark.parametrize(
    ("changes", "path", "severity"),
    [
        ({"options": {}}, "menus[0].options", "error"),
        ({"options": {"x": "queue:sales"}}, 'menus[0].options["x"]', "error"),
        ({"options": {"1,": "queue:sales"}}, 'menus[0].options["1,"]', "error"),
        ({"options": {"1": "queue:sales", "2,1": "queue:help"}}, 'menus[0].options["2,1"]', "error"),
        ({"options": {"1": "queue:sales", "12": "queue:help"}}, 'menus[0].options["1"]', "warning"),
        ({"options": {"1": "queue:sale"}}, 'menus[0].options["1"]', "error"),
        ({"options": {"1": "menu:other"}}, 'menus[0].options["1"]', "error"),
        ({"options": {"1": "sales"}}, 'menus[0].options["1"]', "error"),
        ({"options": {"1": "play:nowhere"}}, 'menus[0].options["1"]', "error"),
        ({"then": "play:nowhere"}, "menus[0].then", "error"),
        ({"then": ""}, "menus[0].then", "error"),
        ({"then": "queue:nowhere"}, "menus[0].then", "error"),
        ({"then": "menu:main"}, "menus[0].then", "error"),
        ({"prompt": "nowhere"}, "menus[0].prompt", "error"),
        ({"prompt": ""}, "menus[0].prompt", "error"),
        ({"prompt": "../welcome"}, "menus[0].prompt", "error"),
        ({"noinput_prompt": ("noinput", "nowhere")}, "menus[0].noinput_prompt", "error"),
        ({"nomatch_prompt": "nowhere"}, "menus[0].nomatch_prompt", "error"),
        ({"noinput": -1}, "menus[0].noinput", "error"),
        ({"noinput": 99999999999999999999}, "menus[0].noinput", "error"),
        ({"nomatch": 101}, "menus[0].nomatch", "error"),
        ({"language": "klingon-????"}, "menus[0].language", "error"),
        ({"language": "fr", "prompt": "text:Bonjour"}, "menus[0].language", "warning"),
        ({"timeout": 0.0}, "menus[0].timeout", "error"),
        ({"interdigit": -1.0}, "menus[0].interdigit", "error"),
    ],
)
def test_one_mistake(catalogue, changes, path, severity):
    assert findings(catalogue, menu(**changes)) == [(path, severity)]


def test_hash_cannot_end_what_it_is_an_option_of(catalogue):
    options = {"1": "queue:sales", "12": "queue:help", "#": "menu:main"}
    assert findings(catalogue, menu(options=options)) == [('menus[0].options["1"]', "warning")] * 2


def test_prompts_without_retries_are_not_needed(catalogue):
    assert findings(catalogue, menu(noinput=0, noinput_prompt="nowhere")) == []


def test_a_prompt_in_another_language_only_is_a_warning(catalogue, tmp_path):
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "special.wav").write_bytes(b"RIFF")
    assert findings(catalogue, menu(prompt="special", language="zh")) == [("menus[0].prompt", "warning")]
    assert findings(catalogue, menu(prompt="special"), language="zh") == [("menus[0].prompt", "warning")]


def test_a_text_in_place_of_a_prompt_is_told_how_texts_are_written(catalogue):
    written = menu(prompt="Hello there, press one.")
    [found] = check_menus([written], known_queues=None, catalogue=catalogue)
    assert "text:Good morning" in found.hint
    assert ".wav" not in found.hint


def test_two_menus_of_one_name(catalogue):
    assert findings(catalogue, menu(), menu()) == [("menus[1].name", "error")]


def test_circle_of_then(catalogue):
    menus = [menu("a", then="menu:b"), menu("b", then="menu:c"), menu("c", then="menu:b"), menu("d")]
    found = check_menus(menus, known_queues=None, catalogue=None)
    assert [finding.path for finding in found] == ["menus[1].then", "menus[2].then"]
    assert "b > c > b" in found[0].message


def test_findings_come_in_the_order_of_the_file(catalogue):
    menus = [menu("a", then="menu:a", prompt="nowhere"), menu("b", options={})]
    assert [path for path, _ in findings(catalogue, *menus)] == [
        "menus[0].prompt",
        "menus[0].then",
        "menus[1].options",
    ]


def test_menus_known_from_elsewhere(catalogue):
    menus = [menu(options={"1": "menu:elsewhere"})]
    assert findings(catalogue, *menus, known_menus={"main", "elsewhere"}) == []


def test_the_hint_names_what_was_meant(catalogue):
    [finding] = check_menus([menu(then="queue:hepl")], known_queues={"sales", "help"}, catalogue=None)
    assert finding.message == "there is no queue 'hepl'"
    assert finding.hint == "did you mean 'help'?"
