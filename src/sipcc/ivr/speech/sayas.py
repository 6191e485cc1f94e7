"""SSML's ``say-as``, as a core: a text and what it is, as a value that recordings can say.

The types are those of the W3C note "SSML 1.0 say-as attribute values" (2005), the names that speech services
have in common, and the ``vxml:`` ones of VoiceXML 2.0 appendix P. What is none of its type is read as a text.
"""

from __future__ import annotations

import re
from datetime import date

from sipcc.ivr.say import base_language, say
from sipcc.ivr.steps import Spoken, Text, Value

_KINDS = {
    "number": "number", "cardinal": "number", "ordinal": "ordinal", "digits": "digits", "digit": "digits",
    "telephone": "phone", "phone": "phone", "date": "date", "time": "time", "currency": "money",
    "money": "money", "unit": "duration", "duration": "duration", "percent": "percent",
    "percentage": "percent",
    "vxml:number": "number", "vxml:digits": "digits", "vxml:phone": "phone", "vxml:date": "date",
    "vxml:time": "time", "vxml:currency": "money",
}  # fmt: skip

_SPELT = frozenset({"characters", "spell-out", "verbatim", "letters", "acronym"})
_OF_NUMBERS = {"ordinal": "ordinal", "cardinal": "number", "digits": "digits", "telephone": "phone"}
_SIGNS = {"$": "USD", "¥": "CNY", "￥": "CNY", "元": "CNY"}
_MONEY = re.compile(r"([A-Za-z]{3}|[$¥￥]|)\s*(-?\d{1,12}(?:\.\d{1,2})?)\s*([A-Za-z]{3}|元|)")
_TIME = re.compile(r"(\d{1,2})[:.h]?(\d\d)?(?:[:.]?\d\d)?\s*(a|p|am|pm|a\.m\.|p\.m\.|h|\?|)", re.IGNORECASE)
_YES_NO = {
    "en": {"true": "yes", "false": "no"},
    "zh": {"true": "是", "false": "否"},
}


def say_as(text: str, interpret_as: str, *, format: str = "", language: str = "", voice: str = "") -> Spoken:
    """How `text` is said as what ``interpret-as`` names.

    Args:
        text: The content of the element.
        interpret_as: Such as ``date`` or ``telephone``.
        format: Such as ``mdy`` for dates, or the country code of a telephone number.
        language: Of the element; empty for the call's.
        voice: For what is read as a text.
    """
    text, wanted = " ".join(text.split()), interpret_as.strip().lower()
    if wanted in _SPELT:
        return Text(" ".join(text.replace(" ", "")), language, voice)
    if wanted == "vxml:boolean":
        words = _YES_NO.get(base_language(language), _YES_NO["en"])
        return Text(words.get(text.lower(), text), language, voice)
    kind = _KINDS.get(wanted)
    if wanted == "number" and format:
        kind = _OF_NUMBERS.get(format, kind)
    value = _value(kind, text, format) if kind is not None else None
    if kind is None or value is None:
        return Text(text, language, voice)
    try:
        say(kind, value, "en")  # what one language can say all can
    except ValueError:
        return Text(text, language, voice)
    return Value(kind, value, language)


def _value(kind: str, text: str, format: str) -> str | None:
    """`text` as `sipcc.ivr.say` reads values of this kind; None when it is none."""
    if kind == "date":
        return _date(text, format)
    if kind == "time":
        return _time(text)
    if kind == "money":
        return _money(text)
    if kind == "phone":
        country = format if re.fullmatch(r"\d{1,3}", format) and not text.startswith("+") else ""
        return f"+{country}{text}" if country else re.sub(r"x.*", "", text)
    if kind == "duration":
        return _duration(text)
    if kind == "percent":
        return text.rstrip("% ")
    if kind in ("number", "ordinal"):
        return re.sub(r"(st|nd|rd|th)$", "", text.replace(",", ""))
    return text


def _date(text: str, format: str) -> str | None:
    parts = re.findall(r"\d+", text)
    order = format if sorted(format) == ["d", "m", "y"] else "ymd"
    if len(parts) == 1 and len(parts[0]) == 8:  # vxml:date and the like
        digits = parts[0]
        sizes = [4 if part == "y" else 2 for part in order]
        starts = [sum(sizes[:n]) for n in range(3)]
        parts = [digits[start : start + size] for start, size in zip(starts, sizes, strict=True)]
    if len(parts) != 3:
        return None  # a day without a year, or a year alone: a voice reads it better
    found = dict(zip(order, map(int, parts), strict=True))
    try:
        return date(found["y"], found["m"], found["d"]).isoformat()
    except ValueError:
        return None


def _time(text: str) -> str | None:
    read = _TIME.fullmatch(text)
    if read is None or (read[2] is None and not read[3]):
        return None
    hour, minute, half = int(read[1]), int(read[2] or 0), read[3][:1].lower()
    if half in ("a", "p"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "p" else 0)
    return f"{hour:02}:{minute:02}" if hour < 24 and minute < 60 else None


def _money(text: str) -> str | None:
    read = _MONEY.fullmatch(text.replace(",", ""))
    if read is None:
        return None
    before, amount, after = read.groups()
    currency = _SIGNS.get(before or after, (before or after).upper())
    return f"{amount} {currency}".strip()


def _duration(text: str) -> str | None:
    """``PT1H5M``, ``1h5m``, ``90s``, ``500ms`` and plain seconds, in seconds."""
    read = re.fullmatch(
        r"(?:pt)?(?:(\d+)\s*h)?\s*(?:(\d+)\s*m(?:in)?)?\s*(?:(\d+)\s*s?)?", text, re.IGNORECASE
    )
    if read is None or not any(read.groups()):
        return None
    hours, minutes, seconds = (int(part or 0) for part in read.groups())
    return str(hours * 3600 + minutes * 60 + seconds)
