"""Logging: structlog set up once, with what is secret taken out before anything is written.

Event names are ``area.past_verb`` (``call.answered``), values are keys. Nothing is logged per packet.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Literal, TextIO

import structlog

SECRET_KEYS = frozenset(
    {"password", "authorization", "proxy_authorization", "secret", "digits", "token", "ha1"}
)
"""Keys whose values never reach a log line."""

_PHONE_KEYS = frozenset({"caller", "called", "from_number", "to_number", "number"})
_DIGITS = re.compile(r"[0-9]{7,}")


def get_logger(name: str) -> Any:  # structlog's own loggers are untyped proxies
    """The logger of module `name`; binding `call_id` and `leg` is left to context variables."""
    return structlog.get_logger(name)


def mask_number(number: str) -> str:
    """A telephone number as logs may show it: ``13800138000`` becomes ``138****8000``."""
    return _DIGITS.sub(
        lambda m: f"{m[0][:3]}{'*' * (len(m[0]) - 7)}{m[0][-4:]}" if len(m[0]) > 7 else "***" + m[0][-4:],
        number,
    )


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The structlog processor that removes secrets and masks telephone numbers."""
    for key, value in event.items():
        if key in SECRET_KEYS:
            event[key] = "[redacted]"
        elif key in _PHONE_KEYS and isinstance(value, str):
            event[key] = mask_number(value)
    return event


def configure(
    *,
    level: str = "info",
    style: Literal["json", "console"] = "console",
    stream: TextIO | None = None,
) -> None:
    """Set up logging for a process: one line of JSON or of text per event, to `stream` (default stderr)."""
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=True)
        if style == "json"
        # a plain traceback: the decorated kind prints local variables, secrets among them
        else structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    )
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    if style == "json":
        processors.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )


def configure_unless_done() -> None:
    """Log safely in programs that have not set up structlog, to stdout as its default does.

    What that prints of an error has local variables in it, and so what callers typed.
    """
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
            redact,
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ],
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=False,
    )


configure_unless_done()


@contextmanager
def quiet() -> Iterator[None]:
    """Log errors only meanwhile: for simulations, whose warnings are about nobody."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    try:
        yield
    finally:
        structlog.configure(**before)
