"""Looks for mistakes in a set of menus before a caller finds them."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from sipcc.call.destination import Destination
from sipcc.call.digits import KEYS
from sipcc.ivr.optionfaults import circle, option_faults
from sipcc.ivr.prompttable import LANGUAGE
from sipcc.ivr.settings import MenuSettings, listed, retries_fault, split_keys

if TYPE_CHECKING:
    from sipcc.ivr.prompts import PromptCatalogue


_BEFORE = ("noinput", "invalid")
"""What menus say before they are played again, when nothing else is named."""


class Finding(NamedTuple):
    """One mistake: where (the key path in the file), what, and the cure."""

    path: str
    message: str
    hint: str
    severity: Literal["error", "warning"] = "error"
    """An error sends callers astray; a warning makes them wait or hear the wrong language."""


def check_menus(
    menus: Sequence[MenuSettings],
    *,
    known_queues: Collection[str] | None,
    known_menus: Collection[str] | None = None,
    catalogue: PromptCatalogue | None,
    language: str = "",
) -> list[Finding]:
    """All mistakes in `menus`, in the order of the file.

    Args:
        menus: The menus, in the order in which they stand in the file.
        known_queues: Names of queues; None leaves queues unchecked.
        known_menus: Names of menus that exist; None for those of `menus`.
        catalogue: Where prompts are looked for; None leaves them unchecked.
        language: Language of calls that come to menus without one; empty for the catalogue's own.
    """
    findings = find_faults(menus, known_queues=known_queues, known_menus=known_menus)
    if catalogue is not None:
        for index, menu in enumerate(menus):
            findings += _check_prompts(f"menus[{index}]", menu, catalogue, language)
    findings += _check_circles(menus)
    return sorted(findings, key=lambda finding: int(finding.path[len("menus[") :].partition("]")[0]))


def find_faults(
    menus: Sequence[MenuSettings],
    *,
    known_queues: Collection[str] | None = None,
    known_menus: Collection[str] | None = None,
) -> list[Finding]:
    """The mistakes for which neither sound files nor the way through several menus need to be known."""
    names = {menu.name for menu in menus} if known_menus is None else set(known_menus)
    findings: list[Finding] = []
    seen: set[str] = set()
    for index, menu in enumerate(menus):
        at = f"menus[{index}]"
        if menu.name in seen:
            findings.append(
                Finding(f"{at}.name", f"there are two menus {menu.name!r}", "give one another name")
            )
        seen.add(menu.name)
        findings += _check_options(at, menu)
        findings += _check_numbers(at, menu)
        if menu.language and not LANGUAGE.fullmatch(menu.language):
            cause = f"{menu.language[:100]!r} is no language"
            findings.append(Finding(f"{at}.language", cause, 'name it as in "zh" or "en-US"'))
        findings += _check_destinations(at, menu, names, known_queues)
    return findings


def _check_options(at: str, menu: MenuSettings) -> Iterator[Finding]:
    if not menu.options:
        yield Finding(f"{at}.options", "the menu has no options", 'add some, as in {"1" = "queue:sales"}')
    for written in menu.options:
        for keys in split_keys(written):
            if not keys or not KEYS.issuperset(keys):
                path = f'{at}.options["{written}"]'
                yield Finding(path, f"{keys!r} cannot be typed", "keys are 0 to 9, * and #")
    for fault in option_faults(menu.options):
        severity: Literal["error", "warning"] = "error" if fault.kind == "double" else "warning"
        yield Finding(f'{at}.options["{fault.written}"]', fault.message, fault.hint, severity)


def _check_numbers(at: str, menu: MenuSettings) -> Iterator[Finding]:
    for name in ("noinput", "nomatch"):
        if fault := retries_fault(getattr(menu, name)):
            yield Finding(f"{at}.{name}", *fault)
    for name in ("timeout", "interdigit"):
        seconds = getattr(menu, name)
        if seconds is not None and not 0 < seconds <= 3600:
            yield Finding(f"{at}.{name}", f"{seconds} is no time to wait", "give seconds, as in 5")


def _check_destinations(
    at: str, menu: MenuSettings, menus: Collection[str], queues: Collection[str] | None
) -> Iterator[Finding]:
    if not menu.then:
        hint = 'say where callers go who press nothing, as in then = "queue:sales"'
        yield Finding(f"{at}.then", "the menu has no `then`", hint)
    places = [(f'{at}.options["{keys}"]', to) for keys, to in menu.options.items()]
    for path, text in [*places, *([(f"{at}.then", menu.then)] if menu.then else [])]:
        try:
            destination = Destination.parse(text)
        except ValueError as error:
            yield Finding(path, str(error), "write a destination as kind:name")
            continue
        known = {"menu": menus, "queue": queues}.get(destination.kind)
        if known is not None and destination.argument not in known:
            yield Finding(
                path,
                f"there is no {destination.kind} {destination.argument!r}",
                nearest(destination.argument, known),
            )


def _check_prompts(
    at: str, menu: MenuSettings, catalogue: PromptCatalogue, language: str
) -> Iterator[Finding]:
    from sipcc.ivr.prompts import cure_of

    if not menu.prompts:
        yield Finding(f"{at}.prompt", "the menu plays nothing", "name a prompt")
    own = menu.language if LANGUAGE.fullmatch(menu.language) else ""
    language = own or language
    places = [
        (f"{at}.prompt", menu.prompts),
        (f"{at}.noinput_prompt", listed(menu.noinput_prompt) if menu.noinput else ()),
        (f"{at}.nomatch_prompt", listed(menu.nomatch_prompt) if menu.nomatch else ()),
    ]
    for keys, text in [*menu.options.items(), ("", menu.then)]:
        if text.startswith("play:"):
            path = f'{at}.options["{keys}"]' if keys else f"{at}.then"
            places.append((path, (text.removeprefix("play:"),)))
    unsaid = []
    for path, names in places:
        for gap in catalogue.missing(names, language):
            if own and gap.heard_in and gap.name in _BEFORE:  # nobody need have written its name
                unsaid.append(gap.name)
                continue
            yield Finding(path, gap.message, cure_of(gap.name), "warning" if gap.heard_in else "error")
    if unsaid:
        cause = f"callers hear another language: {' and '.join(unsaid)} are not there for {own!r}"
        hint = f"put {', '.join(f'{name}.wav' for name in unsaid)} into {own}/ in the prompts folder"
        yield Finding(f"{at}.language", cause, f"{hint}, or correct the language", "warning")


def _check_circles(menus: Sequence[MenuSettings]) -> Iterator[Finding]:
    """Menus whose `then` leads round to themselves: a silent caller never gets out."""
    following: dict[str, str] = {}
    for menu in menus:
        kind, _, name = menu.then.partition(":")
        if kind == "menu":
            following.setdefault(menu.name, name)
    for index, menu in enumerate(menus):
        if way := circle(following, menu.name):
            yield Finding(
                f"menus[{index}].then",
                f"callers who press nothing go round for ever: {' > '.join(way)}",
                "let one `then` of the circle lead to a queue or a telephone",
            )


def nearest(name: str, known: Collection[str]) -> str:
    """A hint: the known name that `name` was probably meant to be, or all there are."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known)) or 'none'}"
