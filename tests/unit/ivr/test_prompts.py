"""The catalogue: where names lead, what happens when they lead nowhere, and what is refused."""

from pathlib import Path

import pytest

from sipcc.ivr.prompts import FALLBACK, MAX_REPORTED, SOUNDS, PromptCatalogue, cure_of
from sipcc.ivr.settings import IvrSettings
from sipcc.rtp.flow import PlayFile, PlaySilence


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "prompts"


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    return tmp_path / "built-in"


def put(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"RIFF")


def catalogue_of(folder: Path, sounds: Path, language: str = "en") -> PromptCatalogue:
    return PromptCatalogue(IvrSettings(prompts=str(folder), language=language), sounds=sounds)


def found(catalogue: PromptCatalogue, name: str, language: str, base: Path) -> str:
    [item] = catalogue.resolve([name], language)
    assert isinstance(item, PlayFile)
    return str(Path(item.path).relative_to(base.parent))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["prompts/zh-CN/a.wav", "prompts/zh/a.wav"], "prompts/zh-CN/a.wav"),
        (["prompts/zh/a.wav", "prompts/a.wav"], "prompts/zh/a.wav"),
        (["prompts/a.wav", "built-in/zh/a.wav"], "prompts/a.wav"),
        (["built-in/zh/a.wav", "built-in/a.wav", "prompts/en/a.wav"], "built-in/zh/a.wav"),
        (["prompts/zh/a.flac", "prompts/zh/a.wav"], "prompts/zh/a.wav"),
        (["prompts/zh/a.mp3"], "prompts/zh/a.mp3"),
        (["prompts/en/a.wav", "prompts/fr/a.wav"], "prompts/en/a.wav"),
        (["prompts/fr/a.wav", "prompts/sales-texts/a.wav"], "prompts/fr/a.wav"),
    ],
)
def test_order_of_places(tmp_path, folder, sounds, files, expected):
    put(tmp_path, *files)
    assert found(catalogue_of(folder, sounds), "a", "zh-CN", folder) == expected


def test_another_language_is_counted_and_told(folder, sounds):
    put(folder, "en/a.wav")
    catalogue = catalogue_of(folder, sounds)
    catalogue.resolve(["a", "a"], "zh")
    assert catalogue.fallbacks == {("a", "zh"): 2}
    [gap] = catalogue.missing(["a"], "zh")
    assert (gap.name, gap.language, gap.heard_in) == ("a", "zh", "en")
    assert catalogue.missing(["a"]) == []


def test_a_folder_that_is_no_language_is_no_fallback(folder, sounds):
    put(folder, "archive/a.wav")
    assert catalogue_of(folder, sounds).find("a", "en") is None


def test_a_missing_prompt_is_a_tone_and_is_counted(folder, sounds):
    catalogue = catalogue_of(folder, sounds)
    assert catalogue.resolve(["nowhere"], "en") == list(FALLBACK)
    assert catalogue.misses == {("nowhere", "en"): 1}
    [gap] = catalogue.missing(["nowhere"])
    assert "a tone would be heard" in gap.message
    assert gap.heard_in == ""


def test_a_prompt_that_came_later_is_found(folder, sounds):
    catalogue = catalogue_of(folder, sounds)
    assert catalogue.find("a", "en") is None
    put(folder, "a.wav")
    assert catalogue.find("a", "en") is not None


def test_reload_notices_a_better_place(folder, sounds):
    put(sounds, "en/a.wav")
    catalogue = catalogue_of(folder, sounds)
    assert found(catalogue, "a", "en", folder) == "built-in/en/a.wav"
    put(folder, "en/a.wav")
    assert found(catalogue, "a", "en", folder) == "built-in/en/a.wav"
    catalogue.reload()
    assert found(catalogue, "a", "en", folder) == "prompts/en/a.wav"


