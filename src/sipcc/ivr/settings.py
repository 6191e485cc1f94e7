"""Settings of the IVR layer."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

MOST_RETRIES = 100
"""How often a question may be asked again; no caller stays for more."""


class IvrSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What holds for all menus and prompts."""

    prompts: str = "prompts"
    """The operator's folder of prompts; it may be missing, and goes before the built-in sounds."""
    language: str = "en"
    """Language of calls that have none of their own."""
    timeout: float = 5.0
    """Seconds from the end of a menu's prompt to the first key."""
    interdigit: float = 3.0
    """Seconds from key to key, where an option has several or one is the beginning of another."""
    messages_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 30
    """Days after which what callers have said in flows and surveys is deleted; mailboxes have their own."""


class MenuSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One menu. What is wrong with a set of menus is told by `sipcc.ivr.check.check_menus`."""

    name: str
    """Unique among menus; the name in ``menu:NAME``."""
    prompt: str | tuple[str, ...]
    """What the caller hears; several are played one after the other."""
    options: dict[str, str]
    """Keys to destination: ``{"1" = "queue:sales", "2,3" = "menu:other", "12" = "dial:sip:..."}``.

    A comma separates alternatives. Where one option is the beginning of another, the caller has
    `interdigit` seconds to go on.
    """
    then: str
    """Destination when the caller has used up the retries; a menu never just hangs up."""
    timeout: float | None = None
    """Seconds from the end of the prompt to the first key; that of ``[ivr]`` when not given."""
    interdigit: float | None = None
    """Seconds from key to key; that of ``[ivr]`` when not given."""
    noinput: int = 2
    """How often the menu is played again because no key came, 0 to 100."""
    nomatch: int = 2
    """How often the menu is played again because the keys were no option, 0 to 100; counted on its own."""
    noinput_prompt: str | tuple[str, ...] = "noinput"
    """Goes before the menu's prompt when it is played again; several: first, second, third time."""
    nomatch_prompt: str | tuple[str, ...] = "invalid"
    """The same after wrong keys."""
    bargein: bool = True
    """False plays the prompt to its end whatever is typed, and forgets what was typed before it."""
    language: str = ""
    """The call goes on in this language from here; empty for no change."""

    @property
    def prompts(self) -> tuple[str, ...]:
        """`prompt` as a tuple without empty names."""
        return listed(self.prompt)

    def choices(self) -> dict[str, str]:
        """Each single key sequence with its destination; of duplicates the first one holds."""
        choices: dict[str, str] = {}
        for written, destination in self.options.items():
            for keys in split_keys(written):
                choices.setdefault(keys, destination)
        return choices


def listed(prompt: str | tuple[str, ...]) -> tuple[str, ...]:
    """One name or several as a tuple without empty ones."""
    names = (prompt,) if isinstance(prompt, str) else prompt
    return tuple(name for name in names if name)


def split_keys(written: str) -> list[str]:
    """``"2, 3"`` as ``["2", "3"]``; an empty text has one empty sequence, for checks to find."""
    return re.split(r"\s*,\s*", written.strip())


def retries_fault(count: int) -> tuple[str, str] | None:
    """What is wrong with how often something is asked again, and the cure; None when nothing is."""
    if count < 0:
        return "the number of retries is negative", "0 means no retry"
    if count > MOST_RETRIES:
        return "no caller is asked that often", f"write {MOST_RETRIES} or less; 2 is usual"
    return None
