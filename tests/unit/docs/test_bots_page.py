"""The page about bots: its examples are right, and every key and every message stands on it."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import get_args, get_type_hints

import msgspec

from sipcc.config import check
from sipcc.ivr.bots.extension import Extension
from sipcc.ivr.bots.python import Bot, Line
from sipcc.ivr.bots.settings import BotSettings
from sipcc.ivr.bots.twilio import TwilioPlatform
from sipcc.ivr.bots.words import Cleared, Facts

PAGE = (Path(__file__).parents[3] / "docs" / "bots.md").read_text("utf-8")
BLOCKS = dict(re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL))


def test_the_configuration_is_right(tmp_path: Path) -> None:
    path = tmp_path / "sipcc.toml"
    path.write_text(BLOCKS["toml"])
    found = check(path, {"HELPER_TOKEN": "Bearer abc"})
    assert [finding for finding in found if finding.severity == "error"] == []


def test_every_key_is_told() -> None:
    keys = {field.encode_name for field in msgspec.structs.fields(BotSettings)} - {"name"}
    assert [key for key in sorted(keys) if f"`{key}`" not in PAGE] == []


def test_every_message_of_ours_is_told() -> None:
    kinds = get_args(get_type_hints(Extension)["type"])
    assert [kind for kind in kinds if f'`"{kind}"' not in PAGE] == []


def test_the_answer_to_a_clearing_is_what_we_send() -> None:
    shown = json.loads(BLOCKS["json"])
    wire = TwilioPlatform(Facts(call="c", stream="MZ..."), extended=True)
    [sent] = [json.loads(message) for message in wire.tell(Cleared(1460, 9120))]
    assert {**sent, "sequenceNumber": shown["sequenceNumber"]} == shown


def test_the_programs_can_be_read_and_name_what_there_is() -> None:
    for program in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        tree = ast.parse(program)
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)}
        assert [name for name in names if name.startswith("on_") and not hasattr(Bot, name)] == []
    verbs = re.search(r"`Line` has (.*?)\.", PAGE, re.DOTALL)
    assert verbs is not None
    assert [verb for verb in re.findall(r"`(\w+)`", verbs[1]) if not hasattr(Line, verb)] == []
