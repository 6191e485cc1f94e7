"""What an agent's phone is told of a caller: as much as fits, and where the rest is."""

from __future__ import annotations

import json

import msgspec
import pytest

from sipcc.call.settings import CallSettings
from sipcc.call.usertouser import context_headers

CONTEXT = {"transcript": "asks for a refund", "order": "12", "名": "张三"}


def told(**settings: object) -> dict[str, str]:
    return dict(context_headers("call 1", CONTEXT, msgspec.convert(settings, CallSettings)))


def known(headers: dict[str, str]) -> dict[str, str]:
    value, _, rest = headers["User-to-User"].partition(";")
    assert rest == "encoding=hex"
    return json.loads(bytes.fromhex(value))


def test_nothing_is_told_unless_it_is_wanted_or_where_nothing_is_known() -> None:
    assert told() == {}
    assert context_headers("c", {}, msgspec.convert({"agent_context": 100}, CallSettings)) == ()


@pytest.mark.parametrize(
    ("limit", "names"), [(1024, {"order", "名", "transcript"}), (40, {"order", "名"}), (15, {"order"})]
)
def test_as_much_is_told_as_fits_and_the_transcript_goes_first(limit: int, names: set[str]) -> None:
    found = known(told(agent_context=limit))
    assert found == {name: CONTEXT[name] for name in names}
    assert len(json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()) <= limit


def test_a_limit_that_holds_nothing_tells_nothing() -> None:
    assert told(agent_context=5) == {}


def test_the_page_of_the_call_is_told() -> None:
    headers = told(agent_context_url="https://crm.example.com/calls/{call}?x=1")
    assert headers == {"Call-Info": "<https://crm.example.com/calls/call%201?x=1>;purpose=info"}


@pytest.mark.parametrize("url", ["crm.example.com", "https://a b", "https://a>b", "ftp://a", 'http://a"'])
def test_a_page_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="agent_context_url"):
        told(agent_context_url=url)


def test_limits_that_are_none_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="agent_context"):
        told(agent_context=1025)
