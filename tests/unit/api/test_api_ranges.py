from __future__ import annotations

import pytest

from sipcc.api.ranges import Span, Unsatisfiable, span_of


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ("bytes=0-", 0, 999),
        ("bytes=0-0", 0, 0),
        ("bytes=0-499", 0, 499),
        ("bytes=500-", 500, 999),
        ("bytes=999-999", 999, 999),
        ("bytes=900-5000", 900, 999),
        ("bytes=-1", 999, 999),
        ("bytes=-300", 700, 999),
        ("bytes=-5000", 0, 999),
        (" bytes=3-4 ", 3, 4),
    ],
)
def test_spans(header: str, first: int, last: int) -> None:
    span = span_of(header, 1000)
    assert span == Span(first, last, 1000)
    assert span.length == last - first + 1
    assert span.content_range == f"bytes {first}-{last}/1000"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=5-4",
        "bytes=0-1,5-6",
        "items=0-1",
        "bytes=99999999999999999999-",
    ],
)
def test_what_is_no_single_range_means_the_whole_file(header: str) -> None:
    assert span_of(header, 1000) is None


@pytest.mark.parametrize(
    ("header", "size"),
    [("bytes=1000-", 1000), ("bytes=5000-6000", 1000), ("bytes=-0", 1000), ("bytes=-5", 0)],
)
def test_what_begins_behind_the_end(header: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        span_of(header, size)
