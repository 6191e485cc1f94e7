"""What becomes of a 3xx: the places that it names are rung, as far as settings and toll guard allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sipcc.errors import ParseError

if TYPE_CHECKING:
    from sipcc.call.call import Call
    from sipcc.call.leg import Leg
    from sipcc.call.ringing import Target
    from sipcc.sip import SipUri

MAX_HOPS = 5
"""Redirections that are followed for one `dial`."""
MAX_PLACES = 10
"""Places of one 3xx that are rung."""


class Redirection:
    """The redirections of one `dial`: where it went already, and how often."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._hops = 0

    def places(self, call: Call, leg: Leg) -> list[Target]:
        """The places to ring instead of `leg`, which has ended; empty when it was no 3xx that is followed."""
        response = leg.response
        if response is None or not 300 <= leg.end_status < 400 or leg.ended_by != "callee":
            return []
        if call.context.settings.redirect != "follow":
            return self._refuse(call, leg, "[calls] redirect is refuse")
        if self._hops >= MAX_HOPS:
            return self._refuse(call, leg, f"{MAX_HOPS} redirections were followed already")
        self._hops += 1
        if leg.target is not None:
            self._seen.add(_key(leg.target.uri))
        try:
            contacts = [contact.uri for contact in response.contacts][:MAX_PLACES]
        except ParseError:
            return self._refuse(call, leg, "its Contact cannot be read")
        # a phone that sends callers on does so on its own account
        by = (leg.target.by if leg.target is not None else "") or leg.user
        accept = leg.target.accept if leg.target is not None else None
        found = []
        for uri in contacts:
            for place in call.context.locator.locate(str(uri)):
                if _key(place.uri) in self._seen:
                    continue  # a loop, or a place that has been rung
                self._seen.add(_key(place.uri))
                found.append(msgspec.structs.replace(place, chosen_by_peer=True, by=by, accept=accept))
        if not found:
            return self._refuse(call, leg, "it names no place that can be rung, or one that was")
        _tell(call, f"redirect: follow {', '.join(str(place.uri) for place in found)}", leg)
        return found

    def _refuse(self, call: Call, leg: Leg, why: str) -> list[Target]:
        _tell(call, "redirect: refused", leg, why)
        return []


def _tell(call: Call, what: str, leg: Leg, why: str = "") -> None:
    why = why or f"{leg.id} answered {leg.end_status}"
    call.context.decided(call.id, what, why)


def _key(uri: SipUri) -> str:
    return f"{uri.user}@{uri.host.lower()}:{uri.port or 5060}"
