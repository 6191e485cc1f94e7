from __future__ import annotations

from sipcc.bus import Bus
from sipcc.events import Event


class Rang(Event, frozen=True, kw_only=True):
    who: str


class Left(Event, frozen=True, kw_only=True):
    who: str


def test_a_handler_gets_its_own_kind_and_all_gets_everything() -> None:
    bus = Bus()
    rang: list[Rang] = []
    everything: list[Event] = []
    bus.on(Rang, rang.append)
    bus.on_all(everything.append)
    bus.emit(Rang(at=1.0, who="a"))
    bus.emit(Left(at=2.0, who="a"))
    assert rang == [Rang(at=1.0, who="a")]
    assert everything == [Rang(at=1.0, who="a"), Left(at=2.0, who="a")]


def test_a_handler_that_raises_is_counted_and_stops_nobody() -> None:
    bus = Bus()
    seen: list[Rang] = []

    def bad(event: Rang) -> None:
        raise RuntimeError("boom")

    bus.on(Rang, bad)
    bus.on(Rang, seen.append)
    bus.emit(Rang(at=1.0, who="a"))
    assert len(seen) == 1
    assert bus.handler_errors == 1


def test_a_handler_can_be_taken_back() -> None:
    bus = Bus()
    seen: list[Event] = []
    bus.on(Rang, seen.append)
    bus.on_all(seen.append)
    bus.off(Rang, seen.append)
    bus.off_all(seen.append)
    bus.emit(Rang(at=1.0, who="a"))
    assert seen == []
