"""The sections of mailboxes and surveys, and the destinations that lead to them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.config.files import assert_wrong, written

from sipcc.config import check

BASE = """
[[users]]
name = "1001"
password = "env:NOTHING"
[[agents]]
name = "alice"
user = "1001"
queues = ["sales"]
[[queues]]
name = "sales"
[[numbers]]
number = "4008000001"
to = "TO"
""".replace("env:NOTHING", "a-long-secret-1")

BOX = '[[mailboxes]]\nname = "night"\n'
SURVEY = '[[surveys]]\nname = "care"\nqueues = ["sales"]\n'


@pytest.mark.parametrize(
    ("to", "section", "where", "cause", "cure"),
    [
        ("voicemail:nigth", BOX, "numbers[0].to", "there is no mailbox 'nigth'", "did you mean 'night'"),
        ("survey:cares", SURVEY, "numbers[0].to", "there is no survey 'cares'", "did you mean 'care'"),
        ("voicemail:a/b", '[[mailboxes]]\nname = "a/b"\n', "mailboxes[0].name", "folder", "letters"),
        ("echo", BOX + 'users = ["1002"]\n', "mailboxes[0].users[0]", "no user '1002'", "'1001'"),
        ("echo", BOX + 'pin = "12a4"\n', "mailboxes[0].pin", "digits", ""),
        ("echo", BOX + 'callback = "sale"\n', "mailboxes[0].callback", "no queue", "'sales'"),
        ("echo", BOX + "min_length = 300\n", "mailboxes[0].min_length", "long enough", "max_length"),
        ("echo", BOX + "days = 0\n", "mailboxes[0].days", "1", ""),
        ("echo", BOX + BOX, "mailboxes[1].name", "another mailbox is called 'night'", "own name"),
        ("echo", SURVEY.replace("sales", "sale"), "surveys[0].queues[0]", "no queue", "'sales'"),
        ("echo", SURVEY + 'agents = ["bob"]\n', "surveys[0].agents[0]", "no agent", "alice"),
        ("echo", SURVEY + 'scale = "1-10"\n', "surveys[0].scale", "is no scale", ""),
        ("echo", SURVEY + 'low_to = "echo"\n', "surveys[0].low_below", "would be low", "from 2 to 5"),
        ("echo", SURVEY + 'low_to = "queue:x"\nlow_below = 3\n', "surveys[0].low_to", "no queue", ""),
        ("echo", SURVEY + 'low_callback = "x"\nlow_below = 3\n', "surveys[0].low_callback", "no queue", ""),
        ("echo", SURVEY + SURVEY.replace("care", "more"), "surveys[1].queues[0]", "'care' already", "agents"),
    ],
)
def test_what_is_wrong_names_key_cause_and_cure(
    tmp_path: Path, to: str, section: str, where: str, cause: str, cure: str
) -> None:
    assert_wrong(tmp_path, BASE.replace("TO", to) + section, where, cause, cure)


def test_what_is_right_and_what_is_only_odd(tmp_path: Path) -> None:
    text = BASE.replace("TO", "voicemail:night") + BOX + SURVEY
    assert [str(one) for one in check(written(tmp_path, text), {}) if one.severity == "error"] == []
    odd = written(tmp_path, text + "low_below = 2\n")
    assert any("nothing is done about low scores" in one.message for one in check(odd, {}))
