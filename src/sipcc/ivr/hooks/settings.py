"""Settings of webhook applications."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class WebAppSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A program that is asked over HTTP or a WebSocket what happens in a call.

    Calls come to it by the destination ``webapp:NAME``.
    """

    name: Annotated[str, Meta(min_length=1)]
    """Unique among webapps."""
    url: Annotated[str, Meta(min_length=1)]
    """Where it is asked first: ``http://`` or ``https://``; for jambonz also ``ws://`` and ``wss://``."""
    kind: Literal["jambonz", "twiml"] = "jambonz"
    """What it answers: jambonz verbs in JSON, or TwiML."""
    method: Literal["GET", "POST"] = "POST"
    """How it is asked first; hooks in its answers say their own."""
    status_url: str = ""
    """Is told when a call is answered and when it is over; empty tells nobody. WebSockets are told anyway."""
    timeout: Annotated[float, Meta(gt=0, le=60)] = 3.0
    """Seconds for each answer; then the caller goes to `fallback`."""
    retries: Annotated[int, Meta(ge=0, le=10)] = 1
    """How often it is asked again when it cannot be reached or answers with a status from 500 on; for a
    WebSocket, how often the connection is made again."""
    quiet: Annotated[float, Meta(gt=0, le=86_400)] = 300.0
    """Seconds for which an application at a WebSocket may leave a caller with nothing to do or to hear; then
    the caller goes to `fallback`."""
    fallback: Annotated[str, Meta(min_length=1)]
    """The destination of callers when it is too slow, dead, or answers what cannot be carried out."""
    user: str = ""
    """The name of Basic authentication; empty sends none."""
    password: str = ""
    """The password that goes with `user`; ``env:NAME`` keeps it out of the file."""
    secret: str = ""
    """With what requests are signed (``Jambonz-Signature``, ``X-Twilio-Signature``); empty signs none.
    ``env:NAME`` keeps it out of the file."""
    recording_url: str = ""
    """How the URLs of recordings begin that a TwiML application is told, such as
    ``https://files.example.com/messages/``; the file's name follows. They lie in the folder ``messages`` of
    the recordings. Empty tells URLs at the HTTP interface, or without one the path of the file."""
    secret_keys: bool = False
    """Whether what callers type to it is shown in no log, event or recording, as card numbers need it."""
    account: str = "sipcc"
    """The account that it is told of, as ``account_sid`` or ``AccountSid``."""
