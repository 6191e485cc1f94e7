"""``[speech]``: engines, voices and files, wrong and right."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.config.files import assert_wrong, written

from sipcc.config import check, load
from sipcc.reading.findings import Finding

PHONE = '[[numbers]]\nnumber = "100"\nto = "echo"\n'


@pytest.mark.parametrize(
    ("text", "where", "cause", "cure"),
    [
        ('engine = "espaek"', "speech.engine", "no engine 'espaek'", "did you mean 'espeak'?"),
        ('engine = "http"', "speech.http.url", "'' is no URL", "https://"),
        ('engine = "sherpa"', "speech.sherpa.model", "no model", "model.onnx"),
        ('voices = { zh = "-w" }', "speech.voices.zh", "no name of a voice", ""),
        ("speed = 9.0", "speech.speed", "9", ""),
        ("cache_mb = 0", "speech.cache_mb", "0", ""),
        ('espeak = { programme = "x" }', "speech.espeak.programme", "unknown key", "program"),
        ('http = { form = "soap" }', "speech.http.form", 'expected one of "openai"', ""),
    ],
)
def test_what_is_wrong(text: str, where: str, cause: str, cure: str, tmp_path: Path) -> None:
    assert_wrong(tmp_path, f"{PHONE}[speech]\n{text}\n", where, cause, cure)


def about_speech(folder: Path, text: str) -> list[Finding]:
    return [found for found in check(written(folder, text), {}) if " speech." in found.where]


def test_a_program_or_model_that_is_not_there_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sipcc.config.speech.find_spec", lambda name: None)
    found = about_speech(tmp_path, f'{PHONE}[speech.espeak]\nprogram = "no-such-espeak"\n')
    assert [(one.severity, "no-such-espeak" in one.message) for one in found] == [("warning", True)]
    text = f'{PHONE}[speech]\nengine = "sherpa"\nsherpa = {{ model = "m.onnx", tokens = "t.txt" }}\n'
    found = about_speech(tmp_path, text)
    assert [one.where.rpartition(" ")[2] for one in found] == [
        "speech.engine",
        "speech.sherpa.model",
        "speech.sherpa.tokens",
    ]


def test_files_are_those_beside_the_configuration(tmp_path: Path) -> None:
    text = f'{PHONE}[speech.sherpa]\nmodel = "m.onnx"\nlexicon = "en.txt, zh.txt"\n'
    speech = load(written(tmp_path, text), {}).speech
    assert speech.cache == str(tmp_path / "speech")
    assert speech.sherpa.model == str(tmp_path / "m.onnx")
    assert speech.sherpa.lexicon == f"{tmp_path / 'en.txt'},{tmp_path / 'zh.txt'}"
    assert speech.sherpa.tokens == ""


def test_the_key_of_a_server_may_stand_elsewhere(tmp_path: Path) -> None:
    text = f'{PHONE}[speech.http]\nurl = "https://tts.example.com"\nauthorization = "env:TTS"\n'
    assert load(written(tmp_path, text), {"TTS": "Bearer x"}).speech.http.authorization == "Bearer x"


@pytest.mark.parametrize(
    ("text", "where", "cause"),
    [
        ('engine = "ears"', "speech.recogniser.engine", "unknown engine 'ears'"),
        ('engine = "vosk"', "speech.recogniser.urls", "no server"),
        ('engine = "vosk"\nurls = { zh = "http://x" }', "speech.recogniser.urls.zh", "is no URL"),
    ],
)
def test_a_recogniser_that_cannot_be(text: str, where: str, cause: str, tmp_path: Path) -> None:
    assert_wrong(tmp_path, f"{PHONE}[speech.recogniser]\n{text}\n", where, cause, "")
