"""Properties: VoiceXML's defaults, and how their values are read."""

from __future__ import annotations

import re
from typing import Final

from sipcc.ivr.vxml.errors import semantic

DEFAULTS: Final[dict[str, str]] = {
    "confidencelevel": "0.5",
    "sensitivity": "0.5",
    "speedvsaccuracy": "0.5",
    "completetimeout": "0.6s",
    "incompletetimeout": "1s",
    "maxspeechtimeout": "20s",
    "interdigittimeout": "3s",
    "termtimeout": "0s",
    "termchar": "#",
    "bargein": "true",
    "bargeintype": "speech",
    "timeout": "5s",
    "audiofetchhint": "prefetch",
    "documentfetchhint": "safe",
    "grammarfetchhint": "prefetch",
    "objectfetchhint": "prefetch",
    "scriptfetchhint": "prefetch",
    "fetchaudio": "",
    "fetchaudiodelay": "2s",
    "fetchaudiominimum": "5s",
    "fetchtimeout": "10s",
    "inputmodes": "dtmf voice",
    "universals": "none",
    "maxnbest": "1",
    "recordutterance": "false",
    "recordutterancetype": "audio/x-wav",
    "sipcc.secret": "false",
}
"""What holds where neither the document nor the configuration says otherwise (VoiceXML 2.0 §6.3).

Ours is ``sipcc.secret``: keys of such a field stand in no event, log or record.
"""

_TIME: Final = re.compile(r"\+?(?P<number>\d+(?:\.\d*)?|\.\d+)(?P<unit>ms|s)")


def seconds(text: str, what: str) -> float:
    """A time such as ``3s`` or ``850ms``.

    Raises:
        Thrown: ``error.semantic``, it is none.
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise semantic(f"{what}={text!r} is no time such as 3s or 850ms")
    value = float(found["number"]) / (1000 if found["unit"] == "ms" else 1)
    return min(value, 86_400.0)


def flag(text: str, what: str) -> bool:
    """``true`` or ``false``."""
    if text.strip() not in ("true", "false"):
        raise semantic(f"{what}={text!r} is neither true nor false")
    return text.strip() == "true"


def number(text: str, what: str) -> float:
    """A number that is not negative."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise semantic(f"{what}={text!r} is no number from 0 on")
    return value
