"""Checks of ``[callbacks]``, and of the queues that lead to it."""

from __future__ import annotations

from collections.abc import Sequence

from sipcc.acd.callback import HERE, CallbackSettings
from sipcc.acd.settings import QueueSettings
from sipcc.config.names import Names
from sipcc.numbers import Pattern
from sipcc.reading.findings import Report
from sipcc.sip.settings import TrunkSettings


def books(queue: QueueSettings) -> bool:
    """True when a way out of `queue` leads to a callback."""
    return HERE in (queue.then, *queue.keys.values(), *(rule.to for rule in queue.overflow))


def check_callbacks(
    settings: CallbackSettings,
    queues: Sequence[tuple[int, QueueSettings]],
    trunks: Sequence[tuple[int, TrunkSettings]],
    names: Names,
    report: Report,
) -> None:
    """Check that who is called back can be called, and is shown a number of ours."""
    if settings.hours:
        names.need("hours", settings.hours, ("callbacks", "hours"), report)
    if settings.route and settings.route not in names.known("routes"):
        names.need("trunks", settings.route, ("callbacks", "route"), report)
    for index, text in enumerate(settings.deny):
        try:
            Pattern.parse(text)
        except ValueError as error:
            report.error(("callbacks", "deny", index), str(error), 'write a number, "0108*" or mobile')
    used = [index for index, queue in queues if books(queue)]
    if not used:
        return
    if not trunks:
        report.error(
            ("queues", used[0], "name"), "callers are called back, and there is no trunk", "add [[trunks]]"
        )
    elif not settings.caller_id and not any(trunk.numbers or trunk.caller_id for _, trunk in trunks):
        report.warn(
            ("callbacks", "caller_id"),
            "customers would be shown their own number",
            'write one of yours, as in caller_id = "4008123456"',
        )
