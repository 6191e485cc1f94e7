"""Telephone numbers: the one place that knows how they are written.

A number has one canonical form here, whoever wrote it. With a country it is E.164 with its plus
(``+8613800138000``); what has no E.164 form, such as 110 or an extension, stays as its digits. So one
caller who is seen as ``+86 138 0013 8000``, ``8613800138000`` and ``013800138000`` is one caller.

What is read follows RFC 3966: visual separators, ``phone-context`` in both its forms, and parameters,
which are left out. Nothing here raises for what a peer sent: what is no number gives None.

The plan of China is known in detail, because mobile, service and premium numbers are told apart by it;
of any other country only the prefixes are known, and all of its numbers are of the kind ``national``.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

Kind = Literal[
    "emergency", "mobile", "geographic", "service", "short", "premium", "national", "international", "unknown"
]
"""``national`` is a number of the home country whose sort is not known, ``international`` one of another
country, ``unknown`` digits that no plan explains, such as an extension."""

Format = Literal["e164", "national", "as_is"]
"""How a carrier writes numbers: with the country, as in the country, or as whoever dialled wrote them."""

MAX_DIGITS = 15
"""The longest E.164 number (ITU-T E.164 §6)."""

MAX_WRITTEN = 64
"""Longer texts are no number, whatever they hold."""

_SEPARATORS = str.maketrans("", "", "-. ()")
_NUMBER = re.compile(r"\+?[0-9]{1,20}")
_GLOBAL_CONTEXT = re.compile(r"\+[0-9]{1,15}")

HOME_KINDS: frozenset[Kind] = frozenset({"mobile", "geographic", "service", "national"})
"""The kinds that ``national`` in a list of rules stands for: ordinary numbers of the home country."""

KINDS = frozenset({"national", "mobile", "geographic", "service", "short", "premium", "international"})
"""The kinds that a rule may name."""


class Plan(msgspec.Struct, frozen=True):
    """How numbers are written at one place."""

    country: str = ""
    """Country code without plus, such as ``86``; empty knows no plan, and numbers stay as they are."""
    area: str = ""
    """Area code without trunk prefix, such as ``10``: what a number without any prefix belongs to."""
    trunk: str = "0"
    """What is dialled before a number of another area of the country; empty for none."""
    abroad: str = "00"
    """What is dialled before a country code."""
    emergency: frozenset[str] = frozenset()
    """Numbers that are always let through."""


class Number(msgspec.Struct, frozen=True):
    """A telephone number. Two are the same number when `canonical` is the same."""

    canonical: str
    """E.164 with plus, or plain digits where there is no such form."""
    kind: Kind = "unknown"
    text: str = ""
    """How it was written, without separators and parameters."""

    def __str__(self) -> str:
        return self.canonical


_PREFIXES = {
    "1": ("1", "011"), "7": ("8", "810"), "34": ("", "00"), "39": ("", "00"), "45": ("", "00"),
    "47": ("", "00"), "65": ("", "001"), "81": ("0", "010"), "82": ("0", "001"), "852": ("", "001"),
    "853": ("", "00"), "886": ("0", "002"),
}  # fmt: skip
"""Trunk prefix and prefix for abroad, where they are not 0 and 00."""

_CHINA: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("mobile", re.compile(r"1[3-9][0-9]{9}")),
    ("service", re.compile(r"[48]00[0-9]{7}")),
    ("geographic", re.compile(r"(?:10|2[0-57-9])[2-8][0-9]{7}|[3-9][0-9]{2}[2-8][0-9]{6,7}")),
)
"""National significant numbers of +86 by their kind, each complete."""

_CHINA_PREMIUM = re.compile(r"(?:[1-9][0-9]{1,2})?16[08][0-9]{2,5}")
"""Information lines such as 168 81234, alone or behind an area code; a mobile number is longer."""

_CHINA_SHORT = re.compile(r"1[0-2][0-9]{1,4}|116114|9[56][0-9]{3,6}")
_CHINA_SHORT_OF_AREA = re.compile(r"(?:10|2[0-57-9]|[3-9][0-9]{2})(?:1[0-2][0-9]{1,4}|9[56][0-9]{3,6})")
_CHINA_LOCAL = re.compile(r"[2-8][0-9]{6,7}")

_PREMIUM_ABROAD = (
    "+979", "+1900", "+1976", "+449", "+44871", "+44872", "+49900", "+339", "+39899", "+81990",
    "+85290", "+870", "+881", "+882", "+883",
)  # fmt: skip
"""Premium rate and satellite prefixes that fraud is done with; not complete, and no list ever is."""


def plan_of(country: str = "", area: str = "", emergency: frozenset[str] = frozenset()) -> Plan:
    """The plan of a country code; `area` may be written with its trunk prefix (``010``)."""
    trunk, abroad = _PREFIXES.get(country, ("0", "00"))
    if country and trunk and area.startswith(trunk):
        area = area[len(trunk) :]
    return Plan(country, area, trunk, abroad, emergency)


def bare(text: str) -> str:
    """`text` without visual separators (RFC 3966 §5.1.1) when it then is a number, else as it is.

    ``400-812-3456`` is ``4008123456``; a name such as ``alice-2`` stays.
    """
    digits = text.translate(_SEPARATORS)
    return digits if _NUMBER.fullmatch(digits) else text


def split_subscriber(user: str) -> tuple[str, dict[str, str]]:
    """The telephone-subscriber in a user part: the number as written and its parameters, in lower case.

    ``4008123456;phone-context=+86;isub=1`` is a number with two parameters (RFC 3261 §19.1.6).
    """
    number, *rest = user.split(";")
    params: dict[str, str] = {}
    for piece in rest[:16]:
        name, _, value = piece.partition("=")
        params.setdefault(name.lower(), value)
    return number, params


def parse(text: str, plan: Plan, *, context: str = "", form: Format = "national") -> Number | None:
    """Read a number as it was dialled or sent.

    Args:
        text: the number, with or without separators, parameters or a plus.
        plan: how numbers are written where it came from.
        context: the value of ``phone-context``, when it stands outside of `text`. A global one such as
            ``+86`` goes before the plan; one that is a domain says only that the number is local there.
        form: ``e164`` reads digits without any prefix as country code and number; ``as_is`` changes
            nothing but separators.

    Returns:
        None for what is no telephone number: letters, feature codes with ``*`` or ``#``, too many digits.
    """
    if len(text) > MAX_WRITTEN:
        return None
    text, params = split_subscriber(text)
    digits = text.translate(_SEPARATORS)
    if not _NUMBER.fullmatch(digits):
        return None
    context = (context or params.get("phone-context", "")).translate(_SEPARATORS)
    if form == "as_is":
        return Number(digits, _kind_as_is(digits, plan), digits)
    if not digits.startswith("+") and _GLOBAL_CONTEXT.fullmatch(context):
        found = _read(digits, _plan_of_context(context, plan), "national")
        if found is not None and found[0].startswith("+"):
            found = _read(found[0], plan, "national")  # its kind is that from where we stand
        # the bare digits mean another number outside of their context
        return None if found is None else Number(*found, found[0])
    found = _read(digits, plan, form)
    return None if found is None else Number(*found, digits)


def _plan_of_context(context: str, plan: Plan) -> Plan:
    """The plan that a global phone-context means: ``+86``, or ``+8610`` with an area."""
    digits = context[1:]
    country = next((c for c in (plan.country, "86", *_PREFIXES) if c and digits.startswith(c)), digits)
    return plan_of(country, digits[len(country) :], plan.emergency)


def _read(digits: str, plan: Plan, form: Format) -> tuple[str, Kind] | None:
    if digits in plan.emergency:
        return digits, "emergency"
    if digits.startswith("+"):
        return _from_abroad(digits[1:], plan)
    if digits.startswith(plan.abroad):
        return _from_abroad(digits[len(plan.abroad) :], plan)
    if not plan.country:
        return digits, _kind_as_is(digits, plan)
    if form == "e164" and not digits.startswith("0") and len(digits) > 7:
        return _from_abroad(digits, plan)
    if plan.trunk == "0" and digits.startswith("0"):
        return _national(digits[1:], plan)
    return _without_prefix(digits, plan)


def _kind_as_is(digits: str, plan: Plan) -> Kind:
    """The kind of digits that no plan is applied to: what surely leads abroad is said to do so."""
    if digits in plan.emergency:
        return "emergency"
    return "international" if digits.startswith(("+", "00", "011")) else "unknown"


def _from_abroad(digits: str, plan: Plan) -> tuple[str, Kind] | None:
    """Country code and number."""
    if not 4 <= len(digits) <= MAX_DIGITS or digits.startswith("0"):
        return None
    if plan.country and digits.startswith(plan.country):
        rest = digits[len(plan.country) :]
        if plan.trunk == "0" and rest.startswith("0"):
            rest = rest[1:]  # +86 (0)10 ... is wrong, and is sent
        return _national(rest, plan)
    canonical = f"+{digits}"
    return canonical, "premium" if canonical.startswith(_PREMIUM_ABROAD) else "international"


def _national(nsn: str, plan: Plan) -> tuple[str, Kind] | None:
    """A national significant number: no prefix is left on it."""
    if not 3 <= len(nsn) <= MAX_DIGITS - len(plan.country) or nsn.startswith("0"):
        return None
    if plan.country == "86":
        kind = _chinese(nsn)
        if kind is None:
            others: tuple[tuple[Kind, re.Pattern[str]], ...] = (
                ("premium", _CHINA_PREMIUM),
                ("short", _CHINA_SHORT_OF_AREA),
            )
            kind = next((kind for kind, pattern in others if pattern.fullmatch(nsn)), None)
        return f"+86{nsn}", kind or "unknown"
    canonical = f"+{plan.country}{nsn}"
    return canonical, "premium" if canonical.startswith(_PREMIUM_ABROAD) else "national"


def _chinese(nsn: str) -> Kind | None:
    return next((kind for kind, pattern in _CHINA if pattern.fullmatch(nsn)), None)


def _without_prefix(digits: str, plan: Plan) -> tuple[str, Kind] | None:
    """Digits with no prefix: complete numbers, short codes, numbers of the area, extensions."""
    if plan.country != "86":
        return _without_prefix_elsewhere(digits, plan)
    if (kind := _chinese(digits)) is not None and kind != "geographic":
        return f"+86{digits}", kind
    if digits.startswith("86") and (kind := _chinese(digits[2:])) is not None:
        return f"+{digits}", kind
    if _CHINA_SHORT.fullmatch(digits):
        return digits, "short"
    if _CHINA_PREMIUM.fullmatch(digits):
        return f"+86{digits}", "premium"
    if plan.area and _CHINA_LOCAL.fullmatch(digits):
        return _national(plan.area + digits, plan)
    return digits, "unknown"


def _without_prefix_elsewhere(digits: str, plan: Plan) -> tuple[str, Kind] | None:
    if plan.country == "1":
        nsn = digits[1:] if len(digits) == 11 and digits.startswith("1") else digits
        return _national(nsn, plan) if len(nsn) == 10 else (digits, "unknown")
    if plan.trunk and plan.trunk != "0" and len(digits) > 10 and digits.startswith(plan.trunk):
        return _national(digits[len(plan.trunk) :], plan)
    if digits.startswith(plan.country) and len(digits) > len(plan.country) + 7:
        return _national(digits[len(plan.country) :], plan)
    if not plan.trunk and len(digits) >= 7:
        return _national(digits, plan)
    if plan.area and 5 <= len(digits) <= 8:
        return _national(plan.area + digits, plan)
    return digits, "unknown"


# -- writing ------------------------------------------------------------------------------------------


def written(number: Number, form: Format, plan: Plan) -> str:
    """`number` as a carrier wants it; what has no such form stays as its digits."""
    if form == "as_is":
        return number.text or number.canonical
    if form == "e164" or not number.canonical.startswith("+"):
        return number.canonical
    return in_country(number.canonical, plan)


def in_country(canonical: str, plan: Plan) -> str:
    """A canonical number as it is dialled in the country of `plan`."""
    home = f"+{plan.country}"
    if not plan.country or not canonical.startswith(home):
        return plan.abroad + canonical[1:]
    nsn = canonical[len(home) :]
    bare_kinds = plan.country == "86" and _chinese(nsn) in {"mobile", "service"}
    return nsn if bare_kinds else plan.trunk + nsn


def adjusted(digits: str, *, strip: str = "", prepend: str = "") -> str:
    """`digits` without the beginning `strip`, if it is there, and with `prepend` before it."""
    return prepend + digits.removeprefix(strip)


# -- patterns -----------------------------------------------------------------------------------------


def spellings(number: Number, plan: Plan) -> tuple[str, ...]:
    """All ways in which the beginning of `number` may be written, in its country and from abroad."""
    canonical = number.canonical
    if not canonical.startswith("+"):
        return (canonical,)
    return (canonical, plan.abroad + canonical[1:], *_home_spellings(number, plan))


def _home_spellings(number: Number, plan: Plan) -> tuple[str, ...]:
    """The ways without a country code; none for a number of another country."""
    canonical, home = number.canonical, f"+{plan.country}"
    if not canonical.startswith("+"):
        return () if number.kind in {"international", "premium"} else (canonical,)
    if not plan.country or not canonical.startswith(home):
        return ()
    return tuple({in_country(canonical, plan), plan.trunk + canonical[len(home) :]})


def ways(text: str, plan: Plan) -> frozenset[str]:
    """As what the number that `text` means may stand in records: so, and in every spelling that means it."""
    number = parse(text, plan)
    if number is None:
        return frozenset({text})
    canonical, area = number.canonical, f"+{plan.country}{plan.area}"
    found = {canonical, canonical.removeprefix("+"), number.text, *spellings(number, plan)}
    if plan.area and canonical.startswith(area):
        found.add(canonical.removeprefix(area))
    return frozenset({text, *(way for way in found if _means(way, canonical, plan))})


def _means(text: str, canonical: str, plan: Plan) -> bool:
    number = parse(text, plan)
    return number is not None and number.canonical == canonical


class Pattern(msgspec.Struct, frozen=True):
    """A number, a beginning with ``*``, a kind such as ``mobile``, or ``*`` for any number."""

    text: str
    start: str = ""
    exact: bool = False
    kinds: frozenset[Kind] = frozenset()

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Read a pattern. ValueError says what is wrong."""
        written_ = text.strip()
        if written_ in KINDS:
            named: frozenset[Kind] = frozenset({written_})  # type: ignore[arg-type]  # it is one of KINDS
            return cls(text, kinds=HOME_KINDS if written_ == "national" else named)
        start, star, rest = written_.partition("*")
        digits = start.translate(_SEPARATORS)
        if rest or not (_NUMBER.fullmatch(digits) or (star and digits in {"", "+"})):
            known = ", ".join(sorted(KINDS))
            raise ValueError(f"{text!r} is no number, no beginning with *, and none of {known}")
        return cls(text, digits, exact=not star)

    def matches(self, number: Number, plan: Plan) -> bool:
        """True when `number` is meant, however either was written."""
        if self.kinds:
            return number.kind in self.kinds
        if self.exact:
            own = parse(self.start, plan)
            return own is not None and own.canonical == number.canonical
        if self.start and number.canonical[:1] in "+0" and not self._tells_country(plan):
            # "0*" means the numbers of other areas: it must not let 0044... through
            return any(way.startswith(self.start) for way in _home_spellings(number, plan))
        return any(way.startswith(self.start) for way in spellings(number, plan))

    def _tells_country(self, plan: Plan) -> bool:
        """True when the beginning names a country: by its plus, or by the whole prefix for abroad."""
        return self.start.startswith(("+", plan.abroad, "00", "011"))
