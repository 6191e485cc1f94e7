"""Mailboxes without a call: what callers and owners hear by their keys, and messages on the disk."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from sipcc.errors import CallEnded, SipccError
from sipcc.ivr.mailstore import MailStore, NoMessage
from sipcc.ivr.session import Session
from sipcc.ivr.sim import SimSession, finish
from sipcc.ivr.steps import Recorded
from sipcc.ivr.voicemail import MailboxSettings, Message, Why, hear_messages, take_message

NIGHT = MailboxSettings(name="night", language="zh-CN")


def message(number: int, *, heard: bool = False, path: str = "/tmp/none.wav") -> Message:
    return Message(
        id=f"m{number}",
        box="night",
        call="c",
        caller="13800138000" if number % 2 else "anonymous",
        left=float(number),
        seconds=2.0,
        size_bytes=100,
        path=path,
        heard=heard,
    )


class Desk:
    """A post in memory."""

    def __init__(self, *messages: Message, full_disk: bool = False) -> None:
        self.kept = list(messages)
        self.done: list[str] = []
        self._full_disk = full_disk

    def messages(self, box: str) -> list[Message]:
        return self.kept

    async def leave(self, session: Session, box: MailboxSettings, recorded: Recorded) -> Message:
        if self._full_disk:
            raise SipccError("the message cannot be stored: no space left on device")
        self.done.append(f"left {recorded.ended_by}")
        return message(9)

    async def mark(self, message: str, heard: bool, *, by: str) -> Message:
        self.done.append(f"heard {message}")
        found = next(each for each in self.kept if each.id == message)
        return Message(**{name: getattr(found, name) for name in found.__struct_fields__} | {"heard": heard})

    async def delete(self, message: str, *, by: str, why: Why = "asked") -> Message:
        self.done.append(f"deleted {message} by {by}")
        return next(each for each in self.kept if each.id == message)


def heard_by(script: str, desk: Desk, box: MailboxSettings = NIGHT, *, owner: bool = True) -> str:
    """All that a caller with `script` hears."""
    session = SimSession(script)
    program = hear_messages(session, box, desk, by="1001") if owner else take_message(session, box, desk)
    with contextlib.suppress(CallEnded):
        finish(program)
    return session.report()


@pytest.mark.parametrize(
    ("script", "done"),
    [
        ("keys 1\nkeys 2\nkeys *", ["heard m1", "deleted m1 by 1001", "heard m2"]),
        ("keys 3\nkeys #", ["heard m1", "heard m2"]),
        ("silence\nsilence", ["heard m1", "heard m2"]),
        ("keys *", ["heard m1"]),
        ("hangup", []),
    ],
)
def test_an_owner_goes_through_the_messages(script: str, done: list[str]) -> None:
    desk = Desk(message(1), message(2))
    heard_by(script, desk)
    assert desk.done == done


def test_what_was_heard_before_is_not_marked_again_and_an_empty_box_says_so() -> None:
    desk = Desk(message(1, heard=True))
    assert "voicemail_end" in heard_by("keys 3", desk)
    assert desk.done == []
    assert "voicemail_none" in heard_by("", Desk())


@pytest.mark.parametrize(
    ("script", "said", "done"),
    [
        ("keys #\nsay hello keys #", "voicemail_", None),
        ("hangup", "", []),
    ],
)
def test_a_caller_and_the_mailbox(script: str, said: str, done: list[str] | None) -> None:
    desk = Desk()
    assert said in heard_by(script, desk, owner=False)
    if done is not None:
        assert desk.done == done


def test_a_full_box_and_a_full_disk_are_told() -> None:
    one = MailboxSettings(name="night", messages=1)
    assert "voicemail_full" in heard_by("", Desk(message(1)), one, owner=False)
    heard = heard_by("say hello wait 4s say more", Desk(full_disk=True), owner=False)
    assert "voicemail_saved" not in heard


# -- on the disk --------------------------------------------------------------------------------------------


def sound(folder: Path) -> str:
    path = folder / "recorded.wav"
    path.write_bytes(b"sound")
    return str(path)


async def test_messages_outlive_the_store_and_junk_is_left_alone(tmp_path: Path) -> None:
    store = MailStore(str(tmp_path / "box"))
    await store.open()
    kept = await store.take_in(message(1, path=sound(tmp_path)))
    await store.put(Message(**as_dict(kept) | {"transcript": "please call"}))
    write(tmp_path / "box" / "night" / "junk.json", b"{")
    again = MailStore(str(tmp_path / "box"))
    await again.open()
    assert [(each.id, each.transcript) for each in again.of("night")] == [("m1", "please call")]
    assert again.all()[0].path == kept.path
    await again.delete("m1")
    with pytest.raises(NoMessage):
        again.get("m1")
    assert sorted(path.name for path in (tmp_path / "box" / "night").iterdir()) == ["junk.json"]


async def test_a_disk_that_refuses_leaves_things_as_they_were(tmp_path: Path) -> None:
    write(tmp_path / "box", b"no folder")
    store = MailStore(str(tmp_path / "box"))
    with pytest.raises(SipccError, match="cannot be stored"):
        await store.take_in(message(1, path=sound(tmp_path)))
    assert store.all() == []
    with pytest.raises(NoMessage):
        await store.put(message(1))


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def as_dict(kept: Message) -> dict[str, object]:
    return {name: getattr(kept, name) for name in kept.__struct_fields__}
