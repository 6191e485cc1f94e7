from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sipcc.call.takeover import judge
from sipcc.sip.refer import Replaces
from sipcc.sip.session_api import SessionState

DIALOG = Replaces("a@x", "1", "2")
EARLY_ONLY = Replaces("a@x", "1", "2", early_only=True)


def leg(state: SessionState, *, user: str = "1001", role: str = "uac", ended: bool = False) -> Any:
    return SimpleNamespace(user=user, ended=ended, session=SimpleNamespace(state=state, role=role))


RINGING, TALKING = SessionState.EARLY, SessionState.CONFIRMED


@pytest.mark.parametrize(
    ("old", "dialog", "user", "own_only", "status"),
    [
        (None, DIALOG, "1002", False, 481),
        (leg(RINGING), DIALOG, "", False, 403),
        (leg(RINGING), DIALOG, "1002", False, 0),
        (leg(RINGING), EARLY_ONLY, "1002", False, 0),
        (leg(RINGING), DIALOG, "1002", True, 403),
        (leg(RINGING), DIALOG, "1001", True, 0),
        (leg(RINGING, user=""), DIALOG, "1002", False, 403),  # a number behind a trunk is nobody's to pick up
        (leg(RINGING, role="uas"), DIALOG, "1001", False, 481),
        (leg(TALKING), DIALOG, "1001", False, 0),
        (leg(TALKING), EARLY_ONLY, "1001", False, 486),
        (leg(TALKING), DIALOG, "1002", False, 403),
        (leg(TALKING, ended=True), DIALOG, "1001", False, 603),
    ],
)
def test_who_may_take_what(old: Any, dialog: Replaces, user: str, own_only: bool, status: int) -> None:
    assert judge(old, dialog, user, own_only=own_only) == status
