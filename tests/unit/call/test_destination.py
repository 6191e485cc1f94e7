from __future__ import annotations

import pytest

from sipcc.call.destination import Destination


@pytest.mark.parametrize(
    ("text", "kind", "argument"),
    [
        ("echo", "echo", ""),
        ("queue:sales", "queue", "sales"),
        ("workflow:main", "workflow", "main"),
        ("dial:sip:bob@127.0.0.1:5070", "dial", "sip:bob@127.0.0.1:5070"),
        ("reject:503", "reject", "503"),
    ],
)
def test_a_destination_reads_and_writes_itself(text: str, kind: str, argument: str) -> None:
    destination = Destination.parse(text)
    assert (destination.kind, destination.argument) == (kind, argument)
    assert str(destination) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("qeue:sales", "known kinds"),
        ("queue", "needs an argument"),
        ("queue:", "needs an argument"),
        ("echo:x", "takes no argument"),
        ("reject:200", "400 to 699"),
        ("reject:٤٨٦", "400 to 699"),
        ("", "unknown destination"),
    ],
)
def test_a_wrong_destination_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Destination.parse(text)
