"""Checks of ``[[bots]]``, as a core."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sipcc.config.names import Names, check_destination
from sipcc.ivr.bots.settings import BotSettings
from sipcc.reading.findings import Report
from sipcc.reading.lines import Path
from sipcc.reading.urls import is_url

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2


def check_bots(bots: Sequence[tuple[int, BotSettings]], names: Names, report: Report) -> None:
    """Check where each bot is, and where its callers go when it fails."""
    for index, bot in bots:
        path: Path = ("bots", index)
        schemes = ("tcp",) if bot.wire == "audiosocket" else ("ws", "wss")
        if not is_url(bot.url, schemes):
            hint = (
                'as in "tcp://127.0.0.1:9092"'
                if bot.wire == "audiosocket"
                else 'as in "ws://127.0.0.1:8765/"'
            )
            report.error((*path, "url"), f"{bot.url!r} is no address of a bot that speaks {bot.wire}", hint)
        if not _TOKEN.fullmatch(bot.header):
            report.error((*path, "header"), f"{bot.header!r} is no name of a header", 'as in "Authorization"')
        if not bot.secret.isascii() or not bot.secret.isprintable():
            report.error((*path, "secret"), "it is no value of a header", "write it in one line of ASCII")
        if bot.wire == "audiosocket" and bot.secret:
            report.warn((*path, "secret"), "AudioSocket has no place for a secret", "leave it out")
        if bot.wire in ("twilio", "telnyx", "plivo", "genesys") and bot.rate_hz != 8000:
            report.error((*path, "rate_hz"), f"streams of {bot.wire} have 8000 Hz", "leave it out")
        if bot.fallback.startswith(("bot:", "app:")):
            report.error(
                (*path, "fallback"), f"{bot.fallback!r} may fail as well", 'name a queue, as in "queue:NAME"'
            )
        else:
            check_destination(bot.fallback, (*path, "fallback"), names, report)
        check_destination(bot.then, (*path, "then"), names, report)
