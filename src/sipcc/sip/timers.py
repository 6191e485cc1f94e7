"""The base values of all SIP timers (RFC 3261 §17.1.1.1 and Table 4)."""

from __future__ import annotations

from typing import Annotated

import msgspec

_Seconds = Annotated[float, msgspec.Meta(gt=0, le=60)]


class Timers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """T1, T2 and T4, in seconds; every other timer is derived from them."""

    t1: _Seconds = 0.5
    """Estimate of the round trip; first retransmission interval."""
    t2: _Seconds = 4.0
    """Longest interval between retransmissions of non-INVITE requests and INVITE responses."""
    t4: _Seconds = 5.0
    """How long a message may stay in the network."""

    @property
    def timeout(self) -> float:
        """64 x T1: Timers B, F, H and L, and the time that a 2xx waits for its ACK."""
        return 64 * self.t1
