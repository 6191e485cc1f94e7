"""Values as texts for a voice, read back by a parser that knows nothing of how they are made.

``SAY_SAMPLES=2000000`` reads back so many numbers of each language; a small sample is read in every run.
"""

from __future__ import annotations

import os
import random
import re
from datetime import date, time, timedelta
from decimal import Decimal

import pytest

from sipcc.ivr.say import PAUSE, fragments, kinds, say, say_text
from sipcc.ivr.say.en import TEXTS as ENGLISH
from sipcc.ivr.say.zh import TEXTS as CHINESE

SAMPLES = int(os.environ.get("SAY_SAMPLES", "20000"))

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
SMALL = {word: n for n, word in enumerate(ONES.split())} | {
    word: 10 * n for n, word in enumerate(TENS.split(), 2)
}
LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
RANKS = {"first": 1, "second": 2, "third": 3, "fifth": 5, "eighth": 8, "ninth": 9, "twelfth": 12}
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September",
          "October", "November", "December"]  # fmt: skip
HAN = {mark: n for n, mark in enumerate("零一二三四五六七八九")} | {"两": 2}


def english(text: str) -> int:
    """The number that English words say."""
    total = group = 0
    for word in text.split():
        if word in SMALL:
            group += SMALL[word]
        elif word == "hundred":
            group *= 100
        else:
            total, group = total + group * LARGE[word], 0
    return total + group


def english_rank(text: str) -> int:
    """The number behind an ordinal."""
    *words, last = text.split()
    if last in RANKS:
        cardinal = str(next(word for word, n in SMALL.items() if n == RANKS[last]))
    elif last.endswith("ieth"):
        cardinal = last.removesuffix("ieth") + "y"
    else:
        cardinal = last.removesuffix("th")
    return english(" ".join([*words, cardinal]))


def chinese(text: str) -> int:
    """The number that Chinese characters say: what stands before 亿 and 万 first, then 千, 百, 十."""
    for unit, size in (("亿", 10**8), ("万", 10**4)):
        before, found, after = text.partition(unit)
        if found:
            return chinese(before) * size + chinese(after)
    total, digit = 0, 0
    for mark in text:
        if mark in HAN:
            digit = HAN[mark]
        else:
            total, digit = total + (digit or 1) * {"千": 1000, "百": 100, "十": 10}[mark], 0
    return total + digit


def sampled() -> list[int]:
    """Numbers from 0 to 10^8 of all lengths, and every edge."""
    rng = random.Random(14)
    edges = (
        {10**n + shift for n in range(9) for shift in (-1, 0, 1)} | {2 * 10**n for n in range(8)} | {10**8}
    )
    return [*edges, *range(1000), *(rng.randrange(10 ** rng.randint(3, 8)) for _ in range(SAMPLES))]


@pytest.mark.timeout(600)
def test_numbers_up_to_a_hundred_million() -> None:
    for n in sampled():
        assert english(say_text("number", n, "en")) == n
        said = say_text("number", n, "zh-CN")
        assert chinese(said) == n, said


