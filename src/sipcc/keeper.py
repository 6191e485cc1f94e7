"""The keeper: the process that stays when others die. It parses nothing and decides nothing about calls.

    python -m sipcc.keeper ADDRESS -- COMMAND...            start COMMAND, the control process, and keep it
    python -m sipcc.keeper --collect ADDRESS -- COMMAND...  take over from a keeper that died

It holds the listening sockets that control opened and, for each media worker, its RTP sockets and its memory
(`sipcc.nursery`). When control dies it starts it again and hands back what it held, so no datagram is missed
that the kernel can queue, while the workers carry on. When the keeper itself dies, control starts another
one, and everybody comes to its ADDRESS, a unix socket, with what is to be held.

SIGHUP goes to control, which reloads. SIGTERM and SIGINT go to control, which lets its calls end; the keeper
ends after it, with its exit code.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sipcc.lifeline import ENVIRONMENT, Lifeline, Message, close_all, pair, raise_descriptor_limit
from sipcc.nursery import WATCH_S, Nursery

HEALTHY_S = 5.0
"""Control that lived so long died by chance."""
FIRST_REST_S = 0.5
LONGEST_REST_S = 10.0
MOST_CRASHES = 10
"""After so many short lives in a row the keeper gives up: whoever started it must see that."""
COLLECT_S = 5.0
"""So long a new keeper waits for the control process that asked for it."""
AWAIT_S = 1.0
"""So long it waits for the worker of each place before it starts one."""
MAX_STRANGERS = 64


class Keeper:
    """The loop of the keeper."""

    def __init__(self, address: str, command: Sequence[str], *, collect: bool) -> None:
        self._address = address
        self._command = [*command]
        self._epoll = select.epoll()
        self._sources: dict[int, Callable[[float], None]] = {}
        self._listener = _listen(address)
        self._add(self._listener.fileno(), self._greet)
        self._strangers: dict[int, Lifeline] = {}
        self._nursery = Nursery(
            environment=dict(os.environ),
            on_link=self._pass_link,
            tell=self._tell,
            address=address,
        )
        self._add(self._nursery.fileno(), lambda now: self._nursery.work(now=now))
        self._places: dict[int, tuple[bytes, int]] = {}
        self._held: dict[str, tuple[int, ...]] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._control: Lifeline | None = None
        self._pid = 0
        self._pidfd = -1
        self._born_at = 0.0
        self._collect_until = time.monotonic() + COLLECT_S if collect else 0.0
        self._crashes = 0
        self._due: float | None = self._collect_until
        """When control is to be started; None while it lives."""
        self._was_ready = collect
        self._leaving = False
        self._told_pids: list[int] = []
        self._code: int | None = None

    # -- the loop -------------------------------------------------------------------------------------

    def run(self) -> int:
        """Keep until control has ended by itself; its exit code."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        watch_at = 0.0
        while self._code is None or not self._nursery.empty:
            now = time.monotonic()
            if self._code is None and self._due is not None and self._due <= now:
                self._start_control(now)
            if now >= watch_at:
                watch_at = now + WATCH_S
                self._nursery.watch(now=now)
                self._tell_pids()
            for descriptor, _ in self._epoll.poll(max(0.0, watch_at - time.monotonic())):
                source = self._sources.get(descriptor)
                if source is not None:
                    source(time.monotonic())
        with contextlib.suppress(OSError):
            Path(self._address).unlink()
            Path(self._address).parent.rmdir()
        return self._code

    def _on_signal(self, number: int, frame: object) -> None:
        if number == signal.SIGHUP:
            if self._pidfd >= 0:  # else control reads its configuration anew anyhow, when it starts
                with contextlib.suppress(OSError):
                    signal.pidfd_send_signal(self._pidfd, signal.SIGHUP)
        elif self._pidfd >= 0:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGTERM)
        else:
            self._end(0)  # between two lives of control: there is nobody to let calls end

    def _end(self, code: int) -> None:
        self._code = code
        self._due = None
        self._nursery.quit(now=time.monotonic())

    # -- control --------------------------------------------------------------------------------------

    def _start_control(self, now: float) -> None:
        lifeline, theirs = pair()
        number = theirs.fileno()
        with theirs:
            self._process = subprocess.Popen(
                self._command,
                pass_fds=[number],
                env={**os.environ, ENVIRONMENT: f"{number}:{self._address}"},
            )
        self._take_control(lifeline, self._process.pid, now)
        for name, descriptors in self._held.items():
            lifeline.send("back", name, descriptors=descriptors)
        lifeline.send("go", body=b"\0".join(word.encode() for word in self._command))

    def _take_control(self, lifeline: Lifeline, pid: int, now: float) -> None:
        self._control = lifeline
        self._pid = pid
        self._due = None
        self._born_at = now
        self._leaving = False
        self._told_pids = []
        self._add(lifeline.fileno(), self._hear)
        try:
            self._pidfd = os.pidfd_open(pid)
        except OSError:
            self._lose(now)
            return
        self._add(self._pidfd, self._lose)

    def _hear(self, now: float) -> None:
        control = self._control
        if control is None:
            return
        while (message := control.receive()) is not None:
            self._obey(message, now)
        if control.lost:
            self._drop_lifeline()

    def _obey(self, message: Message, now: float) -> None:
        kind, name = message.kind, message.name
        if kind == "hold":
            close_all(self._held.pop(name, ()))
            self._held[name] = message.descriptors
            return
        close_all(message.descriptors)
        if kind == "place":
            index, size = (int(word) for word in name.split())
            self._places[index] = message.body, size
        elif kind == "media":
            command = [word.decode() for word in message.body.split(b"\0")]
            places = [self._places[index] for index in sorted(self._places)]
            self._places.clear()
            self._nursery.begin(
                places,
                command=command,
                standby=name == "standby",
                now=now,
                grace_s=AWAIT_S if now < self._collect_until else 0.0,
            )
        elif kind == "relink":
            self._nursery.relink(int(name))
        elif kind == "ready":
            self._was_ready = True
        elif kind == "leaving":
            self._leaving = True
            self._nursery.quit(now=now)

    def _lose(self, now: float) -> None:
        """Control has ended: that was all, or it is started again."""
        self._drop_lifeline()
        self._remove(self._pidfd)
        with contextlib.suppress(OSError):
            os.close(self._pidfd)
        self._pid, self._pidfd = 0, -1
        code = self._process.wait() if self._process is not None else None
        self._process = None
        if self._code is not None:
            return
        if self._leaving or code == 0 or not self._was_ready:
            self._end(code or 0)
            return
        self._crashes = self._crashes + 1 if now - self._born_at < HEALTHY_S else 0
        if self._crashes >= MOST_CRASHES:
            self._tell("keeper.gave_up", {"crashes": self._crashes})
            self._end(1)
            return
        rest = min(LONGEST_REST_S, FIRST_REST_S * 2 ** (self._crashes - 2)) if self._crashes > 1 else 0.0
        self._due = now + rest
        self._tell("keeper.control_lost", {"code": code, "rest_s": rest})

    def _drop_lifeline(self) -> None:
        if self._control is not None:
            self._remove(self._control.fileno())
            self._control.close()
            self._control = None

    def _pass_link(self, index: int, link: socket.socket) -> None:
        with link:
            if self._control is not None:
                self._control.send("link", str(index), descriptors=(link.fileno(),))

    def _tell(self, event: str, values: dict[str, object]) -> None:
        text = " ".join(f"{name}={value}" for name, value in values.items())
        if self._control is None or not self._control.send("tell", event, text.encode()):
            sys.stderr.write(f"sipccd: {event} {text}\n")
            sys.stderr.flush()

    def _tell_pids(self) -> None:
        pids = [self._nursery.restarts, *self._nursery.pids]
        if pids != self._told_pids and self._control is not None:
            self._told_pids = pids
            self._control.send("pids", " ".join(str(pid) for pid in pids))

    # -- who comes from a keeper that died ------------------------------------------------------------

    def _greet(self, now: float) -> None:
        with contextlib.suppress(OSError):
            sock, _ = self._listener.accept()
            lifeline = Lifeline(sock)
            if len(self._strangers) >= MAX_STRANGERS:
                lifeline.close()
                return
            self._strangers[lifeline.fileno()] = lifeline
            self._add(lifeline.fileno(), lambda now: self._meet(lifeline, now))

    def _meet(self, lifeline: Lifeline, now: float) -> None:
        """Hear the first word of somebody who came: a worker or control."""
        message = lifeline.receive()
        if message is None and not lifeline.lost:
            return
        self._remove(lifeline.fileno())
        self._strangers.pop(lifeline.fileno(), None)
        words = message.name.split() if message is not None else []
        if message is None or message.kind != "here" or len(words) != 2 or not words[1].isdecimal():
            lifeline.close()
        elif words[0] == "control":
            close_all(message.descriptors)
            if self._control is not None or self._pid:
                lifeline.close()
                return
            self._take_control(lifeline, int(words[1]), now)
            lifeline.send("go", body=b"\0".join(word.encode() for word in self._command))
        elif words[0].isdecimal():
            self._nursery.adopt(message, lifeline, now=now)

    def _add(self, descriptor: int, source: Callable[[float], None]) -> None:
        self._sources[descriptor] = source
        self._epoll.register(descriptor, select.EPOLLIN)

    def _remove(self, descriptor: int) -> None:
        if self._sources.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)


def _listen(address: str) -> socket.socket:
    """The socket where processes find us: only its owner can reach it, by the mode of its folder."""
    with contextlib.suppress(OSError):
        Path(address).unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(address)
    listener.listen(MAX_STRANGERS)
    listener.setblocking(False)
    return listener


def main(arguments: Sequence[str]) -> int:
    """Run the keeper."""
    words = [*arguments]
    collect = words[0] == "--collect"
    if collect:
        del words[0]
    raise_descriptor_limit()
    return Keeper(words[0], words[2:], collect=collect).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
