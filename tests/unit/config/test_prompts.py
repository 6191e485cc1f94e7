"""What ``sipccd check`` says of the operator's table of prompts."""

from __future__ import annotations

from pathlib import Path

from tests.unit.config.files import written

from sipcc.config import check
from sipcc.ivr.lengths import Lengths
from sipcc.ivr.prompts import PromptCatalogue
from sipcc.ivr.prompttable import Entry, PromptTable
from sipcc.ivr.settings import IvrSettings
from sipcc.ivr.steps import Named, Text
from sipcc.reading.findings import Finding

QUEUE = '[[queues]]\nname = "sales"\n'


def found(folder: Path, table: str, config: str = "") -> list[Finding]:
    (folder / "prompts").mkdir(exist_ok=True)
    (folder / "prompts" / "prompts.toml").write_text(table)
    number = '[[numbers]]\nnumber = "100"\nto = "play:mine"\n'
    all_found = check(written(folder, number + config), {})
    return [one for one in all_found if "prompts.toml" in one.where or "prompt" in one.message]


def test_a_good_table_is_silent(tmp_path: Path) -> None:
    assert found(tmp_path, '[mine]\nen = "Hello."\nzh = "您好"\n') == []


def test_gaps_missing_files_and_long_texts(tmp_path: Path) -> None:
    text = '[mine]\nen = "Hello."\n\n[yours]\nen = "a.wav"\nzh = "您好"\n'
    table = f'{text}\n[theirs]\nen = "Hello."\nzh = "{"好" * 2001}"\n'
    findings = found(tmp_path, table)
    assert [(one.severity, one.where) for one in findings] == [
        ("error", "prompts.toml:5 yours.en"),
        ("error", "prompts.toml:10 theirs.zh"),
    ]
    (tmp_path / "prompts" / "a.wav").write_bytes(b"")
    [gap] = found(tmp_path, text)
    assert (gap.severity, gap.where) == ("warning", "prompts.toml:1 mine")
    assert "'en', not for 'zh'" in gap.message
    assert gap.hint == 'write zh = "..." below it'


def test_what_a_text_tells_of_a_queue_can_be_told(tmp_path: Path) -> None:
    table = '[mine]\nen = "{queue:sales:length} and {queue:slaes:wait} and {queue:sales:depth}"\n'
    findings = found(tmp_path, table, QUEUE)
    assert [one.where for one in findings] == ["prompts.toml:2 mine.en"] * 2
    assert "did you mean 'sales'?" in findings[0].message
    assert "queue:NAME:length" in findings[1].message


def test_a_broken_table_is_one_error_with_its_line(tmp_path: Path) -> None:
    findings = found(tmp_path, "[mine]\nen = \n")
    assert findings[0].where == "prompts.toml:2"


def test_queues_that_are_told_exist(tmp_path: Path) -> None:
    menu = '[[menus]]\nname = "m"\nprompt = ["queue:slaes:length"]\nthen = "hangup"\n'
    config = f'{QUEUE}{menu}options = {{"1" = "hangup"}}\n'
    messages = [one.message for one in check(written(tmp_path, config), {})]
    assert any("there is no queue 'slaes'; did you mean 'sales'?" in message for message in messages)
    good = config.replace("slaes", "sales")
    assert not any("queue:sales" in one.message for one in check(written(tmp_path, good), {}))


FLOW = """
[[users]]
name = "1001"
password = "correct-horse-1001"
[[flows]]
name = "line"
fallback = "queue:sales"
[flows.nodes.tell]
type = "say"
prompt = ["mine", "queue:sales:wait", {prompt = "text:Please wait."}]
then = "queue:sales"
"""


def test_flows_may_name_texts_and_what_queues_have_to_tell(tmp_path: Path) -> None:
    table = '[mine]\nen = "Waiting: {queue:sales:length}."\n'
    assert found(tmp_path, table, QUEUE + FLOW) == []
    wrong = found(tmp_path, table, QUEUE + FLOW.replace("sales:wait", "slaes:wait"))
    assert ["no queue 'slaes'" in one.message for one in check(tmp_path / "sipcc.toml", {})].count(
        True
    ) == 1, wrong
    broken = check(written(tmp_path, QUEUE + FLOW), {})
    (tmp_path / "prompts" / "prompts.toml").write_text("[mine\n")
    assert len(check(tmp_path / "sipcc.toml", {})) >= len(broken)  # told once, and nothing is raised


def test_a_text_is_as_long_as_it_takes_to_be_read(tmp_path: Path) -> None:
    table = PromptTable({"mine": {"en": Entry(text="Thank you for calling the bakery of our town.")}})
    catalogue = PromptCatalogue(IvrSettings(prompts=str(tmp_path)), table=table)
    lengths = Lengths(catalogue)
    assert (
        2.0
        < lengths.seconds(Named("mine"), "en")
        == lengths.seconds(Text(table.entries["mine"]["en"].text), "en")
    )
    assert lengths.seconds(Named("text:Hello."), "en") == lengths.seconds(Text("Hello."), "en")
    assert lengths.seconds(Named("queue:sales:length"), "en") < 1.0
    assert catalogue.misses.total() == 0
