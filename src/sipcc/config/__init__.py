"""The configuration file: TOML and environment in, one checked `Config` out."""

from sipcc.config.load import (
    check,
    load,
    load_keeper,
    load_memberships,
    load_plan,
    load_records,
    load_regions,
    load_service_levels,
    load_socket,
)
from sipcc.config.schema import Config, LogSettings
from sipcc.reading.findings import Finding

__all__ = [
    "Config",
    "Finding",
    "LogSettings",
    "check",
    "load",
    "load_keeper",
    "load_memberships",
    "load_plan",
    "load_records",
    "load_regions",
    "load_service_levels",
    "load_socket",
]
