"""What sessions may use of the extensions that both sides have to know: by ``[sip]``, or by their trunk."""

from __future__ import annotations

from typing import Any

from sipcc.sip.session_api import SessionPolicy
from sipcc.sip.session_timer import TimerPolicy
from sipcc.sip.settings import SipSettings, TrunkSettings


class Policies:
    """The policy of each trunk, and of everybody else."""

    def __init__(self, settings: SipSettings) -> None:
        self._settings = settings
        self._known: dict[str, SessionPolicy] = {}
        self._usual = self._make(settings.reliable, settings.session_timer)

    def of(self, admitted: Any) -> SessionPolicy:
        """The policy for calls with whoever was admitted; anything without a trunk gets that of ``[sip]``."""
        return self.of_trunk(getattr(admitted, "trunk", None))

    def of_trunk(self, trunk: TrunkSettings | None) -> SessionPolicy:
        """The policy for calls with a trunk, or with anybody else."""
        if trunk is None or not (trunk.reliable or trunk.session_timer):
            return self._usual
        known = self._known.get(trunk.name)
        if known is None:
            known = self._known[trunk.name] = self._make(
                trunk.reliable or self._settings.reliable, trunk.session_timer or self._settings.session_timer
            )
        return known

    def _make(self, reliable: Any, timer: Any) -> SessionPolicy:
        settings = self._settings
        return SessionPolicy(reliable, TimerPolicy(timer, settings.session_expires, settings.min_se))
