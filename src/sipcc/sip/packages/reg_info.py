"""The registration package (RFC 3680): where a user is registered, for whoever keeps track of phones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from sipcc.sip.binding import Binding
from sipcc.sip.packages.xml import HEAD, written
from sipcc.sip.subscription import Document
from sipcc.sip.uri import SipUri

NAMESPACE = "urn:ietf:params:xml:ns:reginfo"
MAX_CONTACTS = 16
"""Contacts that one document tells; it must fit in a datagram."""
KEPT_ENDED = 8
"""Contacts that are gone and kept for those who have not been told yet."""

Event = Literal["registered", "expired", "unregistered"]


class _Contact(NamedTuple):
    id: int
    uri: str
    event: Event
    expires_at: float
    revision: int


class _Account:
    def __init__(self, number: int) -> None:
        self.number = number
        self.revision = 0
        self.live: dict[str, _Contact] = {}
        self.gone: deque[_Contact] = deque(maxlen=KEPT_ENDED)


class RegistrationPackage:
    """The contacts of all users as the registrar tells them, and their documents.

    `resource_of` knows which user a URI means, `aor_of` gives back its address of record, and
    `bindings` asks the registrar what stands now.
    """

    name = "reg"
    content_type = "application/reginfo+xml"
    default_expires = 3761
    interval = 5.0  # RFC 3680 §4.10

    def __init__(
        self,
        resource_of: Callable[[SipUri], str | None],
        aor_of: Callable[[str], str],
        bindings: Callable[[str], Sequence[Binding]],
    ) -> None:
        self.changed: Callable[[str], None] = lambda resource: None
        self._find = resource_of
        self._aor_of = aor_of
        self._bindings = bindings
        self._accounts: dict[str, _Account] = {}
        self._ids = 0

    def resource_of(self, uri: SipUri) -> str | None:
        """The user that `uri` means, or None."""
        return self._find(uri)

    def update(self, user: str, *, now: float) -> None:
        """The contacts of `user` changed, as `sipcc.sip.registrar.BindingsChanged` tells."""
        self._note(user, now)
        self.changed(user)

    def document(self, resource: str, *, version: int, since: int | None, now: float) -> Document:
        """A ``reginfo`` document with all contacts that stand, and those that went since the last one."""
        account = self._note(resource, now)
        gone = [contact for contact in account.gone if since is not None and contact.revision > since]
        contacts = [*gone, *account.live.values()][-MAX_CONTACTS:]
        state = "active" if account.live else ("terminated" if account.revision else "init")
        aor = written(self._aor_of(resource))
        parts = [
            f'{HEAD}<reginfo xmlns="{NAMESPACE}" version="{version}" state="full">',
            f'<registration aor="{aor}" id="r{account.number}" state="{state}">',
            *(_written(contact, now) for contact in contacts),
            "</registration>",
            "</reginfo>\n",
        ]
        return Document("\n".join(parts).encode("utf-8"), account.revision)

    def _note(self, user: str, now: float) -> _Account:
        """Compare what the registrar has with what was told last."""
        account = self._accounts.get(user)
        if account is None:
            account = self._accounts[user] = _Account(len(self._accounts))
        stands = {str(binding.uri): binding.expires_at for binding in self._bindings(user)}
        for uri, contact in list(account.live.items()):
            if uri not in stands:
                account.revision += 1
                event: Event = "expired" if contact.expires_at <= now else "unregistered"
                account.gone.append(contact._replace(event=event, revision=account.revision))
                del account.live[uri]
        for uri, expires_at in stands.items():
            known = account.live.get(uri)
            if known is None:
                account.revision += 1
                self._ids += 1
                account.live[uri] = _Contact(self._ids, uri, "registered", expires_at, account.revision)
            else:
                account.live[uri] = known._replace(expires_at=expires_at)
        return account


def _written(contact: _Contact, now: float) -> str:
    live = contact.event == "registered"
    left = f' expires="{max(0, round(contact.expires_at - now))}"' if live else ""
    state = "active" if live else "terminated"
    return (
        f'<contact id="c{contact.id}" state="{state}" event="{contact.event}"{left}>'
        f"<uri>{written(contact.uri)}</uri></contact>"
    )
