"""The example of prompts, with the voice of espeak-ng where it is installed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.examples.stage import EXAMPLES

from sipcc.config import check, load
from sipcc.ivr.prompts import PromptCatalogue
from sipcc.ivr.speech import Speaker

SECRETS = {"SIPCC_1001": "correct-horse-1001", "SIPCC_1002": "correct-horse-1002"}


def test_the_example_is_good_as_it_stands() -> None:
    found = check(EXAMPLES / "22_prompts.toml", SECRETS)
    assert [str(one) for one in found if "espeak" not in one.message] == []


@pytest.mark.realtime
@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
async def test_all_its_texts_are_read_in_both_languages(tmp_path: Path) -> None:
    config = load(EXAMPLES / "22_prompts.toml", {**SECRETS, "SIPCC__SPEECH__CACHE": str(tmp_path)})
    speaker = Speaker(config.speech)
    prompts = PromptCatalogue(config.ivr, speaker=speaker)
    texts = prompts.texts()
    assert len(texts) == 4
    assert await speaker.prepare(texts) == []
    for language in ("en", "zh-CN"):
        assert prompts.prepare(["bakery_welcome", "bakery_hours"], language) is None
    await speaker.close()
