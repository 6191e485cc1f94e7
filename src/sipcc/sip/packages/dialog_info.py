"""The dialog package (RFC 4235): which calls a user has, for the busy lamps of other phones.

Lamps need little: direction, state, and who is at the other end. With Call-ID and tags a watcher can take
a ringing call over (INVITE with Replaces, RFC 3891): `local_tag` is the to-tag of its Replaces.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal, NamedTuple
from xml.etree.ElementTree import Element

import msgspec

from sipcc.sip.packages.xml import HEAD, read, written
from sipcc.sip.subscription import Document
from sipcc.sip.uri import SipUri

NAMESPACE = "urn:ietf:params:xml:ns:dialog-info"
MAX_DIALOGS = 16
"""Calls of one user that are told; a document must fit in a datagram."""
KEPT_ENDED = 8
"""Calls that are over and kept for those who are told changes only."""

CallState = Literal["trying", "early", "confirmed", "terminated"]
Direction = Literal["initiator", "recipient"]


class Party(msgspec.Struct, frozen=True):
    """One end of a call."""

    uri: str
    display: str = ""


class WatchedDialog(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a user, from that user's side."""

    id: str
    """Unique among the calls of this user."""
    direction: Direction
    state: CallState
    local: Party | None = None
    remote: Party | None = None
    event: str = ""
    """Why it is over: cancelled, rejected, replaced, local-bye, remote-bye, error or timeout (§4.1.2)."""
    code: int = 0
    """The SIP status with which it ended, if there was one."""
    call_id: str = ""
    local_tag: str = ""
    remote_tag: str = ""


class DialogInfo(NamedTuple):
    """A document as a watcher reads it."""

    entity: str
    version: int
    full: bool
    dialogs: tuple[WatchedDialog, ...]

    @property
    def busy(self) -> bool:
        """True when any call in it lives."""
        return any(dialog.state != "terminated" for dialog in self.dialogs)


class _Watched:
    """What is known of one user."""

    def __init__(self) -> None:
        self.revision = 0
        self.live: dict[str, tuple[int, WatchedDialog]] = {}
        self.ended: deque[tuple[int, WatchedDialog]] = deque()
        self.forgotten = 0
        """Changes up to this revision cannot be told any more; the whole state can."""


