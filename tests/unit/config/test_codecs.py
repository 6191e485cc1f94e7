"""What may stand as codecs, and what a machine without libopus is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sipcc.config import check
from sipcc.rtp.codec import libopus


def errors(folder: Path, text: str) -> list[str]:
    path = folder / "sipcc.toml"
    path.write_text(text)
    found = [finding for finding in check(path, {}) if finding.severity == "error"]
    return [f"{finding.where}: {finding.message} ({finding.hint})" for finding in found]


@pytest.fixture
def no_libopus(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    libopus.load.cache_clear()
    monkeypatch.setattr(libopus, "find_library", lambda: None)
    yield
    libopus.load.cache_clear()


SIP = '[sip]\nlisten = ["udp:127.0.0.1:5060"]\n'
TRUNK = '[[trunks]]\nname = "carrier"\naddresses = ["127.0.0.2"]\n'


def test_every_codec_may_be_named(tmp_path: Path) -> None:
    named = 'codecs = ["opus", "G722", "PCMA", "PCMU", "L16", "G729"]\n'
    more = 'codec_choice = "ours"\nevent_lines = "one"\ncomfort_noise = true\nopus_complexity = 0\n'
    assert errors(tmp_path, f"{SIP}[media]\n{named}{more}{TRUNK}{named}") == []


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ('codecs = ["G729"]', "besides G729"),
        ("codecs = []", "empty"),
        ('codecs = ["GSM"]', "GSM"),
        ('codecs = ["OPUS"]', '"opus"'),
        ('codec_choice = "mine"', "mine"),
        ('event_lines = "two"', "two"),
        ("opus_complexity = 11", "10"),
        ("comfort_noise = 1", "comfort_noise"),
    ],
)
def test_wrong_values_name_key_and_cause(tmp_path: Path, line: str, cause: str) -> None:
    (error,) = errors(tmp_path, f"{SIP}[media]\n{line}\n")
    assert f"media.{line.split(' ')[0]}" in error
    assert cause in error


@pytest.mark.usefixtures("no_libopus")
def test_without_libopus_opus_is_an_error_wherever_it_stands(tmp_path: Path) -> None:
    found = errors(tmp_path, f'{SIP}[media]\ncodecs = ["PCMU", "opus"]\n{TRUNK}codecs = ["opus"]\n')
    assert [error.partition(":")[2].split(" ")[1].rstrip(":") for error in found] == [
        "media.codecs",
        "trunks[0].codecs",
    ]
    assert all("libopus" in error and "take opus out" in error for error in found)
    assert errors(tmp_path, SIP) == []
