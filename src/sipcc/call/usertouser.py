"""What the application of a party that we ring is told of a caller, in headers of the INVITE."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from sipcc.call.settings import CallSettings

_encode = msgspec.json.Encoder().encode
LONGEST = "transcript"
"""The entry that is left out first when not all of a context fits."""


def user_to_user(data: str) -> str:
    """The value of a User-to-User header (RFC 7433 §4.1)."""
    return f"{data.encode('utf-8', 'replace').hex()};encoding=hex"


def context_headers(
    call: str, context: Mapping[str, str], settings: CallSettings
) -> tuple[tuple[str, str], ...]:
    """The headers by which a phone learns what is known of the caller of `call`, as the settings have it.

    ``User-to-User`` has as many entries, in order, as fit into `CallSettings.agent_context` bytes of JSON;
    ``Call-Info`` (RFC 3261 §20.9) says where all of them are.
    """
    if not context:
        return ()
    headers: list[tuple[str, str]] = []
    fitting: dict[str, str] = {}
    for name in sorted(context, key=lambda name: name == LONGEST):
        more = {**fitting, name: context[name]}
        if len(_encode(more)) <= settings.agent_context:
            fitting = more
    if fitting:
        headers.append(("User-to-User", user_to_user(_encode(fitting).decode())))
    if settings.agent_context_url:
        url = settings.agent_context_url.replace("{call}", quote(call, safe=""))
        headers.append(("Call-Info", f"<{url}>;purpose=info"))
    return tuple(headers)