class DialogPackage:
    """The calls of all users, and their documents.

    `resource_of` knows which user or agent a URI means, `entity_of` gives back the URI of one. With
    `partial`, subscribers are told changes only; with `replaces`, what they need to take a call over.
    """

    name = "dialog"
    content_type = "application/dialog-info+xml"
    default_expires = 3600
    interval = 1.0  # RFC 4235 §3.10

    def __init__(
        self,
        resource_of: Callable[[SipUri], str | None],
        entity_of: Callable[[str], str],
        *,
        partial: bool = False,
        replaces: bool = True,
    ) -> None:
        self.changed: Callable[[str], None] = lambda resource: None
        self._find = resource_of
        self._entity_of = entity_of
        self._partial = partial
        self._replaces = replaces
        self._watched: dict[str, _Watched] = {}

    def __len__(self) -> int:
        """How many live calls are known, of all users."""
        return sum(len(watched.live) for watched in self._watched.values())

    def resource_of(self, uri: SipUri) -> str | None:
        """The user or agent that `uri` means, or None."""
        return self._find(uri)

    def update(self, resource: str, dialog: WatchedDialog) -> None:
        """A call of `resource` began, went on or ended; what is not new is not told."""
        watched = self._watched.setdefault(resource, _Watched())
        known = watched.live.get(dialog.id)
        if (known is not None and known[1] == dialog) or (known is None and dialog.state == "terminated"):
            return
        watched.revision += 1
        if dialog.state == "terminated":
            del watched.live[dialog.id]
            watched.ended.append((watched.revision, dialog))
            while len(watched.ended) > KEPT_ENDED:
                watched.forgotten = watched.ended.popleft()[0]
        else:
            watched.live[dialog.id] = (watched.revision, dialog)
        self.changed(resource)

    def dialogs(self, resource: str) -> list[WatchedDialog]:
        """The live calls of `resource`, oldest first."""
        watched = self._watched.get(resource)
        return [] if watched is None else [dialog for _, dialog in watched.live.values()]

    def document(self, resource: str, *, version: int, since: int | None, now: float) -> Document:
        """A ``dialog-info`` document; partial when that was asked for and can be had."""
        watched = self._watched.get(resource) or _Watched()
        partial = self._partial and since is not None and since >= watched.forgotten
        if partial and since is not None:
            shown = [dialog for at, dialog in (*watched.ended, *watched.live.values()) if at > since]
        else:
            shown = [dialog for _, dialog in watched.live.values()]
        if not shown and not partial:
            # an empty document is right and leaves the lamps of some phones lit
            shown = [WatchedDialog(id=resource, direction="recipient", state="terminated")]
        kind = "partial" if partial else "full"
        entity = written(self._entity_of(resource))
        parts = [
            f'{HEAD}<dialog-info xmlns="{NAMESPACE}" version="{version}" state="{kind}" entity="{entity}">',
            *(self._written(dialog) for dialog in shown[-MAX_DIALOGS:]),
            "</dialog-info>\n",
        ]
        return Document("\n".join(parts).encode("utf-8"), watched.revision)

    def _written(self, dialog: WatchedDialog) -> str:
        attributes = {"id": dialog.id}
        if self._replaces and dialog.call_id:
            attributes["call-id"] = dialog.call_id
            attributes |= {"local-tag": dialog.local_tag} if dialog.local_tag else {}
            attributes |= {"remote-tag": dialog.remote_tag} if dialog.remote_tag else {}
        if dialog.remote is not None or dialog.call_id:
            attributes["direction"] = dialog.direction
        why = f' event="{written(dialog.event)}"' if dialog.event else ""
        why += f' code="{dialog.code}"' if dialog.code else ""
        head = "".join(f' {name}="{written(value)}"' for name, value in attributes.items())
        local = _party("local", dialog.local)
        remote = _party("remote", dialog.remote)
        return f"<dialog{head}><state{why}>{dialog.state}</state>{local}{remote}</dialog>"


def _party(name: str, party: Party | None) -> str:
    if party is None:
        return ""
    display = f' display="{written(party.display)}"' if party.display else ""
    uri = written(party.uri)
    return f'<{name}><identity{display}>{uri}</identity><target uri="{uri}"/></{name}>'


_BLANK = " \t\r\n"
"""White space of XML; that of Python is more."""

_STATES: dict[str, CallState] = {
    "trying": "trying",
    "proceeding": "trying",
    "early": "early",
    "confirmed": "confirmed",
    "terminated": "terminated",
}


def parse_dialog_info(body: bytes) -> DialogInfo:
    """Read a ``dialog-info`` document; ``proceeding`` is told as ``trying``.

    Dialogs without an id, or in a state that RFC 4235 does not know, are left out.

    Raises:
        ParseError: it is no such document.
    """
    root = read(body, NAMESPACE, "dialog-info")
    dialogs = []
    for element in root.findall("dialog"):
        state = element.find("state")
        known = _STATES.get((state.text or "").strip(_BLANK)) if state is not None else None
        if known is None or state is None or not element.get("id"):
            continue
        code = state.get("code", "")
        dialogs.append(
            WatchedDialog(
                id=element.get("id", ""),
                direction="initiator" if element.get("direction") == "initiator" else "recipient",
                state=known,
                local=_read_party(element.find("local")),
                remote=_read_party(element.find("remote")),
                event=state.get("event", ""),
                code=int(code) if code.isascii() and code.isdigit() and len(code) == 3 else 0,
                call_id=element.get("call-id", ""),
                local_tag=element.get("local-tag", ""),
                remote_tag=element.get("remote-tag", ""),
            )
        )
    version = root.get("version", "")
    number = int(version) if version.isascii() and version.isdigit() and len(version) <= 10 else 0
    return DialogInfo(root.get("entity", ""), number, root.get("state") != "partial", tuple(dialogs))


def _read_party(element: Element | None) -> Party | None:
    identity = element.find("identity") if element is not None else None
    if identity is None:
        return None
    return Party((identity.text or "").strip(_BLANK), identity.get("display", ""))
