"""Commands that may be sent again, as a core: the same request id gets the same answer.

A client that lost the answer to a command sends it again with the same id. The answer comes from here, and
nothing is done twice. The same id with another request is the client's mistake and is refused.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

REQUESTS_KEPT = 4096
"""Answers kept; the oldest goes first. A client repeats within seconds."""


class Answer(msgspec.Struct, frozen=True):
    """What was said to a command."""

    status: int
    body: bytes


class _Kept(msgspec.Struct, frozen=True):
    asked: bytes
    answer: Answer


class RequestIdReused(Exception):
    """The request id stands for another request."""


class Requests:
    """The answers to the latest commands."""

    def __init__(self, limit: int = REQUESTS_KEPT) -> None:
        self._limit = limit
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def known(self, bearer: str, request_id: str, asked: bytes) -> Answer | None:
        """The answer that `bearer` got to this request; None when it is new.

        Raises:
            RequestIdReused: `bearer` asked something else with that id.
        """
        kept = self._kept.get((bearer, request_id))
        if kept is None:
            return None
        if kept.asked != asked:
            raise RequestIdReused(request_id)
        return kept.answer

    def keep(self, bearer: str, request_id: str, asked: bytes, answer: Answer) -> None:
        """Remember `answer`."""
        self._kept[bearer, request_id] = _Kept(asked, answer)
        if len(self._kept) > self._limit:
            self._kept.popitem(last=False)
