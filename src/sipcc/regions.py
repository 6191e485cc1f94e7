"""Where a telephone number is at home (归属地), as a core.

A mobile number of China is told by its first seven digits, a landline by its area code. The area codes of
provincial capitals and large cities are built in; the operator's own table has the prefixes of mobile
numbers, and names that count before the built-in ones. A number that nothing is known of, or that moved
(携号转网), may be given its region by an override.
"""

from __future__ import annotations

import csv
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping

import msgspec

from sipcc.numbers import Number, Pattern, Plan, parse, plan_of

AREA_CODES: dict[str, str] = {
    "10": "北京", "20": "广州", "21": "上海", "22": "天津", "23": "重庆", "24": "沈阳", "25": "南京",
    "27": "武汉", "28": "成都", "29": "西安",
    "310": "邯郸", "311": "石家庄", "312": "保定", "315": "唐山", "351": "太原", "371": "郑州", "379": "洛阳",
    "411": "大连", "412": "鞍山", "431": "长春", "432": "吉林", "451": "哈尔滨", "459": "大庆",
    "471": "呼和浩特", "472": "包头",
    "510": "无锡", "512": "苏州", "513": "南通", "516": "徐州", "519": "常州", "531": "济南", "532": "青岛",
    "533": "淄博", "535": "烟台", "536": "潍坊", "551": "合肥", "553": "芜湖", "571": "杭州", "573": "嘉兴",
    "574": "宁波", "575": "绍兴", "576": "台州", "577": "温州", "579": "金华", "591": "福州", "592": "厦门",
    "595": "泉州",
    "710": "襄阳", "717": "宜昌", "731": "长沙", "752": "惠州", "754": "汕头", "755": "深圳", "756": "珠海",
    "757": "佛山", "760": "中山", "769": "东莞", "771": "南宁", "773": "桂林", "791": "南昌",
    "851": "贵阳", "871": "昆明", "891": "拉萨", "898": "海口",
    "931": "兰州", "951": "银川", "971": "西宁", "991": "乌鲁木齐",
}  # fmt: skip
"""Area codes of China without their 0, with the largest city of each: some have several."""

_MOBILE_DIGITS = 7
_CHINA = plan_of("86")


class RegionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How callers' regions are known, for the ``regions`` of numbers."""

    file: str = ""
    """A CSV file with a prefix and a region in each line, such as ``1380013,北京`` or ``0755,深圳``; a first
    line with headings and further columns are passed over. Empty for the built-in area codes only."""
    overrides: dict[str, str] = {}
    """Numbers, or beginnings with ``*``, and their regions; they go before everything else, and longer
    ones before shorter."""
    default: str = ""
    """The region of numbers that nothing is known of."""


class RegionTable:
    """Prefixes and their regions; half a million of them take a few megabytes."""

    def __init__(self, mobiles: Mapping[int, str], areas: Mapping[str, str]) -> None:
        """`mobiles` are by the seven digits, `areas` by area codes without their 0."""
        names = {name: index for index, name in enumerate(dict.fromkeys(mobiles.values()))}
        self._names = list(names)
        self._prefixes = array("I", sorted(mobiles))
        self._regions = array("I", (names[mobiles[prefix]] for prefix in self._prefixes))
        self._areas = dict(areas)

    def __len__(self) -> int:
        return len(self._prefixes) + len(self._areas)

    @classmethod
    def parse(cls, lines: Iterable[str]) -> RegionTable:
        """Read the lines of a CSV file. ValueError names the line that is wrong."""
        mobiles: dict[int, str] = {}
        areas: dict[str, str] = {}
        for line, row in enumerate(csv.reader(lines), 1):
            if not any(row):
                continue
            prefix, region = row[0].strip().lstrip("\ufeff"), row[1].strip() if len(row) > 1 else ""
            digits = prefix.isascii() and prefix.isdigit()
            if not digits and line == 1:
                continue
            code = prefix.removeprefix("0")
            if not digits or not region:
                raise ValueError(f"line {line}: expected a prefix and a region, as in 0755,深圳")
            if len(code) == _MOBILE_DIGITS and prefix == code and code.startswith("1"):
                mobiles[int(code)] = region
            elif 2 <= len(code) <= 3:
                areas[code] = region
            else:
                raise ValueError(
                    f"line {line}: {prefix} is neither seven digits of a mobile nor an area code"
                )
        return cls(mobiles, areas)

    def mobile(self, prefix: int) -> str:
        """The region of the seven digits of a mobile number, or an empty text."""
        index = bisect_left(self._prefixes, prefix)
        if index < len(self._prefixes) and self._prefixes[index] == prefix:
            return self._names[self._regions[index]]
        return ""

    def area(self, code: str) -> str:
        """The region of an area code without its 0, or an empty text."""
        return self._areas.get(code, "")


class Regions:
    """Tells the region of a number.

    Args:
        table: the operator's own prefixes.
        overrides: numbers, or beginnings with ``*``, and their regions.
        default: the region of numbers that nothing is known of.
        plan: how numbers and overrides are written here; China's when it has no country.

    Raises:
        ValueError: an override is no number and no beginning of one.

    Example:
        >>> Regions().of("010-8123-4567")
        '北京'
    """

    def __init__(
        self,
        table: RegionTable | None = None,
        *,
        overrides: Mapping[str, str] | None = None,
        default: str = "",
        plan: Plan | None = None,
    ) -> None:
        self._plan = plan if plan is not None and plan.country else _CHINA
        self._table = table or RegionTable({}, {})
        self._default = default
        self._exact: dict[str, str] = {}
        self._beginnings: list[tuple[Pattern, str]] = []
        for text, region in (overrides or {}).items():
            pattern = parse_override(text)
            number = parse(text, self._plan) if pattern.exact else None
            if number is not None:
                self._exact[number.canonical] = region
            else:
                self._beginnings.append((pattern, region))
        self._beginnings.sort(key=lambda entry: len(entry[0].start), reverse=True)

    def of(self, number: Number | str) -> str:
        """The region of `number`, in any spelling; the default when nothing is known of it."""
        text = number.canonical if isinstance(number, Number) else number
        read = parse(text, self._plan)  # also what was read where no country is set
        if read is None:
            return self._default
        return self._overridden(read) or self._known(read) or self._default

    def _overridden(self, number: Number) -> str:
        if number.canonical in self._exact:
            return self._exact[number.canonical]
        fits = (region for pattern, region in self._beginnings if pattern.matches(number, self._plan))
        return next(fits, "")

    def _known(self, number: Number) -> str:
        if not number.canonical.startswith("+86"):
            return ""
        digits = number.canonical.removeprefix("+86")
        if number.kind == "mobile":
            return self._table.mobile(int(digits[:_MOBILE_DIGITS]))
        if number.kind != "geographic":
            return ""
        code = digits[:2] if digits[0] in "12" else digits[:3]
        return self._table.area(code) or AREA_CODES.get(code, "")


def parse_override(text: str) -> Pattern:
    """A number or a beginning; ValueError for anything else, kinds such as ``mobile`` among it."""
    pattern = Pattern.parse(text)
    if pattern.kinds or not pattern.start:
        raise ValueError(f"{text!r} is no number and no beginning of one")
    return pattern
