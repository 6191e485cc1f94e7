"""The processes of one daemon, told apart by what /proc says of them."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path


class Family:
    """Keeper, control, standby and workers of the daemon that runs with a configuration."""

    def __init__(self, config: Path) -> None:
        self._config = str(config)
        self._address = next(words[3] for _, _, words in _all() if _keeps(words) and self._config in words)

    @property
    def keeper(self) -> int:
        """The keeper; 0 when there is none at the moment."""
        return next((pid for pid, _, words in _all() if _keeps(words) and self._address in words), 0)

    @property
    def control(self) -> int:
        """The process that speaks SIP; 0 when there is none at the moment."""
        return next(
            (pid for pid, _, words in _all() if self._config in words and not _keeps(words)),
            0,
        )

    @property
    def standby(self) -> int:
        """The process that bears workers; 0 when there is none at the moment."""
        keeper = self.keeper
        return next((pid for pid, parent, _ in self._bred() if parent == keeper), 0)

    @property
    def workers(self) -> list[int]:
        """The media workers, oldest first."""
        keeper = self.keeper
        return sorted(pid for pid, parent, _ in self._bred() if parent != keeper)

    def all(self) -> list[int]:
        """Everybody."""
        mine = (self._address, self._config)
        return [pid for pid, _, words in _all() if any(word in words for word in mine)]

    def end(self) -> None:
        """Kill whoever is left; all are stopped first, so that nobody starts another one meanwhile."""
        for _ in range(2):  # one may have been started while the first were being stopped
            for pid in self.all():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
        for pid in self.all():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _bred(self) -> list[tuple[int, int, list[str]]]:
        return [one for one in _all() if "sipcc.rtp.standby" in one[2] and self._address in one[2]]


def _keeps(words: list[str]) -> bool:
    return "sipcc.keeper" in words


def _all() -> list[tuple[int, int, list[str]]]:
    """Process id, that of the parent, and the words of the command, of all processes of Python."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            status = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if "sipcc." in " ".join(words) and status[0] != "Z":
            found.append((int(folder.name), int(status[1]), words))
    return found
