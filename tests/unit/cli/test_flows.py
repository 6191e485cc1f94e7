"""`sipccd flows`, by a console without a socket."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from tests.unit.switch.desks import Parts

from sipcc.cli import console as module
from sipcc.cli.main import main
from sipcc.sip.settings import TraceSettings
from sipcc.switch.console import Answer, Console, Question
from sipcc.switch.tracing import Trace


@pytest.fixture
async def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parts:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sipcc.toml").write_text('[records]\ndatabase = "calls.db"\n')
    made = Parts()
    answering = Console(tmp_path / "s", Trace(TraceSettings(), wall_of=float), made.desk)

    def ask(path: Path, question: Question) -> Answer:
        answer = msgspec.json.encode(answering.answer(msgspec.json.encode(question)))
        return msgspec.json.decode(answer, type=Answer)

    monkeypatch.setattr(module, "ask", ask)
    return made


def lines(*arguments: str, status: int = 0) -> list[str]:
    result = CliRunner().invoke(main, ["flows", *arguments])
    assert result.exit_code == status, result.output
    return [" ".join(line.split()) for line in result.output.splitlines()]


async def test_flows_are_listed_with_the_calls_of_both_versions(parts: Parts) -> None:
    assert lines() == ["FLOW VERSION CALLS OTHERS TRIAL OVERRIDE", "shop v2 3 1 - -"]
    assert lines("none", status=1) == ["sipccd: there is no flow 'none'; known: shop"]


async def test_a_flow_is_overridden_for_a_time(parts: Parts) -> None:
    made = lines("shop", "override", "--say", "We are moving.", "--to", "queue:help", "--for", "2h")
    assert made[1].startswith("shop v2 3 1 - says 'We are moving.', goes to queue:help until ")
    assert parts.flows.override_now is not None
    assert parts.flows.override_now.until == 8200.0
    assert lines("shop", "clear")[1] == "shop v2 3 1 - -"
    assert lines("shp", "override", "--to", "hangup", "--for", "1h", status=1)[0].endswith("known: shop")


async def test_a_trial_is_ended(parts: Parts) -> None:
    assert lines("shop", "promote")[1] == "shop v2 3 1 v2 promoted at 5 %: 1 of 7 fell back -"
    assert lines("shop", "rollback")[1] == "shop v2 3 1 v2 rolled back at 5 %: 1 of 7 fell back -"


async def test_half_an_order_is_refused(parts: Parts) -> None:
    assert "say how long" in lines("shop", "override", "--to", "hangup", status=2)[-1]
    assert "go with override" in lines("shop", "--for", "2h", status=2)[-1]
