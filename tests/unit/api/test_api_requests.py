"""Commands that are sent again."""

from __future__ import annotations

import pytest

from sipcc.api.requests import Answer, RequestIdReused, Requests

OK = Answer(200, b"{}")


def test_the_same_request_gets_the_same_answer() -> None:
    requests = Requests()
    assert requests.known("ann", "r1", b"pause") is None
    requests.keep("ann", "r1", b"pause", OK)
    assert requests.known("ann", "r1", b"pause") is OK


def test_another_request_with_that_id_is_refused() -> None:
    requests = Requests()
    requests.keep("ann", "r1", b"pause", OK)
    with pytest.raises(RequestIdReused, match="r1"):
        requests.known("ann", "r1", b"ready")


def test_ids_of_two_bearers_are_apart() -> None:
    requests = Requests()
    requests.keep("ann", "r1", b"pause", OK)
    assert requests.known("ben", "r1", b"ready") is None


def test_memory_is_bounded_and_the_oldest_goes() -> None:
    requests = Requests(limit=2)
    for request_id in ("r1", "r2", "r3"):
        requests.keep("ann", request_id, b"pause", OK)
    assert len(requests) == 2
    assert requests.known("ann", "r1", b"anything") is None
    assert requests.known("ann", "r2", b"pause") is OK
