"""Checks of ``srtp``, wherever it stands: which suites, and whether the signalling gives the keys away."""

from __future__ import annotations

from collections.abc import Sequence

from sipcc.reading.findings import Report
from sipcc.reading.lines import Path
from sipcc.rtp.settings import MediaSettings
from sipcc.sip.settings import TrunkSettings, UserSettings

_READABLE = "the keys of SRTP can be read by whoever can read the signalling"


def check_protection(
    media: MediaSettings,
    users: Sequence[tuple[int, UserSettings]],
    trunks: Sequence[tuple[int, TrunkSettings]],
    transports: set[str],
    report: Report,
) -> None:
    """Check the protection of audio; `transports` are those that phones can register over."""
    if not media.srtp_suites:
        report.error(
            ("media", "srtp_suites"),
            "the list is empty",
            'as in ["AES_CM_128_HMAC_SHA1_80"]; srtp = "off" is how to have no SRTP',
        )
    for index, suite in enumerate(media.srtp_suites):
        if suite in media.srtp_suites[:index]:
            report.error(("media", "srtp_suites", index), f"{suite} stands there twice", "keep one")
    plain = not transports & {"tls", "wss"}
    for index, user in users:
        if user.srtp not in ("", "off") and plain:
            _warn(("users", index, "srtp"), report)
    if media.srtp != "off" and plain and any(not user.srtp for _, user in users):
        _warn(("media", "srtp"), report)
    for index, trunk in trunks:
        if (trunk.srtp or media.srtp) != "off" and trunk.transport in ("udp", "tcp"):
            report.warn(
                ("trunks", index, "srtp" if trunk.srtp else "transport"),
                f"{_READABLE}, which is {trunk.transport} here",
                'transport = "tls", if the carrier has it',
            )


def _warn(path: Path, report: Report) -> None:
    report.warn(
        path,
        f"{_READABLE}, and phones have no TLS here",
        'listen on TLS as well, as in "tls:0.0.0.0:5061"',
    )
