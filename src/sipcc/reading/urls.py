"""Whether a text is a URL that something can be asked at."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit


def is_url(text: str, schemes: Collection[str]) -> bool:
    """True for a URL of one of these schemes (as in ``https``) with a host, a port in range and no space."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return good and not any(char.isspace() for char in text)
