from __future__ import annotations

import pytest

from sipcc.call.infokeys import PLAIN, RELAY, read_key, write_key


@pytest.mark.parametrize(
    ("kind", "body", "found"),
    [
        (RELAY, b"Signal=5\r\nDuration=160\r\n", ("5", 160)),
        (RELAY, b"signal= *\nduration=90", ("*", 90)),
        (RELAY, b"Signal=a", ("A", 100)),
        (RELAY, b"Signal=10", ("*", 100)),
        (RELAY, b"Signal=11", ("#", 100)),
        (RELAY, b"Signal=16", ("", 0)),
        (RELAY, b"Signal=E", ("", 0)),
        (RELAY, "Signal=\u0665".encode(), ("", 0)),
        (RELAY, b"Duration=5", ("", 0)),
        (RELAY, b"Signal=1\r\nDuration=999999", ("1", 100)),
        (PLAIN, b"7", ("7", 100)),
        (PLAIN, b" #\r\n", ("#", 100)),
        (PLAIN, b"Signal=7", ("", 0)),
        (PLAIN, b"", ("", 0)),
    ],
)
def test_a_key_is_read_in_any_spelling(kind: str, body: bytes, found: tuple[str, int]) -> None:
    assert read_key(kind, body) == found


@pytest.mark.parametrize("key", list("0123456789*#ABCD"))
def test_what_is_written_is_read_again(key: str) -> None:
    assert read_key(RELAY, write_key(key, 120)) == (key, 120)
