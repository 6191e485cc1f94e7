"""The early dialogs of one INVITE of ours, by the To tags of its provisional responses (RFC 3261 §13.2.2.1).

A core without time. Each fork has its own sequence numbers, its own offer and answer, and its own order of
reliable responses.
"""

from __future__ import annotations

from collections.abc import Mapping

from sipcc.sip.dialog import Dialog
from sipcc.sip.message import Request, Response
from sipcc.sip.offer import OfferState, Turn
from sipcc.sip.reliable import ReliableReceiver

MAX_FORKS = 16
"""Early dialogs of one INVITE; more To tags than this come from a broken or hostile peer."""


class Fork:
    """One early dialog."""

    __slots__ = ("dialog", "order", "owed", "turn")

    def __init__(self, dialog: Dialog, turn: Turn) -> None:
        self.dialog = dialog
        self.turn = turn
        self.order = ReliableReceiver()
        self.owed: int | None = None
        """The RSeq of a response whose offer has no answer yet."""


class Forks:
    """All early dialogs of one INVITE."""

    def __init__(self) -> None:
        self._by_tag: dict[str, Fork] = {}

    @property
    def dialogs(self) -> Mapping[str, Dialog]:
        """The dialogs by the peer's tag, the oldest first."""
        return {tag: fork.dialog for tag, fork in self._by_tag.items()}

    def get(self, tag: str) -> Fork | None:
        """The fork with that To tag."""
        return self._by_tag.get(tag)

    def of(self, dialog: Dialog) -> Fork | None:
        """The fork whose dialog that is."""
        fork = self._by_tag.get(dialog.remote_tag)
        return fork if fork is not None and fork.dialog is dialog else None

    def take(self, invite: Request, response: Response) -> Fork | None:
        """The fork of a provisional response, made when it is new; None when there are too many."""
        tag = response.to.tag
        fork = self._by_tag.get(tag)
        if fork is not None:
            fork.dialog.refresh(response)
        elif len(self._by_tag) < MAX_FORKS:
            turn = Turn(OfferState.LOCAL_OFFER if invite.body else OfferState.STABLE)
            fork = self._by_tag[tag] = Fork(Dialog.of_response(invite, response), turn)
        return fork

    def clear(self) -> None:
        """The INVITE has its answer."""
        self._by_tag = {}
