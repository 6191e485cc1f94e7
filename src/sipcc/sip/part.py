"""A part of a session: what it does is done by the session, which it does not keep alive."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipcc.sip.session import InviteSession


class SessionPart:
    """Knows its session weakly.

    A session is kept by whoever may still need it: the endpoint while its dialog lasts, transactions, timers
    and the application. Once they let go it is freed at once. Were it in a ring with its parts, each ended
    call would wait for the garbage collector, whose looks take longer the more calls there are.
    """

    def __init__(self, session: InviteSession) -> None:
        self._whole = weakref.ref(session)

    @property
    def _session(self) -> InviteSession:
        session = self._whole()
        assert session is not None, "a part is used by its session, or by what keeps its session"
        return session
