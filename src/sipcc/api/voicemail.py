"""Mailboxes over HTTP: messages are listed, listened to, marked, deleted, written down and called back.

Agents reach the mailboxes that their users own, supervisors all of them; auditors change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.exceptions import NotFoundException, PermissionDeniedException
from litestar.params import FromPath, FromQuery, JSONBody

from sipcc.api.access import Permit, may
from sipcc.api.office import bearer_of, needs, office_of
from sipcc.api.once import once
from sipcc.api.schema import RequestId, VoicemailDesk
from sipcc.api.soundfiles import sound_of
from sipcc.ivr.mailstore import NoMessage
from sipcc.ivr.voicemail import Message

LISTENING = [needs(Permit.LISTEN_OWN)]


class MailboxView(msgspec.Struct, frozen=True, kw_only=True):
    """One mailbox."""

    box: str
    new: int
    old: int


class MessageView(msgspec.Struct, frozen=True, kw_only=True):
    """One message."""

    id: str
    box: str
    call: str
    caller: str
    left: float
    """Unix time."""
    seconds: float
    size_bytes: int
    heard: bool
    transcript: str
    callback: str
    """The callback that was booked for it; empty for none."""


class MessageCommand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a command about a message."""

    request_id: RequestId


class MarkMessage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a mark."""

    request_id: RequestId
    heard: bool = True
    """False makes it new again."""


class Transcript(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a transcript."""

    request_id: RequestId
    text: Annotated[str, msgspec.Meta(max_length=32_768)]


class CallBack(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a callback."""

    request_id: RequestId
    queue: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


@get("/voicemail", guards=LISTENING)
async def mailboxes(request: Request[Any, Any, Any]) -> list[MailboxView]:
    """The mailboxes that the token reaches, and how many messages are in each."""
    desk = _desk(request)
    found = []
    for name in _boxes(request):
        messages = desk.messages(name)
        new = sum(not message.heard for message in messages)
        found.append(MailboxView(box=name, new=new, old=len(messages) - new))
    return found


@get("/voicemail/{box:str}", guards=LISTENING)
async def messages(
    request: Request[Any, Any, Any], box: FromPath[str], heard: FromQuery[bool | None] = None
) -> list[MessageView]:
    """The messages of a mailbox: new ones first, the oldest of each first; with `heard` only those."""
    if box not in _boxes(request):
        raise NotFoundException(f"there is no mailbox {box!r}")
    found = _desk(request).messages(box)
    return [_view(message) for message in found if heard in (None, message.heard)]


@get("/voicemail/messages/{message:str}/audio", guards=LISTENING)
async def message_audio(request: Request[Any, Any, Any], message: FromPath[str]) -> Response[Any]:
    """The sound of a message, whole or the bytes of a ``Range``; listening does not mark it."""
    found = _found(request, message)
    return await sound_of(request, found.path, message, lambda: None)


@post("/voicemail/messages/{message:str}/mark", guards=LISTENING, status_code=200)
async def mark(
    request: Request[Any, Any, Any], message: FromPath[str], data: JSONBody[MarkMessage]
) -> Response[Any]:
    """Mark a message as heard, or as new again; the lamps of its owners follow."""

    async def act(desk: VoicemailDesk, by: str) -> Message:
        return await desk.mark(message, data.heard, by=by)

    return await _command(request, message, data.request_id, data, act)


@post("/voicemail/messages/{message:str}/delete", guards=LISTENING, status_code=200)
async def delete(
    request: Request[Any, Any, Any], message: FromPath[str], data: JSONBody[MessageCommand]
) -> Response[Any]:
    """Delete a message and its sound."""

    async def act(desk: VoicemailDesk, by: str) -> Message:
        return await desk.delete(message, by=by)

    return await _command(request, message, data.request_id, data, act)


@post("/voicemail/messages/{message:str}/transcript", guards=LISTENING, status_code=200)
async def transcript(
    request: Request[Any, Any, Any], message: FromPath[str], data: JSONBody[Transcript]
) -> Response[Any]:
    """Keep what a message says in words: for services that are told of messages by a webhook."""

    async def act(desk: VoicemailDesk, by: str) -> Message:
        return await desk.transcribed(message, data.text)

    return await _command(request, message, data.request_id, data, act)


@post("/voicemail/messages/{message:str}/callback", guards=LISTENING, status_code=200)
async def callback(
    request: Request[Any, Any, Any], message: FromPath[str], data: JSONBody[CallBack]
) -> Response[Any]:
    """Have an agent of a queue call whoever left a message; 409 when that cannot be, or is booked already."""

    async def act(desk: VoicemailDesk, by: str) -> Message:
        return await desk.call_back(message, data.queue)

    return await _command(request, message, data.request_id, data, act)


async def _command(
    request: Request[Any, Any, Any],
    message: str,
    request_id: str,
    data: msgspec.Struct,
    act: Callable[[VoicemailDesk, str], Coroutine[Any, Any, Message]],
) -> Response[Any]:
    bearer = bearer_of(request)
    if bearer.role == "auditor":
        raise PermissionDeniedException("the role auditor changes nothing")

    async def done() -> MessageView:
        _found(request, message)
        return _view(await act(_desk(request), bearer.name))

    return await once(request, request_id, data, done)


def _desk(request: Request[Any, Any, Any]) -> VoicemailDesk:
    return office_of(request).centre.voicemail


def _boxes(request: Request[Any, Any, Any]) -> tuple[str, ...]:
    """The mailboxes that the token reaches."""
    bearer, desk = bearer_of(request), _desk(request)
    if may(bearer.role, Permit.LISTEN_ALL):
        return tuple(box.name for box in desk.boxes)
    agents = office_of(request).centre.acd.floor.staff.agents
    agent = agents.get(bearer.agent)
    return () if agent is None else desk.boxes_of(agent.settings.users)


def _found(request: Request[Any, Any, Any], message: str) -> Message:
    """A message that the token reaches; others are not there for it."""
    try:
        found = _desk(request).get(message)
    except NoMessage as error:
        raise NotFoundException(str(error)) from None
    if found.box not in _boxes(request):
        raise NotFoundException(f"there is no message {message!r}")
    return found


def _view(message: Message) -> MessageView:
    return MessageView(
        id=message.id,
        box=message.box,
        call=message.call,
        caller=message.caller,
        left=message.left,
        seconds=message.seconds,
        size_bytes=message.size_bytes,
        heard=message.heard,
        transcript=message.transcript,
        callback=message.callback,
    )


VOICEMAIL = [mailboxes, messages, message_audio, mark, delete, transcript, callback]
