"""Shelves: what stands on one is there again for the next process, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sipcc.shelves import Shelves


class Pause(msgspec.Struct, frozen=True):
    """A thing of a test."""

    reason: str
    until: float | None = None


class Callback(msgspec.Struct, frozen=True):
    """Another one, of another form."""

    number: str
    tries: int


def opened(path: Path | None) -> Shelves:
    shelves = Shelves(path)
    shelves.open()
    return shelves


def test_what_was_noted_last_is_left(tmp_path: Path) -> None:
    path = tmp_path / "sipccd.shelves"
    one = opened(path)
    pauses, callbacks = one.shelf("pauses", Pause), one.shelf("callbacks", Callback)
    pauses.note("alice", Pause("lunch"))
    pauses.note("alice", Pause("lunch", 3.5))
    pauses.note("a/b", Pause("a key with a stroke"))
    callbacks.note("alice", Callback("13800138000", 1))
    callbacks.note("gone", Callback("13800138001", 0))
    callbacks.over("gone")  # killed here: nobody closes it
    two = opened(path)
    assert two.shelf("pauses", Pause).left == {
        "alice": Pause("lunch", 3.5),
        "a/b": Pause("a key with a stroke"),
    }
    assert two.shelf("callbacks", Callback).left == {"alice": Callback("13800138000", 1)}
    two.close()
    one.close()


def test_what_has_another_form_now_is_not_there_and_does_not_come_back(tmp_path: Path) -> None:
    path = tmp_path / "sipccd.shelves"
    one = opened(path)
    one.shelf("things", Pause).note("alice", Pause("lunch"))
    one.close()
    two = opened(path)
    assert two.shelf("things", Callback).left == {}
    two.close()
    three = opened(path)
    assert three.shelf("things", Pause).left == {}
    three.close()


def test_without_a_journal_nothing_is_left() -> None:
    shelf = opened(None).shelf("pauses", Pause)
    shelf.note("alice", Pause("lunch"))
    shelf.over("alice")
    assert shelf.left == {}
