"""The table of prompts: what it says, what is wrong with it, and what callers hear then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.ivr.speech.voices import CountingVoice

from sipcc.errors import ConfigError
from sipcc.ivr.prompts import FALLBACK, PromptCatalogue
from sipcc.ivr.prompttable import Entry, PromptTable, load_table, parse_table, read_table
from sipcc.ivr.settings import IvrSettings
from sipcc.ivr.speech import Speaker, SpeechSettings
from sipcc.rtp.flow import PlayFile, PlayItem

TABLE = """
jingle = "sounds/jingle.wav"

[hours]
zh = "我们的工作时间是九点到六点。"
en = { text = "We are open from nine to six.", voice = "amy" }

[welcome]
zh-CN = "recorded/welcome.flac"
"*" = "recorded/any.ogg"

[busy]
zh = "前面还有{queue:sales:length}位，约{queue:sales:wait}。"
"""


class Desk:
    """Some queues."""

    length = 3

    def value(self, name: str) -> tuple[str, object]:
        if name == "queue:sales:length":
            return "number", self.length
        if name == "queue:sales:wait":
            return "duration", 300
        raise ValueError("there is no such queue")


def table(folder: Path, text: str = TABLE, name: str = "prompts.toml") -> None:
    (folder / name).write_text(text)


def catalogue(folder: Path, voice: CountingVoice | None = None, live: Desk | None = None) -> PromptCatalogue:
    speaker = Speaker(SpeechSettings(cache=str(folder / "cache")), voice=voice or CountingVoice())
    return PromptCatalogue(IvrSettings(prompts=str(folder)), speaker=speaker, live=live or Desk())


async def heard(prompts: PromptCatalogue, name: str, language: str) -> list[PlayItem]:
    late = prompts.prepare([name], language)
    if late is not None:
        await late
    return prompts.resolve([name], language)


def test_files_and_texts_by_language(tmp_path: Path) -> None:
    table(tmp_path)
    read = read_table(tmp_path)
    assert read.of("hours", "zh-CN") == (Entry(text="我们的工作时间是九点到六点。"), "zh")
    assert read.of("hours", "en-GB") == (Entry(text="We are open from nine to six.", voice="amy"), "en")
    assert read.of("hours", "de") is None
    assert read.of("welcome", "zh_CN") == (Entry(file="recorded/welcome.flac"), "zh-CN")
    assert read.of("welcome", "zh-TW") == (Entry(file="recorded/welcome.flac"), "zh-CN")
    assert read.of("welcome", "en") == (Entry(file="recorded/any.ogg"), "")
    assert read.of("jingle", "en") == (Entry(file="sounds/jingle.wav"), "")
    assert read.of("nothing", "en") is None
    assert read.languages == ["en", "zh", "zh-CN"]
    assert len(list(read.texts())) == 3


def test_json_says_the_same(tmp_path: Path) -> None:
    written = {"hours": {"zh": "九点", "en": {"file": "hours.wav"}}}
    table(tmp_path, json.dumps(written), "prompts.json")
    assert read_table(tmp_path).entries == {
        "hours": {"zh": Entry(text="九点"), "en": Entry(file="hours.wav")}
    }


def test_without_a_file_it_is_empty(tmp_path: Path) -> None:
    assert read_table(tmp_path / "nowhere").entries == {}
    assert PromptTable().languages == []


@pytest.mark.parametrize(
    ("text", "where", "cause"),
    [
        ('[a]\nzh = "x"\nzhongwen = "y"', "prompts.toml:3 a.zhongwen", "is no language"),
        ('[a]\nzh = ""', "prompts.toml:2 a.zh", "nothing to be heard"),
        ('[a]\n"*" = "hello there"', "prompts.toml:2", "a text has a language"),
        ('a = "hello there"', "prompts.toml:1 a", "expected languages"),
        ('[a]\nzh = { txt = "x" }', "prompts.toml:2 a.zh.txt", "unknown key 'txt'"),
        ('[a]\nzh = { text = "x", file = "y.wav" }', "prompts.toml:2 a.zh", "just one of them"),
        ("[a]\nzh = {}", "prompts.toml:2 a.zh", "just one of them"),
        ("[a]\nzh = 5", "prompts.toml:2 a.zh", "expected a table"),
        ('[a]\nzh = "../../etc/x.wav"', "prompts.toml:2 a.zh", "out of the folder"),
        ('["a b"]\nzh = "x"', "prompts.toml:1", "no name of a prompt"),
        ('["../a"]\nzh = "x"', "prompts.toml:1", "no name of a prompt"),
        ("[a\n", "prompts.toml:1", "this is not TOML"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, where: str, cause: str) -> None:
    _, report = parse_table(text, "prompts.toml")
    assert len(report.findings) == 1, [str(finding) for finding in report.findings]
    assert report.findings[0].where.startswith(where)
    assert cause in report.findings[0].message


def test_a_wrong_table_is_an_error_for_who_starts(tmp_path: Path) -> None:
    table(tmp_path, '[a]\nzh = ""\nen = ""')
    with pytest.raises(ConfigError, match=r"prompts\.toml:2 a\.zh.*1 more"):
        PromptCatalogue(IvrSettings(prompts=str(tmp_path)))
    (tmp_path / "prompts.toml").write_bytes(b"\xff")
    assert "not UTF-8" in load_table(tmp_path)[1].findings[0].message
    table(tmp_path, "[1, 2]", "prompts.json")
    (tmp_path / "prompts.toml").unlink()
    assert "expected prompts by their names" in load_table(tmp_path)[1].findings[0].message
    table(tmp_path, "{", "prompts.json")
    assert load_table(tmp_path)[1].findings[0].where == "prompts.json:1"


async def test_a_text_is_spoken_before_it_is_heard(tmp_path: Path) -> None:
    table(tmp_path)
    voice = CountingVoice()
    prompts = catalogue(tmp_path, voice)
    [item] = await heard(prompts, "hours", "zh-CN")
    assert isinstance(item, PlayFile)
    assert voice.said == [("我们的工作时间是九点到六点。", "zh", "")]
    assert prompts.prepare(["hours"], "zh-CN") is None
    await heard(prompts, "hours", "en")
    assert voice.said[-1] == ("We are open from nine to six.", "en", "amy")
    assert not prompts.misses
    assert not prompts.fallbacks


async def test_texts_can_be_spoken_ahead(tmp_path: Path) -> None:
    table(tmp_path)
    voice = CountingVoice()
    speaker = Speaker(SpeechSettings(cache=str(tmp_path / "cache")), voice=voice)
    prompts = PromptCatalogue(IvrSettings(prompts=str(tmp_path)), speaker=speaker)
    assert await speaker.prepare(prompts.texts()) == []
    assert len(voice.said) == 2  # what a queue has to tell is not known before
    assert prompts.prepare(["hours"], "en") is None


async def test_a_text_that_nobody_waited_for_is_spoken_for_the_next_time(tmp_path: Path) -> None:
    table(tmp_path)
    speaker = Speaker(SpeechSettings(cache=str(tmp_path / "cache")), voice=CountingVoice())
    prompts = PromptCatalogue(IvrSettings(prompts=str(tmp_path)), speaker=speaker)
    assert prompts.resolve(["hours"], "zh") == list(FALLBACK)
    assert prompts.misses[("hours", "zh")] == 1
    await speaker.speak("我们的工作时间是九点到六点。", language="zh")
    assert isinstance(prompts.resolve(["hours"], "zh")[0], PlayFile)


async def test_a_text_that_cannot_be_spoken_falls_back(tmp_path: Path) -> None:
    table(tmp_path, '[welcome]\nzh = "您好"\n')
    voice = CountingVoice()
    voice.error = "no voice"
    prompts = catalogue(tmp_path, voice)
    [item] = await heard(prompts, "welcome", "zh")
    assert isinstance(item, PlayFile)
    assert item.path.endswith("sounds/zh/welcome.wav")  # the built-in one
    assert await heard(prompts, "text:hello", "zh") == list(FALLBACK)
    assert prompts.misses[("text:", "zh")] == 1


async def test_the_order_table_folder_built_in(tmp_path: Path) -> None:
    for name in ("zh/invalid.wav", "invalid.wav", "recorded/mine.wav", "zh/error.wav"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    table(tmp_path, '[invalid]\nen = "recorded/mine.wav"\nfr = "recorded/gone.wav"\n')
    prompts = catalogue(tmp_path)

    async def path(name: str, language: str) -> str:
        [item] = await heard(prompts, name, language)
        assert isinstance(item, PlayFile)
        return item.path.replace(str(tmp_path), "")

    assert await path("invalid", "en") == "/recorded/mine.wav"
    assert await path("invalid", "zh") == "/zh/invalid.wav"
    assert await path("invalid", "fr") == "/invalid.wav"  # the file of the table is gone
    assert await path("error", "zh") == "/zh/error.wav"
    assert (await path("error", "en")).endswith("sounds/en/error.wav")


async def test_what_queues_have_to_tell(tmp_path: Path) -> None:
    table(tmp_path)
    voice, desk = CountingVoice(), Desk()
    prompts = catalogue(tmp_path, voice, desk)
    await heard(prompts, "busy", "zh-CN")
    desk.length = 2
    await heard(prompts, "busy", "zh-CN")
    assert [said[0] for said in voice.said] == ["前面还有三位，约五分钟。", "前面还有二位，约五分钟。"]
    await heard(prompts, "text:{queue:sales:length} callers", "en")
    assert voice.said[-1][0] == "two callers"
    items = prompts.resolve(["queue:sales:length", "queue:sales:wait"], "en")
    names = [Path(item.path).stem for item in items if isinstance(item, PlayFile)]
    assert names == ["2", "5", "minutes"]
    assert prompts.resolve(["queue:lost:length"], "en") == list(FALLBACK)
    assert "no such queue" in prompts.missing(["queue:lost:length"], "en")[0].message


def test_a_library_without_a_voice_plays_files(tmp_path: Path) -> None:
    table(tmp_path)
    prompts = PromptCatalogue(IvrSettings(prompts=str(tmp_path)))
    assert prompts.prepare(["hours"], "zh") is None
    assert prompts.resolve(["hours"], "zh") == list(FALLBACK)
    assert prompts.missing(["hours", "text:hello", "text: "], "zh")[0].name == "text: "
    assert prompts.missing(["queue:sales:length"], "en") == []  # nobody here knows
    assert prompts.resolve(["queue:sales:length"], "en") == list(FALLBACK)
    assert prompts.text_of("hours", "en") == "We are open from nine to six."
    assert prompts.text_of("text:hello", "en") == "hello"
    assert prompts.text_of("jingle", "en") == prompts.text_of("nothing", "en") == ""


def test_lists_that_are_nested_too_deeply_are_refused():
    for depth in (150, 2000):
        _, report = parse_table(f"x = {'[' * depth}{']' * depth}\n", "prompts.toml")
        assert "this is not TOML: it is nested too deeply" in str(report.findings[0])
