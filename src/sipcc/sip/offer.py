"""Offer and answer: who owes whom (RFC 3264, RFC 6337).

`OfferAnswer` is the ledger of one dialog. There is at most one offer at a time; a second one from us is
our mistake, a second one from the peer is glare. The ledger numbers our descriptions in ``o=``; what a
description should say is decided in `sipcc.call.negotiate`.

      STABLE --offer()-----------> LOCAL_OFFER --receive_answer()--> STABLE
      STABLE --receive_offer()---> REMOTE_OFFER --answer()---------> STABLE
      LOCAL_OFFER, REMOTE_OFFER --withdraw()--> STABLE              (the carrying request failed)
"""

from __future__ import annotations

import enum

import msgspec

from sipcc.errors import LocalProtocolError, RemoteProtocolError
from sipcc.sip.sdp import SessionDescription


class OfferState(enum.Enum):
    """Who owes whom an answer."""

    STABLE = "stable"
    LOCAL_OFFER = "local offer"
    """We have offered; the peer owes us an answer."""
    REMOTE_OFFER = "remote offer"
    """The peer has offered; we owe an answer."""


class Turn:
    """Whose turn it is in one dialog, for those who do not read the descriptions."""

    __slots__ = ("begun", "initial", "state")

    def __init__(self, state: OfferState = OfferState.STABLE) -> None:
        self.state = state
        self.begun = state is not OfferState.STABLE
        """False as long as nobody has offered anything, because the INVITE had no offer."""
        self.initial = True
        """True until the first offer was answered."""

    @property
    def open(self) -> bool:
        """True while an offer has no answer."""
        return self.state is not OfferState.STABLE

    @property
    def ours(self) -> bool:
        """True while the peer owes us an answer."""
        return self.state is OfferState.LOCAL_OFFER

    def offer(self, *, ours: bool) -> None:
        """An offer goes out (`ours`) or has come."""
        self.state = OfferState.LOCAL_OFFER if ours else OfferState.REMOTE_OFFER
        self.begun = True

    def settle(self) -> None:
        """The open offer was answered, or the request that carried it failed."""
        self.state = OfferState.STABLE
        self.initial = self.initial and not self.begun


class OfferAnswer:
    """The offer/answer ledger of one dialog."""

    def __init__(self) -> None:
        self.state = OfferState.STABLE
        self.local: SessionDescription | None = None
        """Our description that is in force."""
        self.remote: SessionDescription | None = None
        """The peer's description that is in force, or its preview in an unreliable 18x."""
        self.offered: SessionDescription | None = None
        """The offer that has no answer yet, ours or the peer's."""
        self._sent: SessionDescription | None = None
        self._previewed = False
        self._before_preview: SessionDescription | None = None

    def resume(self, local: SessionDescription, remote: SessionDescription) -> None:
        """Begin with two descriptions in force, as another process has left them."""
        self.local = self._sent = local
        self.remote = remote

    def offer(self, description: SessionDescription) -> SessionDescription:
        """Offer `description`; returns it with the ``o=`` line to send.

        Raises:
            LocalProtocolError: an offer is open, or media lines are fewer than before (RFC 3264 §8).
        """
        if self.state is not OfferState.STABLE:
            raise LocalProtocolError(f"cannot offer: {self.state.value} is open")
        if self.local is not None and len(description.media) < len(self.local.media):
            raise LocalProtocolError("an offer must keep all earlier media lines; refuse them with port 0")
        self.offered = self._numbered(description)
        self.state = OfferState.LOCAL_OFFER
        return self.offered

    def receive_offer(self, description: SessionDescription) -> None:
        """The peer offers.

        Raises:
            RemoteProtocolError: status_hint 491 when our own offer is open (glare, RFC 3261 §14.2), 500
                when the peer has one open already, 488 when media lines went missing.
        """
        if self.state is OfferState.LOCAL_OFFER:
            raise RemoteProtocolError("glare: our own offer is open", status_hint=491)
        if self.state is OfferState.REMOTE_OFFER:
            raise RemoteProtocolError("a second offer before the first was answered", status_hint=500)
        if self.remote is not None and len(description.media) < len(self.remote.media):
            raise RemoteProtocolError("the offer drops media lines", status_hint=488)
        self.offered = description
        self.state = OfferState.REMOTE_OFFER

    def answer(self, description: SessionDescription) -> SessionDescription:
        """Answer the peer's open offer; returns `description` with the ``o=`` line to send.

        Raises:
            LocalProtocolError: no offer is open, or the media lines do not pair up (RFC 3264 §6).
        """
        offered = self.offered
        if self.state is not OfferState.REMOTE_OFFER or offered is None:
            raise LocalProtocolError("no offer to answer")
        if len(description.media) != len(offered.media):
            raise LocalProtocolError("an answer must have a media line for each of the offer")
        self.local = self._numbered(description)
        self.remote = offered
        self._settle()
        return self.local

    def receive_answer(self, description: SessionDescription, *, reliable: bool = True) -> bool:
        """The peer answers; True when this changed `remote`.

        With `reliable` False it came in an unreliable provisional response: a preview that early media
        may use, while the answer proper is still owed (RFC 6337 §3.1.1). A description that comes again
        after the answer, as in a 200 after a 183, is ignored.

        Raises:
            RemoteProtocolError: its media lines do not pair up with the offer.
        """
        if self.state is not OfferState.LOCAL_OFFER or self.offered is None:
            return False
        if len(description.media) != len(self.offered.media):
            raise RemoteProtocolError("the answer's media lines do not match the offer", status_hint=488)
        changed = description != self.remote
        if not self._previewed:
            self._before_preview = self.remote
        self.remote = description
        if not reliable:
            self._previewed = True
            return changed
        self.local = self.offered
        self._settle()
        return changed

    def accept_preview(self) -> bool:
        """The final answer came without a body: take the preview as the answer, as peers mean it.

        False when there was no preview; then the peer owes an answer that never came.
        """
        if self.state is not OfferState.LOCAL_OFFER or not self._previewed:
            return False
        self.local = self.offered
        self._settle()
        return True

    def reopen(self) -> None:
        """Another fork of our INVITE may answer the same offer (RFC 3261 §13.2.2.4)."""
        if self.state is OfferState.STABLE and self.local is not None:
            self.offered = self.local
            self.state = OfferState.LOCAL_OFFER

    def withdraw(self) -> None:
        """The request that carried the open offer failed: all is as before it (RFC 3261 §14.1)."""
        if self._previewed:
            self.remote = self._before_preview
        self._settle()

    def _settle(self) -> None:
        self.state = OfferState.STABLE
        self.offered = None
        self._previewed = False
        self._before_preview = None

    def _numbered(self, description: SessionDescription) -> SessionDescription:
        """Keep session id and origin of the first description; version + 1 when the content changed."""
        sent = self._sent
        if sent is not None:
            same = msgspec.structs.replace(description, origin=sent.origin)
            if same != sent:
                origin = msgspec.structs.replace(sent.origin, version=sent.origin.version + 1)
                same = msgspec.structs.replace(description, origin=origin)
            description = same
        self._sent = description
        return description
