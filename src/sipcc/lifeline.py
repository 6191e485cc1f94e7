"""The thread between a keeper and each of its processes: small messages that may carry descriptors.

A sequenced-packet unix socket keeps messages whole, so neither end ever has half of one. A message is a
kind, a name and a body, cut by NUL bytes, and up to `MAX_DESCRIPTORS` descriptors beside it. An end that
does not read is given up rather than waited for: who connects again says again all that it holds.
"""

from __future__ import annotations

import array
import contextlib
import os
import resource
import select
import socket
from collections.abc import Sequence
from typing import NamedTuple

ENVIRONMENT = "SIPCCD_LIFELINE"
"""Tells a process that it is kept: the number of its lifeline, a colon, and the address of keepers."""
MAX_BYTES = 65_536
MAX_DESCRIPTORS = 250
"""The kernel takes 253 in one message."""

_SPACE = socket.CMSG_SPACE(MAX_DESCRIPTORS * array.array("i").itemsize)


class Message(NamedTuple):
    """One message."""

    kind: str
    name: str = ""
    body: bytes = b""
    descriptors: tuple[int, ...] = ()
    """Whoever receives them owns them."""


class Lifeline:
    """One end. Both directions are non-blocking."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self.lost = False
        """True when the other end is gone or does not read."""

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._sock.fileno()

    def send(self, kind: str, name: str = "", body: bytes = b"", descriptors: Sequence[int] = ()) -> bool:
        """Send one message; False, and `lost`, when the other end does not take it."""
        if self.lost:
            return False
        data = b"\0".join((kind.encode(), name.encode(), body))
        rights = (
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        )
        try:
            self._sock.sendmsg([data], rights, socket.MSG_NOSIGNAL)
        except OSError:
            self.lost = True
        return not self.lost

    def receive(self) -> Message | None:
        """The next message; None when none waits, and when the other end is gone, which sets `lost`."""
        try:
            data, rights, _, _ = self._sock.recvmsg(MAX_BYTES, _SPACE, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return None
        except OSError:
            data, rights = b"", []
        descriptors = array.array("i")
        for level, kind, part in rights:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                descriptors.frombytes(part[: len(part) - len(part) % descriptors.itemsize])
        if not data:
            close_all(descriptors)
            self.lost = True
            return None
        words = data.split(b"\0", 2)
        if len(words) != 3:  # no message of ours
            close_all(descriptors)
            return Message("")
        return Message(words[0].decode("latin-1"), words[1].decode("latin-1"), words[2], tuple(descriptors))

    def wait(self, seconds: float | None = None) -> None:
        """Sleep until there is something to receive, for so long at most.

        By poll: who starts a process with a lifeline may hold thousands of descriptors, so that ours has a
        number that select refuses.
        """
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        poll.poll(None if seconds is None else seconds * 1000)

    def close(self) -> None:
        """Close our end."""
        self.lost = True
        self._sock.close()


def pair() -> tuple[Lifeline, socket.socket]:
    """Our end, and the socket for the other process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Lifeline(ours), theirs


def connect(path: str) -> Lifeline | None:
    """A lifeline to the keeper that listens at `path`, or None when there is none."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        sock.connect(path)
    except OSError:
        sock.close()
        return None
    return Lifeline(sock)


def close_all(descriptors: Sequence[int]) -> None:
    """Close descriptors that nobody wants."""
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def raise_descriptor_limit() -> int:
    """Lift the soft limit of open files to the hard one, and return it.

    A leg takes two descriptors: with the usual soft limit of 1024 a switch would stop at 250 calls.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):  # some kernels refuse an unlimited hard value
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
