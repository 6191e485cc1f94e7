"""Settings of the call layer."""

from __future__ import annotations

import msgspec


class NumberSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens to calls for one number."""

    number: str
    """The dialled number or user, or a pattern with a trailing ``*``."""
    to: str
    """The destination, as `sipcc.call.destination.Destination` reads it."""
    trunk: str = ""
    """Only calls from this trunk; empty for any source that is admitted."""
    language: str = ""
    """Language of the prompts; empty for the default of ``[ivr]``."""
    max_calls: int = 0
    """Calls at a time for this number; 0 for no limit. The next one gets 486."""