def test_paths_with_a_suffix(tmp_path, folder, sounds, monkeypatch):
    put(folder, "en/sub/a.wav", "b.flac")
    put(tmp_path, "c.wav")
    catalogue = catalogue_of(folder, sounds)
    assert found(catalogue, "sub/a.wav", "en", folder) == "prompts/en/sub/a.wav"
    assert found(catalogue, "b.flac", "en", folder) == "prompts/b.flac"
    assert found(catalogue, str(tmp_path / "c.wav"), "en", folder) == "c.wav"
    monkeypatch.chdir(tmp_path)
    assert catalogue.resolve(["c.wav"], "en") == [PlayFile("c.wav")]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../secret",
        "../secret.wav",
        "a/../../secret.wav",
        "/tmp/../etc/a.wav",
        "/etc/passwd",
        "~root/a.wav",
        "a//b",
        "./a",
        "a\\b.wav",
        "a\0.wav",
        "a\n",
        "a" * 2000,
    ],
)
def test_names_that_are_refused(folder, sounds, name):
    put(folder.parent, "secret.wav")
    catalogue = catalogue_of(folder, sounds)
    assert catalogue.resolve([name], "en") == list(FALLBACK)
    assert catalogue.misses.total() == 1
    assert len(catalogue.missing([name])) == 1
    with pytest.raises(ValueError, match="prompt"):
        catalogue.find(name, "en")


def test_a_language_is_no_way_out_of_the_folder(folder, sounds):
    put(folder.parent, "secret/a.wav")
    put(folder, "x.wav")
    catalogue = catalogue_of(folder, sounds)
    assert catalogue.find("a", "../secret") is None


def test_silence_and_values_as_names(folder):
    catalogue = catalogue_of(folder, SOUNDS)
    assert catalogue.resolve(["silence:500"], "en") == [PlaySilence(500)]
    said = catalogue.resolve(["queue_position", "say:number:21"], "en")
    assert [Path(item.path).stem for item in said] == ["queue_position", "20", "1"]
    assert catalogue.missing(["say:number:21", "silence:0"]) == []
    assert catalogue.resolve([], "en") == []


@pytest.mark.parametrize(
    "name", ["silence:", "silence:60001", "silence:-1", "silence:٣", "say:weight:1", "say:number:x"]
)
def test_special_names_that_are_wrong(folder, name):
    catalogue = catalogue_of(folder, SOUNDS)
    assert catalogue.resolve([name], "en") == list(FALLBACK)
    assert len(catalogue.missing([name])) == 1


def test_values_to_be_said_are_in_no_report(folder):
    catalogue = catalogue_of(folder, SOUNDS)
    catalogue.resolve(["say:digits:8642x"], "en")
    assert catalogue.misses == {("say:digits", "en"): 1}


def test_say(folder):
    catalogue = catalogue_of(folder, SOUNDS)
    items = catalogue.say("phone", "13800138000", "zh-CN")
    assert PlaySilence(200) in items
    assert [Path(item.path).stem for item in items[:3]] == ["yao", "3", "8"]
    assert {Path(item.path).parent.parent.name for item in items if isinstance(item, PlayFile)} == {"zh"}
    with pytest.raises(ValueError, match="known kinds"):
        catalogue.say("weight", 1, "en")


def test_say_in_a_language_that_has_no_numbers(folder):
    catalogue = catalogue_of(folder, SOUNDS, language="fr")
    items = catalogue.say("number", 3, "")
    assert [Path(item.path).parts[-3:] for item in items] == [("en", "say", "3.wav")]
    assert catalogue.fallbacks["say:number", "fr"] == 1


def test_an_operators_recording_replaces_a_fragment(folder):
    put(folder, "en/say/3.wav")
    catalogue = catalogue_of(folder, SOUNDS)
    assert catalogue.say("number", 3, "en") == [PlayFile(str(folder / "en/say/3.wav"))]


def test_reports_are_bounded(folder, sounds):
    catalogue = catalogue_of(folder, sounds)
    catalogue.resolve([f"name{n}" for n in range(MAX_REPORTED + 50)], "en")
    assert len(catalogue.misses) == MAX_REPORTED + 1
    assert catalogue.misses["(others)", ""] == 50


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("wellcome", "put wellcome.wav into the prompts folder, or correct the name"),
        ("sounds/x.wav", "put sounds/x.wav into the prompts folder, or correct the name"),
        ("say:money:abc", "write a kind and a value of it, as in say:money:12.50"),
        ("text:", "write the text after it, as in text:Good morning"),
        ("queue:sevice:length", "name a queue, and length or wait, as in queue:service:length"),
        ("silence:x", "write milliseconds, as in silence:500"),
        ("../x", "write a name below the prompts folder, as in welcome or sounds/hello.wav"),
        ("/etc/passwd", "write a name below the prompts folder, as in welcome or sounds/hello.wav"),
        ("/srv/none.wav", "put a sound file there, or correct the name"),
    ],
)
def test_the_cure_fits_the_kind_of_name(name, cure):
    assert cure_of(name) == cure
