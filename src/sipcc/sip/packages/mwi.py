"""Message counts for the message lamp of phones (RFC 3842): ``message-summary``."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from sipcc.errors import LocalProtocolError, ParseError
from sipcc.sip.grammar import text, wire
from sipcc.sip.subscription import Document
from sipcc.sip.uri import SipUri

MAX_COUNT = 2**32 - 1
MAX_SUMMARY_BYTES = 4096
"""A summary that we read; it is a handful of lines."""
MAX_ACCOUNT = 256
"""Characters of a Message-Account that we read."""

_COUNTS = re.compile(
    rb"([0-9]{1,10})[ \t]*/[ \t]*([0-9]{1,10})"
    rb"(?:[ \t]*\([ \t]*([0-9]{1,10})[ \t]*/[ \t]*([0-9]{1,10})[ \t]*\))?"
)


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What waits in one mailbox."""

    new: int = 0
    old: int = 0
    new_urgent: int = 0
    """How many of `new` are urgent."""
    old_urgent: int = 0
    """How many of `old` are urgent."""
    account: str = ""
    """The URI to call for the messages, or an empty text."""

    @property
    def waiting(self) -> bool:
        """True when the lamp shall be lit."""
        return self.new > 0 or self.new_urgent > 0


class Mailboxes:
    """The mailboxes of a switch, and the event package that tells of them.

    `resource_of` knows which mailbox a URI means, `account_of` the URI that is called to hear it.
    """

    name = "message-summary"
    content_type = "application/simple-message-summary"
    default_expires = 3600
    interval = 1.0  # RFC 3842 §3.11

    def __init__(self, resource_of: Callable[[SipUri], str | None], account_of: Callable[[str], str]) -> None:
        self.changed: Callable[[str], None] = lambda resource: None
        self._find = resource_of
        self._account_of = account_of
        self._boxes: dict[str, Summary] = {}
        self._revision = 0

    def set(
        self,
        name: str,
        *,
        new: int,
        old: int = 0,
        new_urgent: int = 0,
        old_urgent: int = 0,
        account: str = "",
    ) -> None:
        """Say what waits for `name`; the phones that watch it are told.

        Raises:
            LocalProtocolError: a count is negative or above 2**32-1, or `account` holds CR or LF.
        """
        counts = (new, old, new_urgent, old_urgent)
        if not all(0 <= count <= MAX_COUNT for count in counts):
            raise LocalProtocolError(f"no message counts: {counts}")
        wire(account)
        summary = Summary(new=new, old=old, new_urgent=new_urgent, old_urgent=old_urgent, account=account)
        if self._boxes.get(name, Summary()) == summary:
            return
        self._boxes[name] = summary
        self._revision += 1
        self.changed(name)

    def get(self, name: str) -> Summary:
        """What waits for `name`; nothing when nobody has said so."""
        return self._boxes.get(name, Summary())

    def resource_of(self, uri: SipUri) -> str | None:
        """The mailbox that `uri` means: one that was set, or that of a user."""
        if uri.user in self._boxes:
            return uri.user
        return self._find(uri)

    def document(self, resource: str, *, version: int, since: int | None, now: float) -> Document:
        """A ``simple-message-summary`` body; it has no versions and is always whole."""
        box = self.get(resource)
        urgent = f" ({box.new_urgent}/{box.old_urgent})" if box.new_urgent or box.old_urgent else ""
        lines = [
            f"Messages-Waiting: {'yes' if box.waiting else 'no'}",
            f"Message-Account: {box.account or self._account_of(resource)}",
            f"Voice-Message: {box.new}/{box.old}{urgent}",
        ]
        return Document(b"".join(wire(line) + b"\r\n" for line in lines), self._revision)


def parse_summary(body: bytes) -> Summary:
    """Read a ``simple-message-summary`` body: the counts of voice messages, 0 where they are not told.

    A phone that is told only ``Messages-Waiting: yes`` knows of one new message.

    Raises:
        ParseError: it has no Messages-Waiting, is longer than `MAX_SUMMARY_BYTES`, or its account is
            longer than `MAX_ACCOUNT`.
    """
    if len(body) > MAX_SUMMARY_BYTES:
        raise ParseError("a message summary of too many bytes", layer="body")
    waiting: bool | None = None
    account = ""
    counts = (0, 0, 0, 0)
    for line in body.split(b"\n"):
        name, _, value = line.partition(b":")
        name, value = name.strip(b" \t\r").lower(), value.strip(b" \t\r")
        if name == b"messages-waiting":
            waiting = value.lower() == b"yes"
        elif name == b"message-account":
            if len(value) > MAX_ACCOUNT:
                raise ParseError("a Message-Account of too many bytes", layer="body")
            account = text(value)
        elif name == b"voice-message":
            found = _COUNTS.match(value)
            if found is not None:
                new, old, new_urgent, old_urgent = (
                    min(int(digits or b"0"), MAX_COUNT) for digits in found.groups()
                )
                counts = (new, old, new_urgent, old_urgent)
    if waiting is None:
        raise ParseError("no Messages-Waiting in a message summary", layer="body")
    new, old, new_urgent, old_urgent = counts
    if waiting and new == 0:
        new = 1
    return Summary(new=new, old=old, new_urgent=new_urgent, old_urgent=old_urgent, account=account)
