"""The table of prompts, as a core: names, and for each language a file or a text that a voice reads.

It stands in the operator's folder of prompts, as ``prompts.toml`` or ``prompts.json``:

    [welcome]
    zh = "您好，欢迎致电。"                       # a text
    en = "recorded/welcome-en.wav"              # a file, by its ending
    fr = { text = "Bonjour.", voice = "fr-be" }  # a text by another voice

    [jingle]
    "*" = "jingle.wav"                          # one file for all languages
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from sipcc.errors import ConfigError
from sipcc.ivr.say import base_language
from sipcc.reading.convert import convert_table, shown
from sipcc.reading.findings import Finding, Report
from sipcc.reading.lines import KeyLines, too_deep

FILES: Final = ("prompts.toml", "prompts.json")
"""The first that is there counts."""

ANY: Final = "*"
"""In place of a language: the same for all."""

MAX_PROMPTS: Final = 20_000
MAX_BYTES: Final = 8_000_000

_SOUND = re.compile(r"[^\s<>{}]+\.(?:wav|flac|ogg|mp3)", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}")
LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*", re.ASCII)
_TOML_LINE = re.compile(r"at line (\d+)")


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One prompt in one language: `file` or `text`, just one of them."""

    file: str = ""
    """Relative to the folder of prompts."""
    text: str = ""
    voice: str = ""
    """The voice that reads the text; empty for the language's."""

    def __post_init__(self) -> None:
        """Whether it is one of the two."""
        if bool(self.file) == bool(self.text):
            raise ValueError("has a `file` or a `text`, just one of them")


class PromptTable:
    """What the table says. Without a file it is empty."""

    def __init__(self, entries: Mapping[str, Mapping[str, Entry]] | None = None, file: str = "") -> None:
        self.entries = entries or {}
        """By name, and then by language."""
        self.file = file
        """Its name, for messages; empty without one."""

    @property
    def languages(self) -> list[str]:
        """The languages that some prompt has, but for `ANY`, in alphabetical order."""
        return sorted({language for prompt in self.entries.values() for language in prompt} - {ANY})

    def of(self, name: str, language: str) -> tuple[Entry, str] | None:
        """The entry of a prompt for exactly this language or its base, and the language it stands under."""
        prompt = self.entries.get(name)
        if prompt is None:
            return None
        base = base_language(language)
        for step in (language, language.replace("_", "-"), base, *_same_base(prompt, base), ANY):
            if step in prompt:
                return prompt[step], "" if step == ANY else step
        return None

    def texts(self) -> Iterator[tuple[str, str, str]]:
        """(text, language, voice) of every text."""
        for prompt in self.entries.values():
            for language, entry in prompt.items():
                if entry.text:
                    yield entry.text, language, entry.voice


def _same_base(prompt: Mapping[str, Entry], base: str) -> list[str]:
    """Languages that differ from what is wanted in their region alone."""
    return [step for step in prompt if base_language(step) == base]


def read_table(folder: Path) -> PromptTable:
    """The table in `folder`.

    Raises:
        ConfigError: it is wrong; about the first mistake.
    """
    table, report = load_table(folder)
    wrong = [finding for finding in report.sorted() if finding.severity == "error"]
    if wrong:
        more = f"; {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise ConfigError(wrong[0].where, wrong[0].message, hint=(wrong[0].hint + more).lstrip("; "))
    return table


def load_table(folder: Path) -> tuple[PromptTable, Report]:
    """The table in `folder`, and everything that is wrong with it; an empty one without a file."""
    path = next((folder / name for name in FILES if (folder / name).is_file()), None)
    if path is None:
        return PromptTable(), Report("")
    report = Report(path.name)
    try:
        data = path.read_bytes()
        text = data[: MAX_BYTES + 1].decode("utf-8")
    except OSError as error:
        report.error((), f"cannot read {str(path)!r}: {error.strerror}")
        return PromptTable(), report
    except UnicodeDecodeError as error:
        report.error((), f"this is not UTF-8: byte {error.start} is {error.object[error.start]:#04x}")
        return PromptTable(), report
    if len(data) > MAX_BYTES:
        report.error((), f"it is longer than {MAX_BYTES} bytes")
        return PromptTable(), report
    return parse_table(text, path.name)


def parse_table(text: str, file: str) -> tuple[PromptTable, Report]:
    """The table in `text`, which is JSON when `file` ends so; and everything that is wrong with it."""
    report, is_json = Report(file), file.endswith(".json")
    try:
        data = json.loads(text) if is_json else tomllib.loads(text)
        if too_deep(data):
            raise ValueError("it is nested too deeply")
    except (ValueError, RecursionError) as error:
        known = _TOML_LINE.search(str(error))
        line = error.lineno if isinstance(error, json.JSONDecodeError) else int(known[1]) if known else 0
        place = f"{file}:{line}" if line else file
        kind = "JSON" if is_json else "TOML"
        told = "it is nested too deeply" if isinstance(error, RecursionError) else error
        report.findings.append(Finding("error", place, f"this is not {kind}: {told}", line=line))
        return PromptTable(), report
    report = Report(file, KeyLines(text, json=is_json))
    if not isinstance(data, dict):
        report.error((), f"expected prompts by their names, found {shown(data)}")
        return PromptTable(), report
    if len(data) > MAX_PROMPTS:
        report.error((), f"there are {len(data)} prompts; {MAX_PROMPTS} are the most")
        return PromptTable(), report
    entries = {name: _prompt(name, written, report) for name, written in data.items()}
    return PromptTable(entries, file), report


def _prompt(name: str, written: Any, report: Report) -> dict[str, Entry]:
    if not _NAME.fullmatch(name) or ".." in name:
        report.error((name,), f"{name!r} is no name of a prompt", "letters, digits and _ . / -")
        return {}
    if isinstance(written, str) and _SOUND.fullmatch(written):
        return {ANY: Entry(file=written)}
    if not isinstance(written, dict):
        hint = 'name the language, as in zh = "您好", en = "Hello"'
        report.error((name,), f"expected languages, found {shown(written)}", hint)
        return {}
    entries = {}
    for language, value in written.items():
        entry = _entry(name, language, value, report)
        if entry is not None:
            entries[language] = entry
    return entries


def _entry(name: str, language: str, value: Any, report: Report) -> Entry | None:
    path = (name, language)
    if language != ANY and not LANGUAGE.fullmatch(language):
        report.error(path, f"{language!r} is no language", 'such as zh, en or pt-BR, or "*" for all')
        return None
    if isinstance(value, str):
        if not value.strip():
            report.error(path, "there is nothing to be heard", "write a file or a text, or take it out")
            return None
        value = {"file" if _SOUND.fullmatch(value) else "text": value}
    entry = convert_table(Entry, value, path, report)
    if entry is None:
        return None
    if language == ANY and entry.text:
        report.error(path, "a text has a language", 'such as zh = "您好"')
        return None
    if entry.file and (".." in entry.file.split("/") or entry.file.startswith("~")):
        report.error(path, f"the file {entry.file!r} leads out of the folder of prompts")
        return None
    return entry
