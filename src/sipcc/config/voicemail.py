"""Checks of ``[[mailboxes]]`` and ``[[surveys]]``, as a core."""

from __future__ import annotations

from collections.abc import Sequence

from sipcc.config.names import Names, check_destination
from sipcc.ivr.survey import SurveySettings
from sipcc.ivr.voicemail import MailboxSettings
from sipcc.reading.findings import Report
from sipcc.reading.lines import Path


def check_mailboxes(mailboxes: Sequence[tuple[int, MailboxSettings]], names: Names, report: Report) -> None:
    """Check who owns each mailbox, and who calls back."""
    for index, box in mailboxes:
        path: Path = ("mailboxes", index)
        if not box.name or "/" in box.name or box.name.startswith("."):
            report.error((*path, "name"), f"{box.name!r} is no name of a folder", "write letters and digits")
        for position, user in enumerate(box.users):
            names.need("users", user, (*path, "users", position), report)
        if box.pin and not (box.pin.isascii() and box.pin.isdigit() and len(box.pin) <= 16):
            report.error((*path, "pin"), "a PIN has up to 16 digits, and nothing else")
        if box.callback:
            names.need("queues", box.callback, (*path, "callback"), report)
        if box.min_length >= box.max_length:
            report.error((*path, "min_length"), "no message is long enough", "write less than max_length")


def check_surveys(surveys: Sequence[tuple[int, SurveySettings]], names: Names, report: Report) -> None:
    """Check what is asked, after whose conversations, and what becomes of low scores."""
    taken: dict[str, str] = {}
    for index, survey in surveys:
        path: Path = ("surveys", index)
        for position, queue in enumerate(survey.queues):
            names.need("queues", queue, (*path, "queues", position), report)
            if not survey.agents and taken.setdefault(queue, survey.name) != survey.name:
                hint = "a caller is asked one survey: tell them apart by agents"
                message = f"queue {queue!r} has the survey {taken[queue]!r} already"
                report.error((*path, "queues", position), message, hint)
        for position, agent in enumerate(survey.agents):
            names.need("agents", agent, (*path, "agents", position), report)
        try:
            low, high = survey.bounds()
        except ValueError as error:
            report.error((*path, "scale"), str(error))
            continue
        asked = survey.low_to or survey.low_callback
        if asked and not low < survey.low_below <= high:
            hint = f"write low_below = NUMBER, from {low + 1} to {high}"
            report.error((*path, "low_below"), "no score, or every score, would be low", hint)
        if survey.low_below and not asked:
            report.warn((*path, "low_below"), "nothing is done about low scores", 'add low_to = "..."')
        if survey.low_to:
            check_destination(survey.low_to, (*path, "low_to"), names, report)
        if survey.low_callback:
            names.need("queues", survey.low_callback, (*path, "low_callback"), report)
