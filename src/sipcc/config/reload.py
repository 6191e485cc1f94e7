"""What a new configuration changes in one that is in force, as a core: two in, a list of changes out.

What cannot change while calls go on (listeners, media, the database, the process) stays as it was until the
next start; it is named in `Plan.kept`. All else is taken, in the order of the new file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from sipcc.config.schema import LISTS, TABLES, Config
from sipcc.reading.findings import Report

TAKEN = (
    *("calls", "ivr", "fetch", "toll", "screening", "regions"),
    *("users", "trunks", "agents", "queues", "workflows", "routers", "menus", "webapps", "hours", "numbers"),
    *("vxml", "bots", "routes", "flows", "alerts", "webhooks", "tokens", "mailboxes", "surveys"),
)
"""The sections that a reload takes over as a whole."""

UNTIL_RESTART = tuple(name for name in (*TABLES, *LISTS) if name not in TAKEN)
"""The sections that stay as they were until the next start."""

SECRETS = frozenset({"password", "secret", "digest", "pin"})
"""Keys whose values nobody learns anything about from a digest of the configuration."""

How = Literal["added", "removed", "renamed", "changed"]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is other than before."""

    section: str
    """As in the file: ``queues``, ``screening``."""
    how: How
    name: str = ""
    """Of the entry, in sections with several; numbers and routes go by what they are for."""
    was: str = ""
    """Of ``renamed``: the old name."""
    keys: tuple[str, ...] = ()
    """Of ``changed`` and ``renamed``: the keys that have other values."""

    def __str__(self) -> str:
        """In words, as in ``queues sales: changed strategy, wrap_up``."""
        what = f"{self.section} {self.name}".rstrip()
        if self.how == "renamed":
            more = f"; changed {', '.join(self.keys)}" if self.keys else ""
            return f"{what}: renamed from {self.was}{more}"
        return f"{what}: {self.how} {', '.join(self.keys)}".rstrip()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a reload does."""

    config: Config
    """What is in force afterwards: the new one, but for `kept`."""
    changes: tuple[Change, ...]
    kept: tuple[str, ...]
    """Keys with a new value that counts only from the next start on, such as ``sip.listen``."""
    digest: str
    """Of `config`; see `digest_of`."""


def plan(old: Config, new: Config) -> Plan:
    """What it takes to get from `old`, which is in force, to `new`, which has been checked."""
    kept = [key for name in UNTIL_RESTART for key in _differing(getattr(old, name), getattr(new, name), name)]
    effective = replace(new, **{name: getattr(old, name) for name in UNTIL_RESTART})
    effective, later = _with_old_levels(old, effective)
    changes: list[Change] = []
    for name in TAKEN:
        before, after = getattr(old, name), getattr(effective, name)
        if name in LISTS:
            changes += _entries(name, before, after)
        elif keys := tuple(_differing(before, after)):
            changes.append(Change(section=name, how="changed", keys=keys))
    digest = digest_of(effective)
    return Plan(config=effective, changes=tuple(changes), kept=(*kept, *later), digest=digest)


def digest_of(config: Config) -> str:
    """Tells configurations apart: 16 hex digits over all values but passwords and their like."""
    data = msgspec.json.encode(_masked(msgspec.to_builtins(config)))
    return hashlib.sha256(data).hexdigest()[:16]


def renamed(old: Sequence[Any], new: Sequence[Any]) -> dict[str, str]:
    """New names of entries that have been there before, each with its old name, by their key ``was``."""
    before, after = {entry.name for entry in old}, {entry.name for entry in new}
    return {
        entry.name: was
        for entry in new
        if (was := getattr(entry, "was", "")) in before and was not in after and entry.name not in before
    }


def check_renames(queues: Sequence[tuple[int, Any]], report: Report) -> None:
    """Check that no two queues say of themselves that they were the same one, or one that is still there."""
    names = {queue.name for _, queue in queues}
    claimed: dict[str, str] = {}
    for index, queue in queues:
        if not queue.was:
            continue
        other = queue.was if queue.was in names else claimed.get(queue.was)
        claimed[queue.was] = queue.name
        if other is not None:
            cause = f"queue {queue.name!r} cannot have been {queue.was!r}: queue {other!r} is"
            report.error(("queues", index, "was"), cause, "take `was` out: it is for one reload")


def _with_old_levels(old: Config, new: Config) -> tuple[Config, list[str]]:
    """`new` with the old T of each queue's service level: the figures of the day are counted by it."""
    names = renamed(old.queues, new.queues)
    before = {queue.name: queue.service_level for queue in old.queues}
    queues, kept = [], []
    for queue in new.queues:
        level = before.get(queue.name, queue.service_level)
        if level != queue.service_level and queue.name not in names:
            kept.append(f"queues.{queue.name}.service_level")
            queue = replace(queue, service_level=level)
        queues.append(queue)
    return replace(new, queues=tuple(queues)), kept


def _entries(section: str, old: Sequence[Any], new: Sequence[Any]) -> Iterator[Change]:
    before = {_name_of(entry): entry for entry in old}
    after = {_name_of(entry): entry for entry in new}
    names = renamed(old, new) if old and new and hasattr(new[0], "was") else {}
    for name, entry in after.items():
        was = names.get(name, "")
        known = before.get(was or name)
        if known is None:
            yield Change(section=section, how="added", name=name)
            continue
        keys = tuple(key for key in _differing(known, entry) if key not in ("name", "was"))
        if was:
            yield Change(section=section, how="renamed", name=name, was=was, keys=keys)
        elif keys:
            yield Change(section=section, how="changed", name=name, keys=keys)
    for name in before:
        if name not in after and name not in names.values():
            yield Change(section=section, how="removed", name=name)


def _name_of(entry: Any) -> str:
    """What an entry goes by: its name, or the number and trunk that it is for."""
    name = getattr(entry, "name", "") or getattr(entry, "number", "")
    trunk = getattr(entry, "trunk", "")
    return f"{name} of {trunk}" if trunk else str(name)


def _differing(old: Any, new: Any, place: str = "") -> Iterator[str]:
    """The keys of two structs of one kind whose values differ, with their places in it."""
    for name, shown in zip(new.__struct_fields__, new.__struct_encode_fields__, strict=True):
        before, after = getattr(old, name), getattr(new, name)
        if before == after:
            continue
        key = f"{place}.{shown}" if place else shown
        if isinstance(after, msgspec.Struct) and type(before) is type(after):
            yield from _differing(before, after, key)
        else:
            yield key


def _masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: "" if key in SECRETS else _masked(inner) for key, inner in value.items()}
    return [_masked(inner) for inner in value] if isinstance(value, list | tuple) else value
