"""Who calls whom, as a core: an INVITE and what admission found become one `CallIdentity`.

A user of ours is who its account says, whatever its headers say. Over a trunk, From counts; over one that
is trusted, what it asserts counts more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from sipcc.call.numbering import Numbering
from sipcc.numbers import Number
from sipcc.sip.history import Redirection, redirections_of
from sipcc.sip.identity import Privacy, WireIdentity, identity_of
from sipcc.sip.message import Request
from sipcc.sip.settings import TrunkSettings, UserSettings
from sipcc.sip.uri import SipUri

if TYPE_CHECKING:
    from collections.abc import Sequence

ANONYMOUS = "anonymous"
"""The caller of a call whose caller is unknown or wants to stay so."""


class CallIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls, what was dialled, and by which redirections the call came."""

    caller: str = ANONYMOUS
    """What people are shown: a canonical number, a user name, or ``anonymous``."""
    caller_name: str = ""
    """The display name; the number when there is none."""
    called: str = ""
    """What was dialled: a canonical number or a name."""
    number: Number | None = None
    """The caller's number, also when it is not to be shown; None when there is none."""
    called_number: Number | None = None
    wire: WireIdentity | None = None
    """What the request said; None for a user of ours."""
    user: str = ""
    """The user of ours who calls, proven by digest; empty for a caller from a trunk."""
    trunk: str = ""
    """The trunk that the call came from."""
    private: bool = False
    """True when the caller must not be shown to anybody outside."""
    redirections: tuple[Redirection, ...] = ()
    """The redirections on the way to us, oldest first; told by trusted trunks only."""
    diverted_from: str = ""
    """The canonical number that sent the call to us, the last of several; empty for none."""
    emergency: bool = False
    """True when an emergency number was dialled."""
    hops: int = 70
    """Max-Forwards that is left for legs of this call (RFC 7332 §4)."""


class CallerFacts:
    """The properties of a call that its `identity` answers."""

    identity: CallIdentity

    @property
    def redirections(self) -> Sequence[Redirection]:
        """How the call was redirected before it came to us, oldest first."""
        return self.identity.redirections

    @property
    def diverted_from(self) -> str:
        """The number that sent the call to us, or an empty text."""
        return self.identity.diverted_from

    @property
    def privacy(self) -> Privacy:
        """The privacy that the caller asked for."""
        return self.identity.wire.privacy if self.identity.wire is not None else Privacy()

    @property
    def user(self) -> str:
        """The user of ours who placed the call, or an empty text."""
        return self.identity.user

    @property
    def dialled(self) -> str:
        """What was dialled, to be dialled again: in a user's own spelling, or the canonical number."""
        number = self.identity.called_number
        return number.text if number is not None and self.identity.user else self.identity.called

    @property
    def emergency(self) -> bool:
        """True when an emergency number was dialled."""
        return self.identity.emergency


def identify(
    request: Request,
    *,
    trunk: TrunkSettings | None,
    user: str,
    users: Mapping[str, UserSettings],
    numbering: Numbering,
) -> CallIdentity:
    """Read an INVITE that was admitted from `trunk`, as `user`, or from neither; never raises."""
    number = numbering.incoming(request.uri, trunk)
    called = number.canonical if number is not None else request.uri.user or request.uri.host
    facts = CallIdentity(
        called=called,
        called_number=number,
        emergency=number is not None and number.kind == "emergency",
        trunk=trunk.name if trunk is not None else "",
        hops=max(0, request.max_forwards - 1),
    )
    account = users.get(user)
    if account is not None:
        return _of_account(facts, account, numbering)
    return _of_trunk(facts, request, trunk, numbering)


def _of_account(facts: CallIdentity, account: UserSettings, numbering: Numbering) -> CallIdentity:
    text = account.number or account.name
    number = numbering.dialled(account.number) if account.number else None
    caller = number.canonical if number is not None else text
    return msgspec.structs.replace(
        facts, user=account.name, caller=caller, caller_name=account.display or caller, number=number
    )


def _of_trunk(
    facts: CallIdentity, request: Request, trunk: TrunkSettings | None, numbering: Numbering
) -> CallIdentity:
    trusted = trunk is not None and trunk.trusted
    wire = identity_of(request.headers, request.from_, trusted=trusted)
    number = numbering.incoming(wire.uri, trunk) if wire.subscriber else None
    caller = number.canonical if number is not None else wire.subscriber
    told = redirections_of(request.headers) if trusted else ()
    redirections = tuple(_with_canonical(entry, trunk, numbering) for entry in told)
    shown = not wire.anonymous and bool(caller)
    return msgspec.structs.replace(
        facts,
        caller=caller if shown else ANONYMOUS,
        caller_name=(wire.display or caller) if shown else ANONYMOUS,
        number=number,
        wire=wire,
        private=wire.anonymous,
        redirections=redirections,
        diverted_from=redirections[-1].uri.user if redirections else "",
    )


def _with_canonical(entry: Redirection, trunk: TrunkSettings | None, numbering: Numbering) -> Redirection:
    number = numbering.incoming(entry.uri, trunk)
    user = number.canonical if number is not None else entry.uri.user
    return msgspec.structs.replace(entry, uri=SipUri(user=user, host=entry.uri.host))
