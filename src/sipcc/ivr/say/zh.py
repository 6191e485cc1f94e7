"""Values in Mandarin Chinese (zh-CN).

The rules that engines get wrong, and so are kept here as data and tests: groups of 万 and 亿; one 零 for
any gap; 10 to 19 begin with a bare 十, but 一十 after a larger unit; 两 before 百, 千, 万, 亿 and measure
words; 幺 for 1 in telephone numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sipcc.ivr.say.values import (
    PAUSE,
    read_date,
    read_decimal,
    read_digits,
    read_duration,
    read_integer,
    read_money,
    read_time,
    split_phone,
)

TEXTS: Final[Mapping[str, str]] = {
    **{str(n): "零一二三四五六七八九十"[n] for n in range(11)},
    "hundred": "百",
    "thousand": "千",
    "wan": "万",
    "yi": "亿",
    "liang": "两",
    "yao": "幺",
    "point": "点",
    "minus": "负",
    "percent": "百分之",
    "ordinal": "第",
    "year": "年",
    "month": "月",
    "day": "日",
    "before_dawn": "凌晨",
    "morning": "上午",
    "noon": "中午",
    "afternoon": "下午",
    "evening": "晚上",
    "hour": "点",
    "minute": "分",
    "hours": "小时",
    "minutes": "分钟",
    "seconds": "秒",
    "yuan": "元",
    "jiao": "角",
    "fen": "分",
    "dollar": "美元",
    "cent": "美分",
    "star": "星",
    "hash": "井",
    "plus": "加",
}
"""What is recorded under each fragment name, without its ``say/``."""

FRAGMENTS: Final = frozenset(f"say/{name}" for name in TEXTS)
"""Every fragment that can come out."""

_KEYS: Final = {"*": "star", "#": "hash", "+": "plus"}
_UNITS: Final = ((1000, "thousand"), (100, "hundred"), (10, "10"))


def _group(n: int, *, leading: bool, liang: bool) -> list[str]:
    """The words of 1 to 9999; `leading` when no larger group stands before it."""
    words: list[str] = []
    gap = False
    for size, unit in _UNITS:
        digit, n = divmod(n, size)
        if not digit:
            gap = gap or bool(words)
            continue
        if gap and words:
            words.append("0")
        gap = False
        if unit == "10" and digit == 1 and leading and not words:
            words.append("10")
        else:
            two = digit == 2 and (unit == "thousand" or (unit == "hundred" and liang))
            words += ["liang" if two else str(digit), unit]
    if n:
        words += ["0", str(n)] if gap else [str(n)]
    return words


def _cardinal(n: int, *, liang: bool = True) -> list[str]:
    """The words of a number from 0; `liang` says 两百 instead of 二百."""
    if n == 0:
        return ["0"]
    words: list[str] = []
    gap = False
    for size, unit in ((10**8, "yi"), (10**4, "wan"), (1, "")):
        group, n = divmod(n, size)
        if not group:
            gap = gap or bool(words)
            continue
        if words and (gap or group < 1000):
            words.append("0")
        gap = False
        if group == 2 and unit:
            words.append("liang")
        else:
            words += _group(group, leading=not words, liang=liang)
        words += [unit] if unit else []
    return words


def _count(n: int) -> list[str]:
    """A number before a measure word: 两 for two."""
    return ["liang"] if n == 2 else _cardinal(n)


def _padded(n: int) -> list[str]:
    """1 to 59 after a larger unit: 零五, 十, 二十三."""
    return ["0", str(n)] if n < 10 else _cardinal(n)


def _names(words: list[str]) -> list[str]:
    return [word if word == PAUSE else f"say/{word}" for word in words]


def _unsigned(value: object) -> tuple[list[str], list[str]]:
    """(sign, words) of a decimal."""
    number = read_decimal(value)
    whole, _, fraction = format(abs(number), "f").partition(".")
    words = _cardinal(int(whole))
    return (["minus"] if number < 0 else []), ([*words, "point", *fraction] if fraction else words)


def joined(words: list[str]) -> str:
    """The words of fragments as a text."""
    return "".join("，" if word == PAUSE else TEXTS[word] for word in words)


def number(value: object) -> list[str]:
    """``12005`` is 一万两千零五."""
    sign, words = _unsigned(value)
    return _names(sign + words)


def ordinal(value: object) -> list[str]:
    """``3`` is 第三; ``200`` is 第二百."""
    return _names(["ordinal", *_cardinal(read_integer(value, least=1), liang=False)])


def digits(value: object) -> list[str]:
    """Key by key, with 一 for 1."""
    return _names([_KEYS.get(key, key) for key in read_digits(value)])


def phone(value: object) -> list[str]:
    """With 幺 for 1: mobiles 3-4-4, 400 and 800 numbers 3-3-4, 95xxx in one go, others 4-4."""
    text = read_digits(value)
    country = ""
    if text.startswith("+86"):
        country, text = text[:3], text[3:]
    if len(text) == 11 and text.startswith("1"):
        groups = split_phone(text, first=(3, 4, 4))
    elif len(text) == 10 and text.startswith(("400", "800")):
        groups = split_phone(text, first=(3, 3, 4))
    elif len(text) >= 10:
        groups = split_phone(text, first=(len(text) - 8, 4, 4))
    elif len(text) > 6:
        groups = split_phone(text, first=(len(text) - 4, 4))
    else:
        groups = [text]
    words: list[str] = []
    for group in [country, *groups] if country else groups:
        words += [PAUSE] if words else []
        words += ["yao" if key == "1" else _KEYS.get(key, key) for key in group]
    return _names(words)


def date(value: object) -> list[str]:
    """``2025-03-02`` is 二零二五年三月二日."""
    day = read_date(value)
    words = [*f"{day.year:04d}", "year", *_cardinal(day.month), "month", *_cardinal(day.day), "day"]
    return _names(words)


def _period(hour: int) -> str:
    for end, name in ((6, "before_dawn"), (12, "morning"), (13, "noon"), (18, "afternoon")):
        if hour < end:
            return name
    return "evening"


def time(value: object) -> list[str]:
    """``14:05`` is 下午两点零五分; ``00:30`` is 凌晨零点三十分."""
    at = read_time(value)
    hour = at.hour - 12 if at.hour > 12 else at.hour
    words = [_period(at.hour), *_count(hour), "hour"]
    if at.minute:
        words += [*_padded(at.minute), "minute"]
    return _names(words)


def money(value: object) -> list[str]:
    """``12.5`` is 十二元五角, ``12.05`` 十二元零五分, ``2 USD`` 两美元."""
    amount = read_money(value, default="CNY")
    words = ["minus"] if amount.negative else []
    large = "yuan" if amount.currency == "CNY" else "dollar"
    whole = bool(amount.units) or not amount.hundredths
    if whole:
        words += [*_count(amount.units), large]
    if amount.currency == "USD":
        if amount.hundredths:
            words += [*(_padded if whole else _count)(amount.hundredths), "cent"]
        return _names(words)
    jiao, fen = divmod(amount.hundredths, 10)
    if jiao:
        words += [*_count(jiao), "jiao"]
    if fen:
        words += [*(_padded(fen) if whole and not jiao else _count(fen)), "fen"]
    return _names(words)


def duration(value: object) -> list[str]:
    """``3900`` is 一小时零五分, ``300`` 五分钟, ``3630`` 一小时零三十秒."""
    hours, minutes, seconds = read_duration(value)
    words: list[str] = []
    if hours:
        words += [*_count(hours), "hours"]
    if minutes:
        words += _padded(minutes) if hours else _count(minutes)
        words.append("minute" if hours or seconds else "minutes")
    if seconds or not words:
        if hours and not minutes and seconds >= 10:
            words += ["0", *_cardinal(seconds)]
        else:
            words += _padded(seconds) if words else _count(seconds)
        words.append("seconds")
    return _names(words)


def percent(value: object) -> list[str]:
    """``50`` is 百分之五十."""
    sign, words = _unsigned(value)
    return _names([*sign, "percent", *words])


KINDS: Final[Mapping[str, Callable[[object], list[str]]]] = {
    "number": number,
    "ordinal": ordinal,
    "digits": digits,
    "phone": phone,
    "date": date,
    "time": time,
    "money": money,
    "duration": duration,
    "percent": percent,
}
"""What can be said, by kind."""
