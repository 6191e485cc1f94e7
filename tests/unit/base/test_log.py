from __future__ import annotations

import io
import json

import pytest
import structlog

from sipcc.log import configure, configure_unless_done, get_logger, mask_number, redact


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("13800138000", "138****8000"),
        ("4008123456", "400***3456"),
        ("1001", "1001"),
        ("alice", "alice"),
        ("8123456", "***3456"),
    ],
)
def test_numbers_are_masked_and_short_extensions_are_not(number: str, shown: str) -> None:
    assert mask_number(number) == shown


def test_secrets_never_reach_a_line() -> None:
    event = redact(
        None, "info", {"event": "x", "password": "hunter2", "caller": "13800138000", "digits": "4111"}
    )
    assert event == {"event": "x", "password": "[redacted]", "caller": "138****8000", "digits": "[redacted]"}


def as_before() -> None:
    """Log as programs do that have set up nothing; structlog's own defaults print local variables."""
    structlog.reset_defaults()
    configure_unless_done()


def test_a_json_line_is_one_line_whatever_the_values_hold() -> None:
    stream = io.StringIO()
    configure(style="json", stream=stream)
    try:
        get_logger("test").info("call.started", source="a\r\nb\u2028c\x1b[31m")
    finally:
        as_before()
    lines = stream.getvalue().split("\n")
    assert len(lines) == 2
    assert lines[1] == ""
    assert json.loads(lines[0])["source"] == "a\r\nb\u2028c\x1b[31m"


def test_a_traceback_shows_no_local_variables() -> None:
    stream = io.StringIO()
    configure(style="console", stream=stream)

    def crash(password: str) -> None:
        raise RuntimeError("boom")

    try:
        crash("hun" + "ter2")
    except RuntimeError:
        get_logger("test").exception("call.crashed")
    finally:
        as_before()
    assert "boom" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()
