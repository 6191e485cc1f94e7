"""Looks after workers: starts them, holds what must outlive them, and replaces what dies or hangs.

A worker is a process that the nursery knows nothing of but this: it has a lifeline, over which it asks us
to hold its sockets by name; a memory file, in which it writes what its successor must know, and every few
milliseconds its beat; and a link, a stream to whoever commands it, of which we only make the two ends.
When it dies, the standby - a process that has all imports behind it - forks a successor in milliseconds,
which gets the same memory, the same sockets and a new link. What the network sent meanwhile waits in the
kernel's queues.

No loop of its own: whoever owns a nursery waits on its one descriptor and calls `work`, and calls `watch`
every `WATCH_S`. Both the keeper of the daemon and a worker pool in a library do.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence

from sipcc.lifeline import MAX_DESCRIPTORS, Lifeline, Message, close_all, pair
from sipcc.ward import Ward, make_memory

WATCH_S = 0.1
HANG_S = 0.4
"""A worker whose beat is older than this hangs: with `WATCH_S` that is noticed within half a second."""
HEALTHY_S = 2.0
"""A worker that lived so long died by chance; after the second that lived shorter, successors wait."""
FIRST_REST_S = 0.25
LONGEST_REST_S = 8.0
POISONED = 4
"""After so many short lives in a row a successor starts without what the others left: it may be the cause."""
QUIT_WAIT_S = 5.0
"""Seconds that a worker gets to close its recordings before it is killed."""


class Nursery:
    """The workers of one machine and their standby."""

    def __init__(
        self,
        *,
        environment: dict[str, str],
        on_link: Callable[[int, socket.socket], None],
        tell: Callable[[str, dict[str, object]], None],
        address: str = "",
    ) -> None:
        """`on_link` gets our end of the link of a worker, `tell` what happened to whom.

        `address` is where workers find a keeper when theirs is gone; without one they end then.
        """
        self._command: list[str] = []
        self._environment = environment
        self._on_link = on_link
        self._tell = tell
        self._address = address
        self._keep_standby = True
        self._epoll = select.epoll()
        self._sources: dict[int, Callable[[float], None]] = {}
        self._wards: list[Ward] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._standby: Lifeline | None = None
        self._ready = False
        self._standby_at = 0.0
        self._standby_rest = 0.0
        self._watched_at = 0.0
        self._quitting = False
        self._kill_at = float("inf")
        self.restarts = 0
        """Workers that died and had to be replaced."""

    # -- what its owner says --------------------------------------------------------------------------

    def fileno(self) -> int:
        """Readable when `work` has something to do."""
        return self._epoll.fileno()

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers."""
        return [ward.pid for ward in self._wards if ward.pid]

    @property
    def standby_pid(self) -> int:
        """The process id of the standby, 0 while there is none."""
        return self._process.pid if self._process is not None else 0

    @property
    def places(self) -> list[bytes]:
        """What each worker was started with."""
        return [ward.body for ward in self._wards]

    @property
    def empty(self) -> bool:
        """True when no process of ours is left."""
        return self._process is None and not any(ward.pid or ward.lifeline for ward in self._wards)

    def begin(
        self,
        places: Sequence[tuple[bytes, int]],
        *,
        command: Sequence[str],
        now: float,
        standby: bool = True,
        grace_s: float = 0.0,
    ) -> None:
        """Start a worker for each place: what it is told, and how many bytes of memory it gets.

        `command` starts the standby; the number of its lifeline is added, then our address. Without `standby`
        that process ends when all are born, and is started again when one dies. A worker that is there and
        was told just the same stays as it is and gets a new link; one that was told otherwise is replaced.
        For `grace_s` one may still come from a keeper that died.
        """
        self._command = [*command]
        self._keep_standby = standby
        for index, (body, size) in enumerate(places):
            if index == len(self._wards):
                self._wards.append(Ward(index, body, make_memory(size)))
            ward = self._wards[index]
            there = bool(ward.lifeline or ward.pid)
            if there and ward.body == body:
                self._link(ward)
            elif not there:
                if ward.body != body:
                    ward.renew(body, make_memory(size))
                ward.due = now + grace_s
            else:
                ward.renew(body, make_memory(size))
                if ward.lifeline is not None:
                    ward.lifeline.send("quit")
        for ward in self._wards[len(places) :]:
            if ward.lifeline is not None:
                ward.lifeline.send("quit")
        del self._wards[len(places) :]
        self._bear_all(now)

    def relink(self, index: int) -> None:
        """Make a new link to a worker that lives; one that does not gets it with its successor."""
        if index < len(self._wards):
            self._link(self._wards[index])

    def adopt(self, message: Message, lifeline: Lifeline, *, now: float) -> None:
        """Take in a worker of a keeper that died; `message` is its first word, ``here``.

        Its sockets follow as ``hold``. One whose place is filled or unknown is told to end.
        """
        index, pid = (int(word) for word in message.name.split())
        while index >= len(self._wards):  # places are filled in any order
            self._wards.append(Ward(len(self._wards), b"", make_memory(0)))
            self._wards[-1].due = None
        ward = self._wards[index]
        if ward.pid and ward.pid != pid:
            lifeline.send("quit")
            lifeline.close()
            close_all(message.descriptors)
            return
        if message.descriptors:
            ward.renew(message.body, message.descriptors[0])  # it says anew what is to be held
        self._drop_lifeline(ward)
        ward.lifeline = lifeline
        self._add(lifeline.fileno(), lambda now: self._hear(ward, now))
        ward.due = None
        ward.born_at = now
        self._know(ward, pid, now)
        if self._command:  # who commands is there already, and may be another one
            self._link(ward)

    def quit(self, *, now: float) -> None:
        """Tell all to end, and bring no more up; who still lives after `QUIT_WAIT_S` is killed."""
        self._quitting = True
        self._kill_at = now + QUIT_WAIT_S
        for ward in self._wards:
            ward.due = None
            if ward.lifeline is not None:
                ward.lifeline.send("quit")
        self._release_standby()

    def _release_standby(self) -> None:
        """End the standby when all that it bore have ended: it buries them."""
        if self._standby is not None and not any(ward.pid or ward.lifeline for ward in self._wards):
            self._standby.send("quit")

    def work(self, *, now: float) -> None:
        """Hear what processes say, and notice the dead."""
        for descriptor, _ in self._epoll.poll(0):
            source = self._sources.get(descriptor)
            if source is not None:
                source(now)

    def watch(self, *, now: float) -> None:
        """Look for workers that hang, and bear those that are due."""
        on_time = now - self._watched_at < 2 * WATCH_S
        self._watched_at = now
        for ward in self._wards:
            if ward.pid and (now >= self._kill_at or (on_time and self._hangs(ward, now))):
                self._kill(ward)
        if self._process is not None:
            if now >= self._kill_at:
                self._process.kill()
            if self._process.poll() is not None:
                self._end_standby()
        self._bear_all(now)

    def close(self) -> None:
        """Let go of everything; the processes notice."""
        for ward in self._wards:
            self._drop_lifeline(ward)
            self._forget_process(ward)
            ward.let_go()
            ward.view.close()
            os.close(ward.memory)
        self._wards.clear()
        self._lose_standby()
        self._epoll.close()

    # -- the standby ----------------------------------------------------------------------------------

    def _start_standby(self, now: float) -> None:
        if now < self._standby_at + self._standby_rest:
            return
        short = now - self._standby_at < HEALTHY_S
        self._standby_rest = min(LONGEST_REST_S, self._standby_rest * 2 or FIRST_REST_S) if short else 0.0
        self._standby_at = now
        self._standby, theirs = pair()
        with theirs:
            self._process = subprocess.Popen(
                [*self._command, str(theirs.fileno()), self._address],
                pass_fds=[theirs.fileno()],
                env=self._environment,
                stdin=subprocess.DEVNULL,
            )
        self._add(self._standby.fileno(), self._hear_standby)

    def _hear_standby(self, now: float) -> None:
        standby = self._standby
        assert standby is not None
        while (message := standby.receive()) is not None:
            close_all(message.descriptors)
            if message.kind == "ready":
                self._ready = True
        if standby.lost:
            self._end_standby()
        self._bear_all(now)

    def _end_standby(self) -> None:
        self._lose_standby()
        if not self._quitting and self._keep_standby:
            self._tell("media.standby_lost", {})

    def _lose_standby(self) -> None:
        self._ready = False
        if self._standby is not None:
            self._remove(self._standby.fileno())
            self._standby.close()
            self._standby = None
        if self._process is not None:
            self._process.kill()  # its lifeline is gone: it ends by itself, or it is mad
            self._process.wait()
            self._process = None

    # -- birth ----------------------------------------------------------------------------------------

    def _bear_all(self, now: float) -> None:
        """Bear whoever is due, as far as there is a standby to do it."""
        if self._quitting:
            return
        due = [ward for ward in self._wards if ward.due is not None and ward.due <= now]
        if self._process is None:
            if due or (self._keep_standby and self._wards):
                self._start_standby(now)
            return
        if not self._ready:
            return
        for ward in due:
            self._bear(ward, now)
        if not self._keep_standby and self._standby is not None:
            self._standby.send("quit")
            self._ready = False
            self._standby_at = float("-inf")  # this short life is no crash

    def _bear(self, ward: Ward, now: float) -> None:
        assert self._standby is not None
        lifeline, theirs = pair()
        with theirs:
            sent = self._standby.send("bear", str(ward.index), ward.body, (theirs.fileno(), ward.memory))
        if not sent:
            lifeline.close()
            return  # the loss of the standby is noticed, and we come again
        ward.lifeline = lifeline
        ward.due = None
        ward.born_at = now
        ward.starved_ns = -1
        self._add(lifeline.fileno(), lambda now: self._hear(ward, now))
        self._give_back(ward)
        lifeline.send("go")
        self._link(ward)

    def _give_back(self, ward: Ward) -> None:
        """Hand the sockets of a place to its new worker, many in a message."""
        assert ward.lifeline is not None
        names: list[str] = []
        descriptors: list[int] = []
        for name, held in ward.held.items():
            if len(descriptors) + len(held) > MAX_DESCRIPTORS:
                ward.lifeline.send("give", body=" ".join(names).encode(), descriptors=descriptors)
                names, descriptors = [], []
            names.append(f"{name}:{len(held)}")
            descriptors.extend(held)
        if names:
            ward.lifeline.send("give", body=" ".join(names).encode(), descriptors=descriptors)

    def _link(self, ward: Ward) -> None:
        if ward.lifeline is None:
            return
        ours, theirs = socket.socketpair()
        with theirs:
            if not ward.lifeline.send("link", descriptors=(theirs.fileno(),)):
                ours.close()
                return
        self._on_link(ward.index, ours)

    # -- life and death -------------------------------------------------------------------------------

    def _hear(self, ward: Ward, now: float) -> None:
        lifeline = ward.lifeline
        if lifeline is None:
            return
        while (message := lifeline.receive()) is not None:
            if message.kind == "here":
                close_all(message.descriptors)
                self._know(ward, int(message.name.split()[1]), now)
            elif message.kind == "hold":
                close_all(ward.held.pop(message.name, ()))
                ward.held[message.name] = message.descriptors
            else:
                close_all(message.descriptors)
                if message.kind == "drop":
                    close_all(ward.held.pop(message.name, ()))
                elif message.kind == "relink":
                    self._link(ward)
                elif message.kind == "leaving":
                    ward.leaving = True
        if lifeline.lost and ward.lifeline is lifeline:
            self._drop_lifeline(ward)
            if not ward.pid:
                self._lose(ward, now)

    def _know(self, ward: Ward, pid: int, now: float) -> None:
        """Remember the process of a ward, and notice its end from now on."""
        self._forget_process(ward)
        try:
            ward.pidfd = os.pidfd_open(pid)
        except OSError:
            self._lose(ward, now)
            return
        ward.pid = pid
        ward.born_at = now  # the standby may have come late to its fork: that was no silence of the worker
        self._add(ward.pidfd, lambda now: self._lose(ward, now))

    def _hangs(self, ward: Ward, now: float) -> bool:
        """True when a worker is silent, unless it waits for a processor most of the time as all others do."""
        silent = now - max(ward.beat, ward.born_at)
        if silent < HANG_S / 2:
            ward.starved_ns = -1
            return False
        starved = ward.waited_ns()
        if ward.starved_ns < 0:
            ward.starved_ns = starved
            return False
        return silent > HANG_S and starved - ward.starved_ns < HANG_S * 1e9 / 4

    def _kill(self, ward: Ward) -> None:
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(ward.pidfd, signal.SIGKILL)
        if not self._quitting:
            self._tell("media.worker_hung", {"pid": ward.pid, "worker": ward.index})

    def _lose(self, ward: Ward, now: float) -> None:
        """A worker has died: its successor is due, at once if it lived well."""
        pid = ward.pid
        if pid:
            self._hear(ward, now)  # its last words
        self._drop_lifeline(ward)
        self._forget_process(ward)
        if self._quitting or ward.leaving:
            ward.leaving = False
            ward.let_go()
            self._release_standby()
            return
        self.restarts += 1
        ward.crashes = ward.crashes + 1 if now - ward.born_at < HEALTHY_S else 0
        rest = min(LONGEST_REST_S, FIRST_REST_S * 2 ** (ward.crashes - 2)) if ward.crashes > 1 else 0.0
        if ward.crashes >= POISONED:
            ward.let_go()
            ward.forget()
        self._tell("media.worker_lost", {"pid": pid, "worker": ward.index, "rest_s": rest})
        ward.due = now + rest
        self._bear_all(now)

    def _forget_process(self, ward: Ward) -> None:
        if ward.pidfd >= 0:
            self._remove(ward.pidfd)
            os.close(ward.pidfd)
        ward.pid, ward.pidfd = 0, -1

    def _drop_lifeline(self, ward: Ward) -> None:
        if ward.lifeline is not None:
            self._remove(ward.lifeline.fileno())
            ward.lifeline.close()
            ward.lifeline = None

    def _add(self, descriptor: int, source: Callable[[float], None]) -> None:
        self._sources[descriptor] = source
        self._epoll.register(descriptor, select.EPOLLIN)

    def _remove(self, descriptor: int) -> None:
        if self._sources.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)
