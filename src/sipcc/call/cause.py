"""Why a call or leg ended: one set of words, mapped to SIP statuses and to Q.850 values.

The words are ours; `q850` is the value for a Reason header (RFC 3326, ITU-T Q.850), `sip_status` what an
upstream leg is told (RFC 3398 §8.2.6.1 gives the pairs).
"""

from __future__ import annotations

from typing import Literal

import msgspec

Outcome = Literal["answered", "no_answer", "busy", "declined", "unreachable", "failed", "cancelled"]


class Cause(msgspec.Struct, frozen=True):
    """A way for a call to end."""

    name: str
    q850: int
    sip_status: int
    outcome: Outcome
    """What it means to whoever rang this party."""


CAUSES: dict[str, Cause] = {
    cause.name: cause
    for cause in (
        Cause("normal", 16, 200, "answered"),
        Cause("busy", 17, 486, "busy"),
        Cause("no_answer", 19, 480, "no_answer"),
        Cause("no_response", 18, 408, "no_answer"),
        Cause("declined", 21, 603, "declined"),
        Cause("forbidden", 21, 403, "declined"),
        Cause("blocked", 21, 403, "declined"),
        Cause("unallocated", 1, 404, "unreachable"),
        Cause("unreachable", 20, 480, "unreachable"),
        Cause("moved", 22, 410, "unreachable"),
        Cause("incompatible", 88, 488, "failed"),
        Cause("no_resources", 34, 503, "unreachable"),
        Cause("network_out_of_order", 38, 503, "unreachable"),
        Cause("media_timeout", 31, 200, "failed"),
        Cause("unrecorded", 34, 503, "failed"),
        Cause("cancelled", 16, 487, "cancelled"),
        Cause("transferred", 16, 487, "answered"),
        Cause("answered_elsewhere", 26, 487, "cancelled"),
        Cause("shutdown", 41, 503, "failed"),
        Cause("protocol_error", 111, 400, "failed"),
        Cause("failed", 41, 500, "failed"),
    )
}
"""Every cause by its name."""

_BY_STATUS = {
    400: "protocol_error",
    403: "forbidden",
    404: "unallocated",
    408: "no_response",
    410: "moved",
    415: "incompatible",
    480: "unreachable",
    486: "busy",
    487: "cancelled",
    488: "incompatible",
    600: "busy",
    603: "declined",
    604: "unallocated",
    606: "incompatible",
}


def cause_of_status(status: int) -> Cause:
    """The cause behind a final SIP status; 2xx is ``normal``, unknown ones go by their class."""
    if status < 300:
        return CAUSES["normal"]
    name = _BY_STATUS.get(status)
    if name is None:
        name = "network_out_of_order" if status in {502, 503, 504} else "failed"
    return CAUSES[name]


def reason_header(name: str) -> str:
    """A Reason header value for a cause (RFC 3326), such as ``Q.850;cause=16;text="normal"``."""
    cause = CAUSES.get(name, CAUSES["failed"])
    return f'Q.850;cause={cause.q850};text="{cause.name}"'
