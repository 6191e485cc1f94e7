"""What a party that we ring is shown, as a core: From, identities, redirections, and nothing else.

The trust edge is here. A leg to a carrier gets the headers that the rules of its trunk write, and what an
application added passes only if it is not internal. Its caller is a number that the carrier gave us; no
agent and no caller chooses one.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from sipcc.call.caller import ANONYMOUS, CallIdentity
from sipcc.call.numbering import Numbering
from sipcc.numbers import Number, Pattern
from sipcc.sip.history import Redirection, as_diversion, as_history
from sipcc.sip.identity import ANONYMOUS as ANONYMOUS_FROM
from sipcc.sip.identity import at_the_edge, identity_headers
from sipcc.sip.settings import TrunkSettings
from sipcc.sip.uri import NameAddr, SipUri

Headers = tuple[tuple[str, str], ...]


class Presentation(msgspec.Struct, frozen=True):
    """What goes into the INVITE to one party."""

    from_: NameAddr
    headers: Headers
    contact_user: str
    """The user part of our Contact."""
    why: str = ""
    """Why a carrier is shown this caller, in words; empty for phones."""


def present(
    identity: CallIdentity,
    target: SipUri,
    *,
    trunk: TrunkSettings | None,
    numbering: Numbering,
    domain: str,
    headers: Headers = (),
    caller_id: str = "",
) -> Presentation:
    """What `target` is shown of the caller in `identity`.

    Args:
        identity: who calls.
        target: the Request-URI of the leg.
        trunk: the trunk that leads there; None for a phone of ours or a bare SIP URI.
        numbering: how numbers are written.
        domain: host part of our From.
        headers: what the place itself or an application wants to send.
        caller_id: a number to show instead; a trunk with numbers of its own takes it only if it is one.
    """
    hops = (("Max-Forwards", str(identity.hops)),) if identity.hops != 70 else ()
    if trunk is None:
        return _inside(identity, domain, (*hops, *headers), caller_id)
    host = trunk.from_host or domain
    number, own, why = _caller_towards(identity, trunk, numbering, caller_id)
    display = identity.caller_name if own and identity.caller_name != identity.caller else ""
    address = NameAddr(SipUri(user=number, host=host), display or number)
    private = own and identity.private
    # nobody is no identity: RFC 3325 asserts somebody or says nothing
    told = identity_headers(trunk.identity, address, private=private) if number != ANONYMOUS else []
    told += _redirections(identity, target, trunk, numbering, host)
    from_ = ANONYMOUS_FROM if private else address
    sent = (*hops, *at_the_edge(headers, trunk.pass_headers), *told)
    return Presentation(from_, sent, from_.uri.user, why)


def _inside(identity: CallIdentity, domain: str, headers: Headers, caller_id: str) -> Presentation:
    if identity.private or identity.caller == ANONYMOUS:
        return Presentation(ANONYMOUS_FROM, headers, ANONYMOUS)
    caller = caller_id or identity.caller
    display = caller if caller_id else identity.caller_name
    return Presentation(NameAddr(SipUri(user=caller, host=domain), display), headers, caller)


def _caller_towards(
    identity: CallIdentity, trunk: TrunkSettings, numbering: Numbering, wanted: str
) -> tuple[str, bool, str]:
    """The caller's number as `trunk` is told it, True when it is the caller's own, and the reason.

    RFC 3325 leaves it to the network which identities a user may assert; here it is a list.
    """
    asked = numbering.dialled(wanted) if wanted else None
    if trunk.numbers:
        for number, own in ((asked, False), (identity.number, True)):
            if number is not None and owns(trunk, number, numbering):
                return numbering.shown(number, trunk), own, "one of the trunk's numbers"
        return _fallback(trunk, numbering), False, f"{identity.caller} is none of the trunk's numbers"
    if trunk.caller_id or wanted:
        return _written(trunk.caller_id or wanted, trunk, numbering), False, "caller_id"
    if identity.number is not None:
        return numbering.shown(identity.number, trunk), True, "the caller's own: the trunk lists no numbers"
    return identity.caller, True, "the caller's own name: it has no number"


def owns(trunk: TrunkSettings, number: Number, numbering: Numbering) -> bool:
    """True when the carrier gave us `number`."""
    plan = numbering.plan(trunk)
    return any(_pattern(text).matches(number, plan) for text in trunk.numbers)


_pattern = lru_cache(maxsize=1024)(Pattern.parse)


def _fallback(trunk: TrunkSettings, numbering: Numbering) -> str:
    """The number that stands for all who have none of the trunk's own."""
    first = next((text for text in trunk.numbers if not text.endswith("*")), "")
    return _written(trunk.caller_id or first, trunk, numbering) or ANONYMOUS


def _written(text: str, trunk: TrunkSettings, numbering: Numbering) -> str:
    number = numbering.dialled(text)
    return numbering.shown(number, trunk) if number is not None else text


def _redirections(
    identity: CallIdentity, target: SipUri, trunk: TrunkSettings, numbering: Numbering, host: str
) -> list[tuple[str, str]]:
    """The redirections that `trunk` is told: those before us, and ours of a call that came from outside.

    Each is written in the carrier's own way and at our host: whoever sent them on stays inside.
    """
    if trunk.diversion == "none" or not identity.trunk:
        return []
    hide = identity.wire is not None and identity.wire.privacy.hides_history
    entries = [_retold(entry, trunk, numbering, host, hide) for entry in identity.redirections]
    called = identity.called_number
    user = numbering.shown(called, trunk) if called is not None else identity.called
    entries.append(Redirection(SipUri(user=user, host=host), "unconditional", private=hide))
    return as_diversion(entries) if trunk.diversion == "diversion" else as_history(entries, target)


def _retold(
    entry: Redirection, trunk: TrunkSettings, numbering: Numbering, host: str, hide: bool
) -> Redirection:
    number = numbering.dialled(entry.uri.subscriber)
    user = numbering.shown(number, trunk) if number is not None else entry.uri.user
    uri = SipUri(user=user, host=host)
    return msgspec.structs.replace(entry, uri=uri, private=entry.private or hide)
