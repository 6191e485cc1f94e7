"""Where a user can be reached: one binding, and how it is written down for another process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from sipcc.sip.transport.base import Address, Flow, TransportName
from sipcc.sip.uri import NameAddr, SipUri


class Binding(msgspec.Struct, frozen=True):
    """One place where a user can be reached."""

    uri: SipUri
    """The Contact as a Request-URI: without ``?headers`` and ``method``, which may not stand in one."""
    flow: Flow | None
    """The way the REGISTER came; requests to this contact go back on it."""
    received: Address
    """Source address of the REGISTER."""
    path: tuple[NameAddr, ...]
    """Path values of the REGISTER: the Route of requests to this contact (RFC 3327)."""
    q: float
    """Preference of the user, 0 to 1."""
    expires_at: float
    """When it ends, in seconds of the clock that `now` comes from."""
    instance: str
    """The ``+sip.instance`` of the device without quotes and brackets, or ``""``."""
    reg_id: int = 0
    """Which of its flows this is, from 1; 0 for a device that does not speak RFC 5626."""


class Held(msgspec.Struct):
    """A binding with what only the registrar needs."""

    binding: Binding
    uri: SipUri
    """The URI of the Contact as the phone wrote it."""
    params: str
    """The parameters of the Contact that the 200 repeats, as text: there may be many bindings."""
    call_id: str
    cseq: int


class SavedContact(msgspec.Struct, frozen=True, kw_only=True):
    """A binding as it is written down, for another process."""

    uri: str
    """As the phone wrote it."""
    params: str = ""
    call_id: str
    cseq: int
    transport: TransportName
    received: tuple[str, int]
    path: tuple[str, ...] = ()
    q: float = 1.0
    expires_wall: float
    """Unix time of its end."""
    instance: str = ""


class SavedContacts(msgspec.Struct, frozen=True):
    """The bindings of one user."""

    contacts: tuple[SavedContact, ...]


def write_down(bindings: Sequence[Held], *, wall_of: Callable[[float], float]) -> SavedContacts:
    """The bindings that outlive a process: a flow of RFC 5626, and that of a browser, end with it."""
    return SavedContacts(
        tuple(
            SavedContact(
                uri=str(held.uri),
                params=held.params,
                call_id=held.call_id,
                cseq=held.cseq,
                transport=flow.transport,
                received=held.binding.received,
                path=tuple(str(route) for route in held.binding.path),
                q=held.binding.q,
                expires_wall=round(wall_of(held.binding.expires_at), 3),
                instance=held.binding.instance,
            )
            for held in bindings
            if (flow := held.binding.flow) is not None
            and not held.binding.reg_id
            and flow.transport not in ("ws", "wss")
        )
    )


def read_back(
    saved: SavedContacts, *, flow_of: Callable[[SavedContact], Flow | None], ages: float
) -> list[Held]:
    """The bindings that were written down; `ages` takes a Unix time to our clock.

    Raises:
        ParseError: one of them is damaged.
    """
    held = []
    for contact in saved.contacts:
        uri = SipUri.parse(contact.uri)
        binding = Binding(
            uri=uri.as_target(),
            flow=flow_of(contact),
            received=Address(*contact.received),
            path=tuple(NameAddr.parse(route) for route in contact.path),
            q=contact.q,
            expires_at=contact.expires_wall + ages,
            instance=contact.instance,
        )
        held.append(Held(binding, uri, contact.params, contact.call_id, contact.cseq))
    return held
