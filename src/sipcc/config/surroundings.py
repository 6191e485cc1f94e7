"""Checks of what is around a configuration: folders, names in DNS, prompts. They ask the machine."""

from __future__ import annotations

import os
from pathlib import Path

from sipcc.config.connections import check_certificates
from sipcc.config.outbound import check_do_not_call
from sipcc.config.regions import check_region_file
from sipcc.config.schema import Config
from sipcc.errors import ConfigError
from sipcc.numbers import plan_of
from sipcc.reading.findings import Report
from sipcc.records.database import database_url, open_engine, sqlite_path
from sipcc.sip.dns import lookup
from sipcc.sip.trunk import destination_of


def check_surroundings(config: Config, report: Report) -> None:
    """Check that `config`, whose paths are absolute, fits this machine."""
    check_certificates(config.sip, report)
    _check_folder(Path(config.records.recordings), ("records", "recordings"), report)
    _check_codecs(config, report)
    check_region_file(config.regions, report)
    check_do_not_call(config.toll, plan_of(config.dialling.country, config.dialling.area_code), report)
    try:
        file = sqlite_path(database_url(config.records.database))
        if file is None:
            open_engine(config.records.database)  # connects to nothing, but needs the driver
    except ConfigError as error:
        report.error(("records", "database"), error.message, error.hint)
    else:
        if file is not None:
            _check_folder(file.parent, ("records", "database"), report)
    for index, trunk in enumerate(config.trunks):
        host, port, transport = destination_of(trunk)
        if trunk.host and not lookup(host, port or None, transport, config.sip.dns):
            report.error(
                ("trunks", index, "host"),
                f"the name {trunk.host!r} has no address",
                "correct the name, or ask the name server of this machine",
            )


def _check_codecs(config: Config, report: Report) -> None:
    """Opus needs a library of the machine."""
    places: list[tuple[tuple[str | int, ...], tuple[str, ...]]] = [(("media", "codecs"), config.media.codecs)]
    places += [(("trunks", index, "codecs"), trunk.codecs) for index, trunk in enumerate(config.trunks)]
    for place, codecs in places:
        if "opus" not in codecs:
            continue
        from sipcc.rtp.codec import libopus  # brings numpy along

        try:
            libopus.load()
        except ConfigError as error:
            report.error(place, error.message, error.hint)


def _check_folder(folder: Path, place: tuple[str, ...], report: Report) -> None:
    """A folder that is there must be writable; one that is not must be possible to make."""
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        report.error(place, f"{str(existing)!r} is no folder", "move it, or name another folder")
    elif not os.access(existing, os.W_OK | os.X_OK):
        what = "is not writable" if existing == folder else f"cannot be made in {str(existing)!r}"
        report.error(
            place, f"the folder {str(folder)!r} {what}", f"chown or chmod {existing}, or name another"
        )
