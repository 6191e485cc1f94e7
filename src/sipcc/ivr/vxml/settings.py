"""Settings of VoiceXML."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from sipcc.ivr.js import ScriptLimits
from sipcc.ivr.vxml.limits import Limits, ParseLimits


class VxmlSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """VoiceXML documents for live calls, and what they may use; ``[fetch]`` says what may be fetched."""

    documents: dict[str, str] = {}
    """First documents by name, for the destination ``vxml:NAME``: URLs, whose servers are allowed then, or
    absolute paths in the folders of ``[fetch]``."""
    fallback: str = "hangup"
    """The destination of callers whose document failed or passed a limit."""
    language: str = ""
    """Of documents that say none, such as ``zh-CN``; empty takes the call's."""
    languages: tuple[str, ...] = ()
    """Those that voices and recogniser have, such as ``["zh", "en"]``: a prompt or a grammar in another is
    the event ``error.unsupported.language``. Empty: all that have a code of two letters (ISO 639-1)."""
    properties: dict[str, str] = {}
    """Values in place of VoiceXML's defaults, such as ``timeout = "4s"``."""
    steps: Annotated[int, Meta(ge=50, le=1_000_000)] = 1000
    """Elements that are carried out between two answers of the caller; more is an endless loop."""
    script_seconds: Annotated[float, Meta(gt=0, le=5)] = 0.05
    """CPU time of one script or expression. All calls of the switch wait as long."""
    script_bytes: Annotated[int, Meta(ge=1_048_576, le=1_073_741_824)] = 33_554_432
    """Memory of all scripts of one call."""
    document_bytes: Annotated[int, Meta(ge=1024, le=67_108_864)] = 1_000_000
    """The longest document."""

    @property
    def limits(self) -> Limits:
        """What one call may use."""
        script = ScriptLimits(seconds=self.script_seconds, memory_bytes=self.script_bytes)
        return Limits(steps=self.steps, script=script)

    @property
    def parse_limits(self) -> ParseLimits:
        """How large a document may be."""
        return ParseLimits(max_bytes=self.document_bytes)
