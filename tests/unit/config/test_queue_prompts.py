"""Prompts that queues name are looked for before a caller would miss them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipcc.config import check
from sipcc.testing.audio import tone, write_wav

FILE = """
[sip]
listen = ["udp:127.0.0.1:5060"]
[media]
address = "127.0.0.1"
[ivr]
prompts = "prompts"
[[users]]
name = "1001"
password = "secret-one-1"
[[agents]]
name = "alice"
user = "1001"
queues = ["sales"]
[[queues]]
name = "sales"
comfort = [{comfort}]
"""


@pytest.mark.parametrize(
    ("comfort", "missing"),
    [
        ("", []),
        ('"please_wait"', []),
        ('"please_wait", "plaese_wait"', ["sipcc.toml:17 queues[0].comfort[1]"]),
    ],
)
def test_comfort_prompts_must_be_there(tmp_path: Path, comfort: str, missing: list[str]) -> None:
    (tmp_path / "prompts").mkdir()
    write_wav(tmp_path / "prompts" / "please_wait.wav", tone(440.0, 0.1))
    path = tmp_path / "sipcc.toml"
    path.write_text(FILE.format(comfort=comfort))
    found = [finding for finding in check(path) if "comfort" in finding.where]
    assert [finding.where.rpartition("/")[2] for finding in found] == missing
    assert all("plaese_wait" in finding.message for finding in found)


@pytest.mark.parametrize(
    ("lines", "missing"),
    [
        ("", False),
        ('requeue_prompt = ""', False),
        ('requeue_prompt = "agent_gone"', True),
        ('requeue_prompt = "agent_gone"\nrequeue = false', False),
    ],
)
def test_the_notice_of_a_lost_agent_must_be_there_where_it_is_played(
    tmp_path: Path, lines: str, missing: bool
) -> None:
    path = tmp_path / "sipcc.toml"
    path.write_text(FILE.format(comfort="") + lines)
    assert any("requeue_prompt" in finding.where for finding in check(path)) == missing
