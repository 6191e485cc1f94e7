"""Mailboxes: callers leave messages, and owners hear them at their phones.

Both are programs over `sipcc.ivr.session.Session`, so they run on a live call and on a made-up one. What
becomes of a message is the business of a `Post`.
"""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

import msgspec

from sipcc.call.digits import CollectSettings, LengthMatcher, OptionsMatcher
from sipcc.errors import CallEnded, SipccError
from sipcc.ivr.session import Session
from sipcc.ivr.settings import listed
from sipcc.ivr.steps import Audio, Gather, Gathered, Named, Prompt, Record, Recorded, Spoken, Value, named

PIN_TRIES = 3
GREETING_ENDS = "#"


class MailboxSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One mailbox, where ``voicemail:NAME`` leads."""

    name: str
    """The name in ``voicemail:NAME``."""
    greeting: str | tuple[str, ...] = "voicemail_greeting"
    """Prompts that callers hear before the tone; a key skips them."""
    language: str = ""
    """The language of its prompts; empty for that of the call."""
    users: tuple[str, ...] = ()
    """Who owns it: their phones show how many messages wait, and hear them when they call it."""
    pin: str = ""
    """Digits that owners must type first; empty asks for none. ``env:NAME`` keeps them out of the file."""
    max_length: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 180.0
    """Seconds of the longest message."""
    min_length: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    """A shorter one is none."""
    silence: Annotated[float, msgspec.Meta(gt=0)] = 8.0
    """Seconds of silence that end a message."""
    messages: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    """How many it holds; with as many, callers hear that it is full."""
    days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 30
    """Messages that are older are deleted."""
    callback: str = ""
    """A queue that calls back whoever leaves a message; empty calls nobody back."""
    transcribe: bool = False
    """Whether the recogniser of the switch writes down what was said."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message in a mailbox."""

    id: str
    box: str
    call: str
    """The call in which it was left."""
    caller: str
    left: float
    """Unix time."""
    seconds: float
    size_bytes: int
    path: str
    """The file, mono, 16-bit, 8 kHz."""
    heard: bool = False
    transcript: str = ""
    callback: str = ""
    """The callback that was booked for it."""


Why = Literal["asked", "expired"]


class Post(Protocol):
    """Takes messages in, and hands them out."""

    def messages(self, box: str) -> list[Message]:
        """The messages of a mailbox: new ones first, the oldest of each first."""
        ...

    async def leave(self, session: Session, box: MailboxSettings, recorded: Recorded) -> Message:
        """Keep what was recorded."""
        ...

    async def mark(self, message: str, heard: bool, *, by: str) -> Message:
        """Somebody has heard a message, or wants it to be new again."""
        ...

    async def delete(self, message: str, *, by: str, why: Why = "asked") -> Message:
        """Throw a message away."""
        ...


async def take_message(session: Session, box: MailboxSettings, post: Post) -> Message | None:
    """Let the caller leave a message; None when it left none. Hanging up is the usual end.

    Raises:
        CallEnded: the caller has hung up, and what it said is kept.
    """
    await session.answer()
    if box.language:
        session.language = box.language
    if len(post.messages(box.name)) >= box.messages:
        await session.play(named("voicemail_full", bargein="off"))
        return None
    recorded = await session.record(
        Record(
            prompts=named(*listed(box.greeting)),
            max_time=box.max_length,
            final_silence=box.silence,
            timeout=box.silence,
            terminators=GREETING_ENDS,
            speech=True,
        )
    )
    message = None
    if recorded.path and recorded.seconds >= box.min_length:
        try:
            message = await post.leave(session, box, recorded)
        except SipccError as error:  # the disk: the caller is told that nothing was kept
            session.log("voicemail.not_stored", box=box.name, error=str(error))
    if recorded.ended_by == "hangup":
        raise CallEnded("hangup")
    said = "voicemail_saved" if message is not None else "voicemail_not_saved"
    await session.play(named(said, "goodbye", bargein="off"))
    return message


# -- hearing them ----------------------------------------------------------------------------------


async def hear_messages(session: Session, box: MailboxSettings, post: Post, *, by: str) -> None:
    """Let an owner hear the messages of `box` one after the other.

    Keys: 1 hears it again, 2 deletes it, ``#`` goes on, 3 does too, ``*`` ends.
    """
    await session.answer()
    if box.language:
        session.language = box.language
    if box.pin and not await _knows_pin(session, box.pin):
        await session.play(named("goodbye", bargein="off"))
        return
    messages = post.messages(box.name)
    new = sum(not message.heard for message in messages)
    if not messages:
        await session.play(named("voicemail_none", "goodbye"))
        return
    count: tuple[Spoken, ...] = (Named("voicemail_new"), Value("number", str(new)))
    lead: tuple[Prompt, ...] = (Prompt(items=count),)
    for message in messages:
        if await _hear(session, message, lead, post, by) == "*":
            break
        lead = ()
    else:
        await session.play(named("voicemail_end", bargein="off"))
    await session.play(named("goodbye", bargein="off"))


async def _hear(session: Session, message: Message, lead: tuple[Prompt, ...], post: Post, by: str) -> str:
    """One message, until the owner has decided; the key."""
    caller: tuple[Spoken, ...] = (Named("voicemail_from"), Value("phone", message.caller))
    head = Prompt(items=caller if message.caller.isdigit() else ())
    sound = Prompt(items=(Audio(message.path),))
    prompts = (*lead, head, sound, *named("voicemail_menu"))
    while True:
        answer = await _ask(session, prompts, OptionsMatcher(("1", "2", "3", "#", "*")))
        if not message.heard:
            message = await post.mark(message.id, True, by=by)
        if answer.outcome == "keys" and answer.keys == "1":
            prompts = (sound, *named("voicemail_menu"))
            continue
        if answer.outcome == "keys" and answer.keys == "2":
            await post.delete(message.id, by=by)
            await session.play(named("voicemail_deleted"))
        return answer.keys if answer.outcome == "keys" else "#"


async def _ask(session: Session, prompts: tuple[Prompt, ...], keys: OptionsMatcher) -> Gathered:
    collect = CollectSettings(timeout=4.0, terminators="")
    return await session.gather(Gather(prompts=prompts, keys=keys, collect=collect, label="voicemail"))


async def _knows_pin(session: Session, pin: str) -> bool:
    """Ask for the PIN; it is shown nowhere."""
    collect = CollectSettings(secret=True)
    for _ in range(PIN_TRIES):
        step = Gather(
            prompts=named("voicemail_pin"),
            keys=LengthMatcher(1, 16, allowed="0123456789"),
            collect=collect,
            label="voicemail pin",
        )
        answer = await session.gather(step)
        if answer.outcome == "keys" and answer.keys == pin:
            return True
        await session.play(named("invalid"))
    return False
