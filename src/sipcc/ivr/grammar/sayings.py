"""How people say numbers, amounts, dates and times: rules in the ABNF form, in English and in Chinese.

What they match, `sipcc.ivr.grammar.spoken` makes values of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sipcc.ivr.say.en import CARDINALS, MONTHS, ORDINALS


def _any(words: list[str] | tuple[str, ...]) -> str:
    return "(" + " | ".join(words) + ")"


_UNIT, _TEEN, _TENS = _any(CARDINALS[1:10]), _any(CARDINALS[10:20]), _any(CARDINALS[20:])
_DAYS = (
    f"{_any(ORDINALS[:20])} | twenty {_any(ORDINALS[:9])} | thirtieth | thirty first"
    f" | {_any(CARDINALS[1:21])} | twenty $unit | thirty [one]"
)

_EN_NUMBERS = f"""
$unit = {_UNIT};
$small = $unit | {_TEEN} | {_TENS} [$unit];
$hundreds = $small | $unit hundred [[and] $small];
$thousands = $hundreds thousand [[and] $hundreds];
$millions = $hundreds million [[and] ($thousands | $hundreds)];
$billions = $hundreds billion [[and] ($millions | $thousands | $hundreds)];
$whole = zero | $hundreds | $thousands | $millions | $billions;
"""
_EN_DIGIT = _any(("oh", *CARDINALS[:10]))

_EN: Final = {
    "number": ("[minus | negative] $whole [point " + _EN_DIGIT + "<1-64>]", _EN_NUMBERS),
    "currency": (
        "$whole (dollar | dollars | pound | pounds | euro | euros | yuan | yen | francs | rupees)"
        " [[and] $small [cent | cents | pence]] | $small (cent | cents | pence)",
        _EN_NUMBERS,
    ),
    "date": (
        "[on] ([the] $day [of] $month [$year] | $month [the] $day [$year] | $month)",
        f"""
$unit = {_UNIT};
$month = {_any(MONTHS)};
$day = {_DAYS};
$small = $unit | $full;
$full = {_TEEN} | {_TENS} [$unit];
$year = two thousand [[and] $small] | $full ($full | (oh | zero) $unit | hundred);
""",
    ),
    "time": (
        "$twelve [o'clock | $minutes] [$half] | $later ($minutes | hundred [hours])"
        " | (quarter | half | a quarter) past $twelve [$half] | [a] quarter to $twelve [$half]"
        " | $few [minute | minutes] (past | to | after) $twelve [$half] | noon | midnight",
        f"""
$unit = {_UNIT};
$twelve = {_any(CARDINALS[1:13])};
$later = {_any(CARDINALS[13:20])} | twenty [one | two | three];
$few = $unit | {_TEEN} | twenty [$unit];
$minutes = {_TEEN} | (twenty | thirty | forty | fifty) [$unit] | (oh | zero) $unit;
$half = am | pm | a m | p m | a.m. | p.m. | in the morning | in the afternoon | in the evening | at night;
""",
    ),
}

_ZH_NUMBERS = """
$u = 一 | 二 | 两 | 三 | 四 | 五 | 六 | 七 | 八 | 九;
$tens = [$u] 十 [$u];
$small = $u | $tens;
$after = 零 $small | $u 十 [$u];
$hundreds = $u 百 [零 $u | $u 十 [$u]];
$thousands = $u 千 [$after | $hundreds];
$four = $small | $hundreds | $thousands;
$ten_thousands = $four 万 [[零] $four];
$whole = 零 | $four | $ten_thousands | ($four | $ten_thousands) 亿 [[零] ($four | $ten_thousands)];
"""
_ZH_DIGIT = "(零 | 〇 | 一 | 幺 | 二 | 两 | 三 | 四 | 五 | 六 | 七 | 八 | 九)"
_ZH_HOUR = "一 | 二 | 两 | 三 | 四 | 五 | 六 | 七 | 八 | 九 | 十 [一 | 二]"

_ZH: Final = {
    "number": ("[负] $whole [点 " + _ZH_DIGIT + "<1-64>]", _ZH_NUMBERS),
    "currency": (
        "$whole (元 | 块 | 块钱 | 圆) [$u | (零 | $u (角 | 毛)) $u 分 | $u (角 | 毛) [钱]]"
        " | $whole (美元 | 美金 | 欧元 | 英镑 | 日元 | 港币)"
        " | $u (角 | 毛) [钱] | $u 分 [钱] | $u (角 | 毛) $u 分",
        _ZH_NUMBERS,
    ),
    "date": (
        "[$year 年] $month 月 [$day (日 | 号)] | $day (日 | 号) | $year 年",
        f"""
$u = 一 | 二 | 三 | 四 | 五 | 六 | 七 | 八 | 九;
$month = $u | 十 [一 | 二];
$day = $u | 十 [$u] | 二 十 [$u] | 三 十 [一];
$year = (一 | 二) {_ZH_DIGIT}<3> | (两 | 二) 千 [零 ($u | $u 十 [$u] | 十 [$u])];
""",
    ),
    "time": (
        f"({_ZH_HOUR}) $past | (上午 | 下午 | 早上 | 晚上 | 凌晨 | 中午) ({_ZH_HOUR}) $past"
        " | (零 | 十 (三 | 四 | 五 | 六 | 七 | 八 | 九) | 二 十 [一 | 二 | 三]) $past | 中午 | 午夜",
        """
$u = 一 | 二 | 三 | 四 | 五 | 六 | 七 | 八 | 九;
$past = (点 | 时) [钟 | 整 | 半 | 一 刻 | 三 刻 | [零] $u 分 | 零 $u | $tens [分]];
$tens = [二 | 三 | 四 | 五] 十 [$u];
""",
    ),
}

RULES: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {"en": _EN, "zh": _ZH}
"""For each language and type: what is said, and the rules that it refers to."""
