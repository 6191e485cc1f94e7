"""Parties on real sockets, for tests of both engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sipcc.rtp.udp import UdpSockets
from sipcc.testing.media import FakeMedia


@contextmanager
def parties_at(host: str, *, ssrc: int) -> Iterator[Callable[[], FakeMedia]]:
    """Gives a maker of parties at `host`, whose SSRCs count up from `ssrc`; all are closed at the end."""
    made: list[tuple[FakeMedia, UdpSockets]] = []

    def make() -> FakeMedia:
        sockets = UdpSockets()
        made.append((FakeMedia(sockets, host, ssrc=ssrc + len(made)), sockets))
        return made[-1][0]

    yield make
    for party, sockets in made:
        party.close()
        sockets.close_all()
