from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sipcc.call import resuming
from sipcc.call.resuming import resume_call
from sipcc.call.saving import SavedCall, SavedLeg

NOTHING: Any = None


def leg(port: str, *, trunk: str = "") -> SavedLeg:
    return SavedLeg(
        id=f"leg-{port}",
        role="caller",
        trunk=trunk,
        port=port,
        session=NOTHING,
        local_body=b"",
        remote_body=b"",
        params=NOTHING,
    )


class Left:
    """What a dead process has left: two ports at most, and the dialogs of both parties."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *ports: str) -> None:
        self.adopted: list[str] = []
        self.closed: list[str] = []
        self.hung_up = 0
        self._ports = ports
        self.context: Any = SimpleNamespace(
            engine=self,
            endpoint=SimpleNamespace(policy_of=lambda admitted: None),
            scope=SimpleNamespace(spawn=lambda work, name: work.send(None)),
        )
        monkeypatch.setattr(resuming, "revive", self._revive)
        monkeypatch.setattr(resuming, "_close", self._close)

    def adopt(self, port: str) -> Any:
        if port not in self._ports:
            raise KeyError(port)
        self.adopted.append(port)
        return SimpleNamespace(id=port)

    def _revive(self, *given: Any, **more: Any) -> Any:
        return SimpleNamespace(bye=self._bye, admitted=None)

    def _bye(self) -> None:
        self.hung_up += 1

    def _close(self, port: Any) -> Any:
        self.closed.append(port.id)
        yield


def resume(left: Left, *parties: SavedLeg) -> Any:
    saved = SavedCall(id="call", called="100", language="en", caller=parties[0], peer=parties[1])
    return resume_call(left.context, saved, {})


def test_of_a_call_whose_other_port_is_gone_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    left = Left(monkeypatch, "a")
    assert resume(left, leg("a"), leg("b")) is None
    assert left.adopted == left.closed == ["a"]
    assert left.hung_up == 2


def test_a_call_over_a_trunk_that_is_configured_no_more_is_hung_up_on_both_sides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left = Left(monkeypatch, "a", "b")
    assert resume(left, leg("a"), leg("b", trunk="carrier")) is None
    assert left.closed == ["a", "b"]
    assert left.hung_up == 2
