"""What `sipcc.ivr` finds in menus and prompts, put to its place in the file."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sipcc.call.destination import Destination
from sipcc.config.callbacks import books
from sipcc.config.names import Names, check_target
from sipcc.config.prompts import checked_catalogue
from sipcc.config.schema import Config
from sipcc.ivr.check import Finding as MenuFinding
from sipcc.ivr.check import check_menus as find_menu_faults
from sipcc.ivr.prompts import cure_of
from sipcc.ivr.settings import MenuSettings
from sipcc.reading.findings import Report
from sipcc.reading.lines import Path

_PART = re.compile(r'\[(\d+)\]|\["([^"]*)"\]|\.?([A-Za-z_][A-Za-z_0-9]*)')


def check_menus(menus: Sequence[tuple[int, MenuSettings]], names: Names, report: Report) -> None:
    """Check keys, destinations and the ways from menu to menu."""
    settings = [menu for _, menu in menus]
    found = find_menu_faults(
        settings, known_queues=names.known("queues"), known_menus=names.known("menus"), catalogue=None
    )
    _put(found, report)
    for index, menu in menus:
        places: list[tuple[Path, str]] = [(("options", key), to) for key, to in menu.options.items()]
        for place, text in [*places, (("then",), menu.then)]:
            destination = _parsed(text)
            if destination is not None and destination.kind == "dial":
                check_target(destination.argument, ("menus", index, *place), names, report)


def check_prompts(config: Config, report: Report) -> None:
    """Check that every prompt that the file names is there, in its language."""
    catalogue = checked_catalogue(config, report)
    queues, menus = [queue.name for queue in config.queues], [menu.name for menu in config.menus]
    found = find_menu_faults(config.menus, known_queues=queues, known_menus=menus, catalogue=catalogue)
    _put(found, report)
    places: list[tuple[Path, str, str]] = [
        (("queues", index, "music"), queue.music, config.ivr.language)
        for index, queue in enumerate(config.queues)
        if queue.music
    ]
    places += [
        (("queues", index, "requeue_prompt"), queue.requeue_prompt, config.ivr.language)
        for index, queue in enumerate(config.queues)
        if queue.requeue and queue.requeue_prompt
    ]
    places += [
        (("agents", index, "accept_prompt"), agent.accept_prompt, config.ivr.language)
        for index, agent in enumerate(config.agents)
        if agent.accept_prompt
    ]
    places += [
        (("queues", index, "recording", "prompt"), queue.recording.prompt, config.ivr.language)
        for index, queue in enumerate(config.queues)
        if queue.recording.prompt
    ]
    places += [
        (("queues", index, "comfort", place), name, config.ivr.language)
        for index, queue in enumerate(config.queues)
        for place, name in enumerate(queue.comfort)
    ]
    for index, number in enumerate(config.numbers):
        language = number.language or config.ivr.language
        if number.recording.prompt:
            places.append((("numbers", index, "recording", "prompt"), number.recording.prompt, language))
        if number.ringback:
            places.append((("numbers", index, "ringback"), number.ringback, language))
        ways: list[tuple[Path, str]] = [((key,), getattr(number, key)) for key in ("to", "closed", "full")]
        ways += [(("regions", region), to) for region, to in number.regions.items()]
        for key, text in ways:
            destination = _parsed(text)
            if destination is not None and destination.kind == "play":
                places.append((("numbers", index, *key), destination.argument, language))
    stopped = _parsed(config.screening.to)
    if stopped is not None and stopped.kind == "play":
        places.append((("screening", "to"), stopped.argument, config.ivr.language))
    if config.screening.challenge:
        prompt = config.screening.challenge_prompt
        places.append((("screening", "challenge_prompt"), prompt, config.ivr.language))
    if any(books(queue) for queue in config.queues):
        places += [
            (("callbacks", key), getattr(config.callbacks, key), config.ivr.language)
            for key in ("prompt", "number_prompt")
            if getattr(config.callbacks, key)
        ]
    for path, name, language in places:
        for gap in catalogue.missing([name], language):
            add = report.warn if gap.heard_in else report.error
            add(path, gap.message, cure_of(gap.name))


def _put(found: Sequence[MenuFinding], report: Report) -> None:
    for finding in found:
        add = report.error if finding.severity == "error" else report.warn
        add(_path_of(finding.path), finding.message, finding.hint)


def _path_of(text: str) -> Path:
    """``menus[0].options["1"]`` as ``("menus", 0, "options", "1")``."""
    return tuple(
        int(match[1]) if match[1] is not None else match[2] if match[2] is not None else match[3]
        for match in _PART.finditer(text)
    )


def _parsed(text: str) -> Destination | None:
    try:
        return Destination.parse(text)
    except ValueError:
        return None
