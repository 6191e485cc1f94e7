"""What documents and their scripts may use."""

from __future__ import annotations

import msgspec

from sipcc.ivr.js import ScriptLimits
from sipcc.ivr.xmlread import XmlLimits

ParseLimits = XmlLimits
"""How large a document may be."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one caller's documents may use."""

    steps: int = 1000
    """Elements that are executed between two things that the caller does."""
    final_seconds: float = 5.0
    """Time for what is still done when the caller is gone."""
    subdialogs: int = 20
    """Subdialogs in subdialogs."""
    prompts: int = 500
    """Prompts that wait to be played."""
    script: ScriptLimits = ScriptLimits()
