"""The grammars that every VoiceXML platform has: VoiceXML 2.0, appendix P.

``builtin:dtmf/digits?length=4`` and its like for keys, ``builtin:grammar/boolean`` for speech, in Chinese and
in English.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from sipcc.call.digits import KEYS
from sipcc.ivr.grammar import spoken
from sipcc.ivr.grammar.model import GrammarError
from sipcc.ivr.grammar.sayings import RULES
from sipcc.ivr.js import Json

SCHEME = "builtin:"

_DIGIT = "(0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9)"
_MOST = 64
"""Digits of the longest answer that nobody limits; as many as are typed ahead."""

_WORDS = {
    "en": (
        "zero | oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    ),
    "zh": ("零 | 〇", "一 | 幺", "二 | 两", "三", "四", "五", "六", "七", "八", "九"),
}  # fmt: skip
_POINT = {"en": "point | dot", "zh": "点"}
_EXTENSION = {"en": "extension", "zh": "转 | 分机"}
_YES = {
    "en": "yes | yeah | yep | sure | ok | okay | correct | right | yes please",
    "zh": "是 | 是的 | 对 | 对的 | 好 | 好的 | 可以 | 没错 | 行 | 要",
}
_NO = {
    "en": "no | nope | nah | wrong | not correct | no thanks | no thank you",
    "zh": "不 | 不是 | 不对 | 不是的 | 不好 | 不行 | 不要 | 没有 | 错 | 错了",
}


def builtin(uri: str, language: str = "") -> tuple[str, Callable[[str], Json]]:
    """The grammar in the ABNF form that `uri` names, and what makes a value of what was matched.

    Raises:
        GrammarError: there is none.
    """
    name, _, query = uri.removeprefix(SCHEME).partition("?")
    mode, _, kind = name.partition("/")
    parameters = dict(parse_qsl(query.replace(";", "&"), keep_blank_values=True))
    try:
        if mode == "dtmf" and kind in _KEYS:
            body, convert = _KEYS[kind](parameters)
            return f"#ABNF 1.0;\nmode dtmf;\nroot $r;\npublic $r = {body};\n", convert
        tongue = language.lower().partition("-")[0] or "en"
        if mode in ("grammar", "voice") and kind in _SPEECH and tongue in _WORDS:
            body, convert = _SPEECH[kind](parameters, tongue)
            return f"#ABNF 1.0;\nlanguage {language or 'en'};\nroot $r;\npublic $r = {body};\n", convert
    except ValueError as error:
        raise GrammarError(str(error), url=uri) from None
    raise GrammarError(_missing(mode, kind, language), url=uri)


def _missing(mode: str, kind: str, language: str) -> str:
    if mode == "dtmf":
        return f"there is no such grammar; for keys there are {', '.join(sorted(_KEYS))}"
    there = f"for speech there are {', '.join(sorted(_SPEECH))}, in {' and '.join(sorted(_WORDS))}"
    return f"there is no such grammar{f' in {language}' if language else ''}; {there}"


def _same(text: str) -> Json:
    return text


def _length(parameters: Mapping[str, str]) -> str:
    """The repeat of digits."""
    found = {name: parameters.get(name, "") for name in ("length", "minlength", "maxlength")}
    for name, text in found.items():
        if text and not (text.isascii() and text.isdigit() and int(text) <= 1000):
            raise ValueError(f"{name}={text} is no number of digits")
    if found["length"]:
        if found["minlength"] or found["maxlength"]:
            raise ValueError("length stands alone, without minlength and maxlength")
        return found["length"]
    low, high = (
        int(found["minlength"] or 1),
        int(found["maxlength"] or max(_MOST, int(found["minlength"] or 0))),
    )
    if low > high:
        raise ValueError(f"minlength={low} is more than maxlength={high}")
    return f"{low}-{high}"


def _digits(parameters: Mapping[str, str]) -> tuple[str, Callable[[str], Json]]:
    return f"{_DIGIT}<{_length(parameters)}>", _same


def _boolean(parameters: Mapping[str, str]) -> tuple[str, Callable[[str], Json]]:
    yes, no = parameters.get("y", "1"), parameters.get("n", "2")
    for key in (yes, no):
        if key not in KEYS:
            raise ValueError(f"{key!r} is no key")
    if yes == no:
        raise ValueError(f"{yes} would be both yes and no")
    return f'"{yes}" | "{no}"', lambda text: text == yes


def _number(parameters: Mapping[str, str]) -> tuple[str, Callable[[str], Json]]:
    return f'{_DIGIT}<0-{_MOST}> "*" {_DIGIT}<1-{_MOST}> | {_DIGIT}<1-{_MOST}> ["*"]', _decimal


def _decimal(text: str) -> Json:
    whole, _, part = text.partition("*")
    return f"{whole or '0'}.{part}" if part else whole


def _currency(parameters: Mapping[str, str]) -> tuple[str, Callable[[str], Json]]:
    def convert(text: str) -> Json:
        whole, _, part = text.partition("*")
        return f"{whole or '0'}.{part.ljust(2, '0')}"

    return f'{_DIGIT}<0-18> "*" {_DIGIT}<0-2> | {_DIGIT}<1-18>', convert


def _date(parameters: Mapping[str, str]) -> tuple[str, Callable[[str], Json]]:
    """Only days that the calendar has: a leap year is one by its last two digits, or by its first two."""
    nonzero = "(1|2|3|4|5|6|7|8|9)"
    to_28 = f"(0 {nonzero} | 1 {_DIGIT} | 2 (0|1|2|3|4|5|6|7|8))"
    month = f"(0 {nonzero} | 1 (0|1|2))"
    but_february = "(0 (1|3|4|5|6|7|8|9) | 1 (0|1|2))"
    long_month = "(0 (1|3|5|7|8) | 1 (0|2))"
    fours = "(2|4|6|8) (0|4|8) | (1|3|5|7|9) (2|6) | 0 (4|8)"
    leap = f"({_DIGIT}<2> ({fours}) | ({fours} | 0 0) 0 0)"
    year = f"{_DIGIT}<4>"
    days = f"{month} {to_28} | {but_february} (2 9 | 3 0) | {long_month} 3 1"
    return f"{year} ({days}) | {leap} 0 2 2 9", _same


def _time(parameters: Mapping[str, str]) -> tuple[str, Callable[[str], Json]]:
    def convert(text: str) -> Json:
        return text + ("?" if 1 <= int(text[:2]) <= 12 else "h")

    return "((0|1) (0|1|2|3|4|5|6|7|8|9) | 2 (0|1|2|3)) (0|1|2|3|4|5) " + _DIGIT, convert


def _phone(parameters: Mapping[str, str]) -> tuple[str, Callable[[str], Json]]:
    return f'{_DIGIT}<1-{_MOST}> ["*" {_DIGIT}<1-16>]', lambda text: text.replace("*", "x")


_KEYS: Mapping[str, Callable[[Mapping[str, str]], tuple[str, Callable[[str], Json]]]] = {
    "boolean": _boolean,
    "currency": _currency,
    "date": _date,
    "digits": _digits,
    "number": _number,
    "phone": _phone,
    "time": _time,
}


def _word(tongue: str) -> str:
    written = " | ".join(str(digit) for digit in range(10))
    return "(" + " | ".join([*_WORDS[tongue], written]) + ")"


def _reader(tongue: str) -> Callable[[str], str]:
    """What makes digits of their words."""
    digits = {
        word: str(digit)
        for digit, words in enumerate(_WORDS[tongue])
        for word in [*re.split(r"\s*\|\s*", words), str(digit)]
    }
    marks = dict.fromkeys(re.split(r"\s*\|\s*", _POINT[tongue]), ".")
    marks |= dict.fromkeys(re.split(r"\s*\|\s*", _EXTENSION[tongue]), "x")
    return lambda text: "".join((digits | marks)[word] for word in text.split())


def _digits_said(parameters: Mapping[str, str], tongue: str) -> tuple[str, Callable[[str], Json]]:
    return f"{_word(tongue)}<{_length(parameters)}>", _reader(tongue)


def _value_said(kind: str) -> Callable[[Mapping[str, str], str], tuple[str, Callable[[str], Json]]]:
    """What is said as people say it; its value is what VoiceXML writes for the type."""

    def said(parameters: Mapping[str, str], tongue: str) -> tuple[str, Callable[[str], Json]]:
        body, rules = RULES[tongue][kind]
        return f"{body};{rules.strip().removesuffix(';')}", lambda text: spoken.meaning(kind, _written(text))

    return said


def _written(text: str) -> str:
    """Words as they are written: Chinese without spaces."""
    return text if text.isascii() else text.replace(" ", "")


def _number_said(parameters: Mapping[str, str], tongue: str) -> tuple[str, Callable[[str], Json]]:
    """As a number, or digit by digit."""
    word = _word(tongue)
    body, whole = _value_said("number")(parameters, tongue)
    digits = _reader(tongue)

    def convert(text: str) -> Json:
        try:
            return digits(text)
        except KeyError:
            return whole(text)

    return f"{word}<1-{_MOST}> [({_POINT[tongue]}) {word}<1-{_MOST}>] | {body}", convert


def _phone_said(parameters: Mapping[str, str], tongue: str) -> tuple[str, Callable[[str], Json]]:
    word = _word(tongue)
    return f"{word}<1-{_MOST}> [({_EXTENSION[tongue]}) {word}<1-16>]", _reader(tongue)


def _boolean_said(parameters: Mapping[str, str], tongue: str) -> tuple[str, Callable[[str], Json]]:
    yes = frozenset(re.split(r"\s*\|\s*", _YES[tongue]))
    return f"{_YES[tongue]} | {_NO[tongue]}", lambda text: text in yes


_SPEECH: Mapping[str, Callable[[Mapping[str, str], str], tuple[str, Callable[[str], Json]]]] = {
    "boolean": _boolean_said,
    "currency": _value_said("currency"),
    "date": _value_said("date"),
    "digits": _digits_said,
    "number": _number_said,
    "phone": _phone_said,
    "time": _value_said("time"),
}
