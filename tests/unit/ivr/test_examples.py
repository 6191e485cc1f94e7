"""The examples of this package run."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from sipcc.config import load
from sipcc.config.flows import read_menus, world_of
from sipcc.ivr import PromptCatalogue, check_menus
from sipcc.ivr.flows.check import check_flows

EXAMPLES = Path(__file__).parents[3] / "examples"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class OneCall:
    """A call that answers questions from a list and remembers what it heard."""

    def __init__(self, *answers: str | None) -> None:
        self.answers = list(answers)
        self.heard: list[str] = []
        self.variables: dict[str, str] = {}
        self.last_outcome = "match"

    async def answer(self) -> None:
        self.heard.append("(answered)")

    async def play(self, *prompts: str) -> None:
        self.heard += prompts

    async def ask(self, *prompts: str, **_settings: object) -> str | None:
        self.heard += prompts
        answer = self.answers.pop(0) if self.answers else None
        self.last_outcome = "noinput" if answer is None else "match"
        return answer


@pytest.mark.parametrize(
    ("answers", "order", "last"),
    [
        (["20251121", "1"], "20251121", "thank_you"),
        (["2025", "2", None, "20251121", "1"], "20251121", "thank_you"),
        ([], None, "goodbye"),
    ],
)
async def test_read_back(answers, order, last):
    call = OneCall(*answers)
    await example("09_read_back").order(call)
    assert call.variables.get("order") == order
    assert call.heard[-1] == last
    catalogue = PromptCatalogue()
    assert catalogue.missing(call.heard[1:], "en") == []
    assert catalogue.missing(call.heard[1:], "zh") == []


def test_two_languages():
    config = load(EXAMPLES / "10_two_languages.toml", {"SIPCC_1001": "correct-horse-1001"})
    queues = [queue.name for queue in config.queues]
    found = check_menus(config.menus, known_queues=queues, catalogue=PromptCatalogue(config.ivr))
    assert found == []
    flows = tuple(read_menus(config).values())
    assert check_flows(flows, world_of(config, prompts=True)) == []
