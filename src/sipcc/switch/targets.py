"""The numbers behind trunks that the configuration itself names: nobody has to allow them once more."""

from __future__ import annotations

from collections.abc import Iterator

from sipcc.call import Destination
from sipcc.call.destination import DIALLED
from sipcc.call.numbering import Numbering
from sipcc.call.tollguard import TollGuard
from sipcc.config import Config
from sipcc.config.outbound import outbound_hours, read_do_not_call
from sipcc.switch.places import Places


def toll_guard(config: Config, numbering: Numbering, places: Places) -> TollGuard:
    """The toll guard of a switch.

    Raises:
        ConfigError: its list cannot be read.
    """
    return TollGuard(
        config.toll,
        numbering,
        configured=numbers_named(config, places),
        unwanted=read_do_not_call(config.toll, numbering.home),
        opened=outbound_hours(config),
    )


def numbers_named(config: Config, places: Places) -> frozenset[tuple[str, str]]:
    """What agents' contacts and ``dial:`` destinations ring over trunks, as (trunk, canonical number).

    What is no number, such as an access code, is named by the user part that is sent.
    """
    found = set()
    for target in _targets(config):
        for place in (step for found in places.locate(target) for step in (found, *found.instead)):
            if place.trunk is not None:
                number = place.number.canonical if place.number is not None else place.uri.user
                found.add((place.trunk.name, number))
    return frozenset(found)


def _targets(config: Config) -> Iterator[str]:
    yield from (place.to for agent in config.agents for place in agent.places if place.fixed)
    texts = [text for number in config.numbers for text in (number.to, number.closed, number.full)]
    texts += [text for number in config.numbers for text in number.regions.values()]
    texts.append(config.screening.to)
    for menu in config.menus:
        texts += [*menu.options.values(), menu.then]
    for queue in config.queues:
        texts += [queue.then, *queue.keys.values(), *(rule.to for rule in queue.overflow)]
    for text in texts:
        try:
            destination = Destination.parse(text)
        except ValueError:
            continue
        if destination.kind == "dial" and not destination.argument.endswith(DIALLED):
            yield destination.argument
