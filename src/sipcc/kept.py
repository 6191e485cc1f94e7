"""The control process's end of its keeper (`sipcc.keeper`): what it holds for us, and the media workers.

When the keeper dies, we start another one with the command that it would start us with, and tell it again
what is to be held; the workers come to it by themselves.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, MutableMapping, Sequence

from sipcc.lifeline import ENVIRONMENT, Lifeline, Message, close_all, connect
from sipcc.log import get_logger

_log = get_logger("sipcc.keeper")

START_WAIT_S = 5.0
SEEK_S = 0.05
KEEPER_TRIES = 100
"""So many times a new keeper is looked for before another one is started."""


class Kept:
    """A process that is kept: a holder of listening sockets, and the `Workers` of a pool."""

    def __init__(self, lifeline: Lifeline, address: str) -> None:
        self._lifeline: Lifeline | None = lifeline
        self._address = address
        self._command: list[str] = []
        self._back: dict[str, int] = {}
        self._holding: dict[str, socket.socket] = {}
        self._places: list[tuple[bytes, int]] = []
        self._media: tuple[str, bytes] | None = None
        self._on_link: Callable[[int, socket.socket], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tries = 0
        self._counts: list[int] = [0]
        self._ready = False
        self._leaving = False
        self._seeking: asyncio.TimerHandle | None = None
        self._own_keeper: subprocess.Popen[bytes] | None = None
        self._receive_first()

    @classmethod
    def of_environment(cls, environment: MutableMapping[str, str]) -> Kept | None:
        """The keeper that started this process; None when nobody keeps it.

        The word of it is taken out of `environment`: nobody keeps what we start.
        """
        number, _, address = environment.pop(ENVIRONMENT, "").partition(":")
        return cls(Lifeline(socket.socket(fileno=int(number))), address) if address else None

    def _receive_first(self) -> None:
        """Take back what was held for a process before us."""
        give_up_at = time.monotonic() + START_WAIT_S
        while self._lifeline is not None and time.monotonic() < give_up_at:
            self._lifeline.wait(START_WAIT_S)
            message = self._lifeline.receive()
            if message is None:
                if self._lifeline.lost:
                    return
                continue
            if message.kind == "back" and len(message.descriptors) == 1:
                self._back[message.name] = message.descriptors[0]
            elif message.kind == "go":
                self._learn_command(message)
                return

    def _learn_command(self, message: Message) -> None:
        self._command = [word.decode() for word in message.body.split(b"\0")]

    # -- life -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Listen to the keeper from the running loop."""
        self._loop = asyncio.get_running_loop()
        if self._lifeline is not None:
            self._loop.add_reader(self._lifeline.fileno(), self._hear)

    def ready(self) -> None:
        """Calls can come: from now on we are started again when we die. What nobody asked for is let go."""
        self._ready = True
        self._send("ready")
        for name, descriptor in self._back.items():
            close_all([descriptor])
            self._send("drop", name)
        self._back.clear()

    def close(self) -> None:
        """We end because we were told to, and not to be started again."""
        self._leaving = True
        self._send("leaving")
        if self._seeking is not None:
            self._seeking.cancel()
        if self._lifeline is not None:
            if self._loop is not None:
                self._loop.remove_reader(self._lifeline.fileno())
            self._lifeline.close()
            self._lifeline = None
        for sock in self._holding.values():
            sock.close()

    # -- listening sockets ----------------------------------------------------------------------------

    def take(self, name: str) -> socket.socket | None:
        """The socket that a process before us opened under this name, if there is one."""
        descriptor = self._back.pop(name, None)
        if descriptor is None:
            return None
        sock = socket.socket(fileno=descriptor)
        self._holding[name] = sock.dup()
        return sock

    def hold(self, name: str, sock: socket.socket) -> None:
        """Have a listening socket held for whoever comes after us."""
        self._holding[name] = sock.dup()
        self._send("hold", name, descriptors=(sock.fileno(),))

    # -- the workers of a pool ------------------------------------------------------------------------

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers, as last told."""
        return self._counts[1:]

    @property
    def restarts(self) -> int:
        """Workers that died and were replaced, since the keeper began."""
        return self._counts[0]

    def begin(
        self,
        places: Sequence[tuple[bytes, int]],
        on_link: Callable[[int, socket.socket], None],
        *,
        command: Sequence[str],
        standby: bool,
    ) -> None:
        """Have a worker started for each place, or find those that run."""
        self._places = [*places]
        self._on_link = on_link
        self._media = ("standby" if standby else "", b"\0".join(word.encode() for word in command))
        self._send_media()

    def relink(self, index: int) -> None:
        """Ask for a new link to a worker."""
        self._send("relink", str(index))

    async def end(self) -> None:
        """Say that we leave; the keeper sees the workers end."""
        self._leaving = True
        self._send("leaving")

    # -- the lifeline ---------------------------------------------------------------------------------

    def _send(self, kind: str, name: str = "", body: bytes = b"", descriptors: Sequence[int] = ()) -> None:
        if self._lifeline is not None:
            self._lifeline.send(kind, name, body, descriptors)

    def _send_media(self) -> None:
        for index, (body, size) in enumerate(self._places):
            self._send("place", f"{index} {size}", body)
        if self._media is not None:
            self._send("media", *self._media)

    def _hear(self) -> None:
        lifeline = self._lifeline
        if lifeline is None:
            return
        while (message := lifeline.receive()) is not None:
            self._obey(message)
        if lifeline.lost and lifeline is self._lifeline:
            assert self._loop is not None
            self._loop.remove_reader(lifeline.fileno())
            lifeline.close()
            self._lifeline = None
            if not self._leaving:
                _log.error("keeper.lost")
                self._start_keeper()

    def _obey(self, message: Message) -> None:
        if message.kind == "link" and self._on_link is not None and len(message.descriptors) == 1:
            self._on_link(int(message.name), socket.socket(fileno=message.descriptors[0]))
            return
        close_all(message.descriptors)
        if message.kind == "tell":
            values = dict(word.partition("=")[::2] for word in message.body.decode().split())
            _log.warning(message.name, **values)
        elif message.kind == "pids":
            self._counts = [int(word) for word in message.name.split()]
            _log.info("keeper.workers", pids=self.pids)
        elif message.kind == "go":
            self._learn_command(message)

    # -- another keeper -------------------------------------------------------------------------------

    def _start_keeper(self) -> None:
        """Start another keeper in the place of the one that died."""
        command = [sys.executable, "-m", "sipcc.keeper", "--collect", self._address, "--", *self._command]
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        except OSError:
            _log.exception("keeper.not_started")
        else:
            _log.warning("keeper.started", pid=process.pid)
            self._own_keeper = process
        self._tries = 0
        self._seek_later()

    def _seek_later(self) -> None:
        assert self._loop is not None
        self._seeking = self._loop.call_later(SEEK_S, self._seek)

    def _seek(self) -> None:
        assert self._loop is not None
        lifeline = connect(self._address)
        if lifeline is None:
            self._tries += 1
            if self._tries >= KEEPER_TRIES:
                self._start_keeper()
            else:
                self._seek_later()
            return
        self._lifeline = lifeline
        self._loop.add_reader(lifeline.fileno(), self._hear)
        self._send("here", f"control {os.getpid()}")
        for name, sock in self._holding.items():
            self._send("hold", name, descriptors=(sock.fileno(),))
        if self._ready:
            self._send("ready")
        self._send_media()
        _log.warning("keeper.replaced")