@pytest.mark.timeout(600)
def test_ordinals() -> None:
    for n in sampled()[: 1000 + SAMPLES // 10]:
        if n:
            assert english_rank(say_text("ordinal", n, "en")) == n
            said = say_text("ordinal", n, "zh")
            assert (said[0], chinese(said[1:])) == ("第", n)


def test_every_day_from_2000_to_2050() -> None:
    day = date(2000, 1, 1)
    while day.year <= 2050:
        month, *words = say_text("date", day, "en").split()
        at = next(n for n in (1, 2) if words[n - 1].endswith(("th", "st", "nd", "rd")))
        rank, year = " ".join(words[:at]), words[at:]
        read = english(" ".join(year))
        if "thousand" not in year:  # twenty twenty five
            read = SMALL[year[0]] * 100 + english(" ".join(year[1:]))
        assert (read, MONTHS.index(month) + 1, english_rank(rank)) == (day.year, day.month, day.day)
        found = re.fullmatch("(.{4})年(.+)月(.+)日", say_text("date", day, "zh"))
        assert found is not None
        spelled = int("".join(str(HAN[mark]) for mark in found[1]))
        assert (spelled, chinese(found[2]), chinese(found[3])) == (day.year, day.month, day.day)
        day += timedelta(days=1)


def test_every_minute_of_a_day() -> None:
    for minute in range(24 * 60):
        at = time(minute // 60, minute % 60)
        hour, *rest = say_text("time", at, "en").split()
        half, read = rest[-1], " ".join(rest[:-1]).removeprefix("oh ")
        assert SMALL[hour] % 12 + (12 if half == "p.m." else 0) == at.hour
        assert (english(read) if read else 0) == at.minute
        found = re.fullmatch("(凌晨|上午|中午|下午|晚上)(.+?)点(?:(.+)分)?", say_text("time", at, "zh"))
        assert found is not None
        assert chinese(found[2]) + (12 if found[1] in ("下午", "晚上") else 0) == at.hour
        assert chinese(found[3] or "零") == at.minute


def test_money_durations_and_percent() -> None:
    rng = random.Random(15)
    for _ in range(2000):
        cents = rng.randrange(10 ** rng.randint(1, 9))
        found = re.fullmatch(
            r"(?:(.+) dollars?)?(?: and )?(?:(.+) cents?)?", say_text("money", Decimal(cents) / 100, "en")
        )
        assert found is not None
        assert english(found[1] or "zero") * 100 + english(found[2] or "zero") == cents
        found = re.fullmatch(
            "(?:(.+)元)?(?:(.)角)?(?:(.+)分)?", say_text("money", Decimal(cents) / 100, "zh")
        )
        assert found is not None
        whole, tens, ones = (chinese(part or "零") for part in found.groups())
        assert whole * 100 + tens * 10 + ones == cents
        seconds = rng.randrange(360_000)
        found = re.fullmatch(
            r"(?:(.+?) hours?)? ?(?:(.+?) minutes?)? ?(?:(.+?) seconds?)?",
            say_text("duration", seconds, "en"),
        )
        assert found is not None
        hours, minutes, rest = (english(part or "zero") for part in found.groups())
        assert hours * 3600 + minutes * 60 + rest == seconds
        found = re.fullmatch("(?:(.+)小时)?(?:(.+?)分钟?)?(?:(.+)秒)?", say_text("duration", seconds, "zh"))
        assert found is not None
        hours, minutes, rest = (chinese(part or "零") for part in found.groups())
        assert hours * 3600 + minutes * 60 + rest == seconds
        share = Decimal(rng.randrange(1000)) / 10
        whole_text, _, tenth = say_text("percent", share, "zh").removeprefix("百分之").partition("点")
        assert Decimal(f"{chinese(whole_text)}.{HAN[tenth] if tenth else 0}") == share


@pytest.mark.parametrize(
    ("kind", "value", "en", "zh"),
    [
        ("number", "-12005.30", "minus twelve thousand five point three", "负一万两千零五点三"),
        ("ordinal", 20, "twentieth", "第二十"),
        ("digits", "10*#", "one zero star hash", "一零星井"),
        (
            "phone",
            "4008123456",
            "four zero zero, eight one two, three four five six",
            "四零零，八幺二，三四五六",
        ),
        ("date", "2025-03-02", "March second twenty twenty five", "二零二五年三月二日"),
        ("time", "14:05", "two oh five p.m.", "下午两点零五分"),
        ("money", "12.05", "twelve dollars and five cents", "十二元零五分"),
        ("duration", 3900, "one hour five minutes", "一小时零五分"),
        ("percent", 50, "fifty percent", "百分之五十"),
    ],
)
def test_each_kind(kind: str, value: object, en: str, zh: str) -> None:
    assert say_text(kind, value, "en") == en
    assert say_text(kind, value, "zh-CN") == zh


def test_a_text_has_the_words_of_the_recordings_one_for_one() -> None:
    values = {"date": "2041-12-31", "time": "23:47", "phone": "+8613800138000"}
    for kind in kinds("en"):
        value = values.get(kind, "86")
        for language, texts in (("en", ENGLISH), ("zh", CHINESE)):
            names = say(kind, value, language)
            assert all(name == PAUSE or name in fragments(language) for name in names)
            words = [texts.get(name.removeprefix("say/"), name.removeprefix("say/")) for name in names]
            joined = "".join if language == "zh" else " ".join
            said = say_text(kind, value, language).replace("，", "").replace(",", "")
            assert said == joined(word for word in words if word != PAUSE)
    with pytest.raises(ValueError, match="unknown kind"):
        say_text("weight", 1, "en")
