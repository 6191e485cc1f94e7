"""Checks of ``[sip.trace]``, as a core."""

from __future__ import annotations

import re

from sipcc.reading.findings import Report
from sipcc.sip.nat import is_address
from sipcc.sip.settings import SipSettings

_PLACE = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})")


def check_trace(sip: SipSettings, report: Report) -> None:
    """Check where copies of messages go."""
    path = ("sip", "trace", "hep")
    if sip.trace.hep and not report.has_error_below(("sip",)):
        match = _PLACE.fullmatch(sip.trace.hep)
        if match is None or not is_address(match[1] or match[2]) or not 0 < int(match[3]) <= 65535:
            report.error(
                path,
                f"{sip.trace.hep!r} is no address of a capture server",
                "write its IP and port, as in 127.0.0.1:9060",
            )
