"""The process that bears media workers: all imports are behind it, and it forks one in milliseconds.

    python -m sipcc.rtp.standby FD [ADDRESS]

FD is its lifeline to a `sipcc.nursery.Nursery`, ADDRESS where workers find another keeper when theirs dies.
It holds no call, no port and no thread.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import traceback

from sipcc.lifeline import Lifeline, Message, close_all
from sipcc.rtp.worker import serve

GC_THRESHOLDS = (20_000, 10, 100)
"""The collector looks at so much of what packets leave until they are counted, in half a millisecond; when it
begins with 700, it takes a tenth of the time of a relay. A port that is gone leaves nothing for it."""


def stand_by(lifeline: Lifeline, address: str) -> None:
    """Bear workers until told to quit or the nursery is gone."""
    gc.collect()
    gc.freeze()  # what the imports made lives for ever: no collection need look at it, and forks share it
    gc.set_threshold(*GC_THRESHOLDS)
    lifeline.send("ready")
    while not lifeline.lost:
        lifeline.wait()
        message = lifeline.receive()
        if message is None:
            continue
        if message.kind == "quit":
            return
        if message.kind == "bear" and len(message.descriptors) == 2:
            _bear(lifeline, message, address)
        close_all(message.descriptors)


def _bear(lifeline: Lifeline, message: Message, address: str) -> None:
    if os.fork():
        return
    code = 1
    try:
        lifeline.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        own, memory = message.descriptors
        serve(int(message.name), message.body, Lifeline(socket.socket(fileno=own)), memory, address)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)  # nothing of the standby is to be cleaned up by its child


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they reach the whole group; the nursery says who ends
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the children
    stand_by(Lifeline(socket.socket(fileno=int(sys.argv[1]))), "".join(sys.argv[2:3]))
