"""Built-in types in free speech: numbers, amounts, dates and times as people say them (VoiceXML 2.0 App. P).

Grammars of what is said are in `sipcc.ivr.grammar.sayings`; here are the values, and more ways to say them:
``one hundred and five``, ``三月二日``, ``half past five``, and what recognisers write in figures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from sipcc.ivr.js import Json
from sipcc.ivr.say.en import BELOW_100, CARDINALS, MONTHS, ORDINALS

_NUMBERS: Final = dict(zip(CARDINALS, BELOW_100, strict=True))
_UNITS: Final = {word: value for word, value in _NUMBERS.items() if value < 20} | {"oh": 0}
_TENS: Final = {word: value for word, value in _NUMBERS.items() if value >= 20}
_SCALES: Final = {"thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_ORDINALS: Final = {word: value for value, word in zip(BELOW_100[1:], ORDINALS, strict=True) if value <= 30}
_MONTHS: Final = {word[:size]: value for value, word in enumerate(MONTHS, 1) for size in (3, len(word))}
_CURRENCIES: Final = {
    "dollar": "USD", "dollars": "USD", "pound": "GBP", "pounds": "GBP", "euro": "EUR", "euros": "EUR",
    "yuan": "CNY", "yen": "JPY", "francs": "CHF", "rupees": "INR",
    "元": "CNY", "块": "CNY", "块钱": "CNY", "圆": "CNY", "美元": "USD", "美金": "USD",
    "欧元": "EUR", "英镑": "GBP", "日元": "JPY", "港币": "HKD",
    "$": "USD", "¥": "CNY", "￥": "CNY", "€": "EUR", "£": "GBP",
}  # fmt: skip
_ZH_CHARS: Final = ("零〇", "一幺", "二两", "三", "四", "五", "六", "七", "八", "九")
_ZH_DIGITS: Final = {char: value for value, chars in enumerate(_ZH_CHARS) for char in chars}
_ZH_PLACES: Final = {"十": 10, "百": 100, "千": 1_000}
_ZH_SCALES: Final = {"万": 10_000, "亿": 100_000_000}

LONGEST: Final = 200
"""Characters of an answer; nothing that has more is one of these types."""


def meaning(kind: str, said: str) -> Json:
    """The value of what was said as VoiceXML writes it for the type; None when it is nothing of that kind."""
    reader = _READERS.get(kind)
    text = said.strip().lower()
    if reader is None or not text or len(text) > LONGEST:
        return None
    return reader(text)


# -- numbers -------------------------------------------------------------------------------------------------


def whole(words: Sequence[str]) -> int | None:
    """A whole number in English words or in figures; None when the words are none."""
    if len(words) == 1 and words[0].isascii() and words[0].isdigit():
        return int(words[0])
    total = part = 0
    last = 0
    if not words or words[0] == "and" or words[-1] == "and":
        return None
    for word in words:
        if word == "and":
            continue
        if word in _UNITS and (not part or last >= 100 or (last in range(20, 100) and 0 < _UNITS[word] < 10)):
            part, last = part + _UNITS[word], max(_UNITS[word], 1)
        elif word in _TENS and (not part or last >= 100):
            part, last = part + _TENS[word], _TENS[word]
        elif word == "hundred" and part and part < 100:
            part, last = 100 * part, 100
        elif word in _SCALES and part and (not total or total % (1000 * _SCALES[word]) == 0):
            total, part, last = total + part * _SCALES[word], 0, _SCALES[word]
        else:
            return None
    return total + part


def chinese(text: str) -> int | None:
    """A whole number in Chinese characters or in figures; None when it is none."""
    if text.isascii() and text.isdigit():
        return int(text)
    if not text or not all(char in _ZH_DIGITS or char in _ZH_PLACES or char in _ZH_SCALES for char in text):
        return None
    if all(char in _ZH_DIGITS for char in text):
        return int("".join(str(_ZH_DIGITS[char]) for char in text))
    total = part = digit = 0
    for char in text:
        if char in _ZH_DIGITS:
            digit = _ZH_DIGITS[char]
        elif char in _ZH_PLACES:
            part, digit = part + (digit or 1) * _ZH_PLACES[char], 0
        else:
            total, part, digit = (total + part + digit) * _ZH_SCALES[char], 0, 0
    return total + part + digit


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z']+|\d+(?:\.\d+)?|[$€£¥￥.:]|[^\x00-\x7f]+", text.replace(",", ""))


def _number(text: str) -> str | None:
    minus = re.match(r"(?:minus|negative|负)\s*|-(?=\d)", text)
    sign, rest = ("-", text[minus.end() :]) if minus else ("", text)
    value = _plain_number(rest)
    return None if value is None else sign + value


def _plain_number(text: str) -> str | None:
    if re.fullmatch(r"\d[\d,]*(?:\.\d+)?|\.\d+", text):
        return text.replace(",", "")
    before, point, after = _split(text, (" point ", "点"))
    found = chinese(before) if not before.isascii() else whole(_words(before.replace("-", " ")))
    if found is None:
        return None
    if not point:
        return str(found)
    digits = _digits_after(after)
    return f"{found}.{digits}" if digits else None


def _digits_after(text: str) -> str:
    parts = list(text) if not text.isascii() else text.split()
    values = [_ZH_DIGITS.get(part, _UNITS.get(part)) for part in parts]
    return "".join(str(value) for value in values) if all(v is not None and v < 10 for v in values) else ""


def _split(text: str, marks: Sequence[str]) -> tuple[str, str, str]:
    for mark in marks:
        before, found, after = text.partition(mark)
        if found:
            return before.strip(), found, after.strip()
    return text.strip(), "", ""


# -- amounts -------------------------------------------------------------------------------------------------


def _currency(text: str) -> str | None:
    figures = re.fullmatch(
        r"([$€£¥￥]?)\s*(\d+)(?:\.(\d{1,2}))?\s*([a-z]+|[^\x00-\x7f]+)?", text.replace(",", "")
    )
    if figures:
        code = _CURRENCIES.get(figures[1]) or _CURRENCIES.get(figures[4] or "", "")
        if figures[4] and not code:
            return None
        return f"{code}{figures[2]}.{(figures[3] or '').ljust(2, '0')}"
    return _chinese_amount(text) if not text.isascii() else _english_amount(text)


def _english_amount(text: str) -> str | None:
    words = _words(text.replace("-", " "))
    at = next((place for place, word in enumerate(words) if word in _CURRENCIES), None)
    cents_at = next((place for place, word in enumerate(words) if word in ("cent", "cents", "pence")), None)
    if at is None and cents_at is None:
        return None
    units = whole(words[:at]) if at is not None else 0
    rest = words[(at + 1 if at is not None else 0) : cents_at]
    if rest[:1] == ["and"]:
        rest = rest[1:]
    cents = whole(rest) if rest else 0
    if units is None or cents is None or cents > 99 or (cents_at is not None and cents_at + 1 != len(words)):
        return None
    code = _CURRENCIES[words[at]] if at is not None else "GBP" if words[-1] == "pence" else "USD"
    return f"{code}{units}.{cents:02d}"


def _chinese_amount(text: str) -> str | None:
    found = re.fullmatch(
        r"(?:(?P<units>[^元块圆美欧英日港角毛分]+)(?P<name>美元|美金|欧元|英镑|日元|港币|元|块钱|块|圆))?"
        r"(?:(?P<tenths>.)(?:角|毛)?)?(?:(?P<cents>.)分)?(?:钱)?",
        text,
    )
    if found is None or not (found["units"] or found["tenths"] or found["cents"]):
        return None
    units = chinese(found["units"]) if found["units"] else 0
    tenths, cents = (_ZH_DIGITS.get(found[name]) if found[name] else 0 for name in ("tenths", "cents"))
    if units is None or tenths is None or cents is None:
        return None
    return f"{_CURRENCIES.get(found['name'] or '元', '')}{units}.{tenths}{cents}"


# -- dates and times -----------------------------------------------------------------------------------------


def _date(text: str) -> str | None:
    figures = re.fullmatch(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})|(\d{4})(\d{2})(\d{2})", text)
    if figures:
        year, month, day = (int(part) for part in figures.groups() if part)
        return _written_date(year, month, day)
    found = re.fullmatch(r"(?:(.+)年)?(?:(.+)月)?(?:(.+)[日号])?", text)
    if not text.isascii():
        if found is None or not any(found.groups()):
            return None
        numbers = [chinese(part) if part else 0 for part in found.groups()]
        if any(number is None for number in numbers):
            return None
        return _written_date(*[number or 0 for number in numbers])
    return _english_date(_words(text.replace("-", " ")))


def _english_date(words: list[str]) -> str | None:
    words = [word for word in words if word not in ("the", "of", "on", "st", "nd", "rd", "th", ".")]
    at = next((place for place, word in enumerate(words) if word in _MONTHS), None)
    if at is None:
        return None
    if at:
        day, rest = _day(words[:at]), words[at + 1 :]
        return None if day is None else _with_year(_MONTHS[words[at]], day, rest)
    for size in (2, 1):
        day = _day(words[1 : 1 + size]) if len(words) > size else None
        dated = None if day is None else _with_year(_MONTHS[words[0]], day, words[1 + size :])
        if dated is not None:
            return dated
    return _with_year(_MONTHS[words[0]], 0, words[1:])


def _day(words: list[str]) -> int | None:
    if not words:
        return None
    *before, last = words
    if last in _ORDINALS:
        tens = _TENS.get(before[0]) if len(before) == 1 else 0
        return None if tens is None or len(before) > 1 else tens + _ORDINALS[last]
    return whole(words)


def _with_year(month: int, day: int, words: list[str]) -> str | None:
    return _written_date(0, month, day) if not words else _year(month, day, words)


def _year(month: int, day: int, words: list[str]) -> str | None:
    year = whole(words)
    if year is None or year < 100:
        for at in range(1, len(words)):
            first, second = whole(words[:at]), whole(words[at:])
            if first and second is not None and 10 <= first < 100 and second < 100:
                year = 100 * first + second
                break
        else:
            return None
    return _written_date(year, month, day)


def _written_date(year: int, month: int, day: int) -> str | None:
    if year > 9999 or month > 12 or day > 31:
        return None
    return (
        (f"{year:04d}" if year else "????")
        + (f"{month:02d}" if month else "??")
        + (f"{day:02d}" if day else "??")
    )


_HALVES: Final = (
    ("a", r"\b(?:a ?m|a\.m\.?|in the morning)$"),
    ("p", r"\b(?:p ?m|p\.m\.?|in the (?:afternoon|evening)|at night)$"),
)
_ZH_HALVES: Final = {"凌晨": "a", "早上": "a", "上午": "a", "中午": "p", "下午": "p", "晚上": "p"}


def _time(text: str) -> str | None:
    if text in ("noon", "中午"):
        return "1200p"
    if text in ("midnight", "午夜"):
        return "1200a"
    if not text.isascii():
        return _chinese_time(text)
    half = ""
    for mark, pattern in _HALVES:
        found = re.search(pattern, text)
        if found:
            half, text = mark, text[: found.start()].strip()
    figures = re.fullmatch(r"(\d{1,2})(?::(\d{2}))?", text)
    if figures:
        return _written_time(int(figures[1]), int(figures[2] or 0), half)
    return _english_time(text.replace("-", " ").replace("o'clock", "").split(), half)


def _english_time(words: list[str], half: str) -> str | None:
    for mark in ("past", "after", "to"):
        if mark in words:
            at = words.index(mark)
            spoken = [word for word in words[:at] if word not in ("a", "minutes", "minute")]
            minutes = {"quarter": 15, "half": 30}.get(" ".join(spoken)) or whole(spoken)
            hour = whole(words[at + 1 :])
            if minutes is None or hour is None:
                return None
            return (
                _written_time(hour, minutes, half)
                if mark != "to"
                else _written_time(hour - 1 or 12, 60 - minutes, half)
            )
    for at in range(len(words), 0, -1):
        hour = whole(words[:at])
        rest = words[at:]
        minutes = _minutes(rest)
        if hour is not None and hour <= 24 and minutes is not None:  # not 1900, of "nineteen hundred"
            return _written_time(hour, minutes, half)
    return None


def _minutes(words: list[str]) -> int | None:
    if not words or words == ["hundred"] or words == ["hundred", "hours"]:
        return 0
    return whole(words[1:]) if words[0] in ("oh", "zero") and len(words) == 2 else whole(words)


def _chinese_time(text: str) -> str | None:
    half = ""
    for name, mark in _ZH_HALVES.items():
        if text.startswith(name):
            half, text = mark, text.removeprefix(name)
    found = re.fullmatch(r"(.+?)[点时](?:钟|整)?(?:(半)|(一刻|三刻)|零?(.+?)分?)?", text)
    hour = chinese(found[1]) if found else None
    if found is None or hour is None:
        return None
    minutes: int | None = 30 if found[2] else {"一刻": 15, "三刻": 45}.get(found[3] or "", 0)
    if found[4]:
        minutes = chinese(found[4])
    return None if minutes is None else _written_time(hour, minutes, half)


def _written_time(hour: int, minutes: int, half: str) -> str | None:
    if hour > 24 or minutes > 59 or (half and not 1 <= hour <= 12):
        return None
    known = half or ("?" if 1 <= hour <= 12 else "h")
    return f"{hour % 24:02d}{minutes:02d}{known}"


_READERS: Final[dict[str, Callable[[str], str | None]]] = {
    "currency": _currency,
    "date": _date,
    "number": _number,
    "time": _time,
}

SPOKEN: Final = frozenset(_READERS)
"""The types that are read here."""
