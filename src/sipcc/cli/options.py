"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


def config_option(meaning: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`--config`, with `meaning` as its line of help."""
    return click.option(
        "--config",
        "-c",
        type=click.Path(path_type=Path),
        default=Path("sipcc.toml"),
        show_default=True,
        envvar="SIPCC_CONFIG",
        help=meaning,
    )
