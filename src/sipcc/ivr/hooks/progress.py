"""How the calls to whom an application dials go on, and which keys are pressed in them, for its hooks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from sipcc.call.digits import OptionsMatcher
from sipcc.ivr.hooks.live import Hands, LegNews
from sipcc.ivr.hooks.model import Called, CallStatus, Capture, Captured, Hook, Report, Watch
from sipcc.ivr.keywatch import KeyWatch
from sipcc.ivr.session import Session
from sipcc.ivr.steps import Transferred, failure_of
from sipcc.tasks import TaskScope

LINGER_S = 5.0
"""Seconds in which the ends of calls are told after the dialling is over."""

_FAILED: dict[str, CallStatus] = {"busy": "busy", "noanswer": "no-answer"}


class Progress:
    """Follows the calls of one Dial; a context manager around it, after which only ends are told."""

    def __init__(
        self,
        watches: Mapping[str, Watch],
        session: Session,
        hands: Hands,
        tell: Callable[[Hook, Report], Coroutine[Any, Any, None]],
        tasks: TaskScope,
    ) -> None:
        """`tell` tells a hook something, and takes no answer."""
        self._session, self._hands, self._watches = session, hands, watches
        self._tell, self._tasks = tell, tasks
        self._legs: dict[str, tuple[str, Watch, float | None]] = {}
        self._count = 0
        self._talk: tuple[str, float] | None = None
        """Who has answered, and since when."""
        self._dialled, self._ended = asyncio.Event(), asyncio.Event()

    def __enter__(self) -> Progress:
        self._tasks.spawn(self._follow(self._hands.watch(self._take)), name="progress")
        return self

    @property
    def left(self) -> Transferred:
        """What came of it for a caller who has hung up."""
        if self._talk is None:
            return Transferred(outcome="noanswer", status=487)
        return Transferred(outcome="far_end", seconds=self._session.now() - self._talk[1])

    def __exit__(self, *exc: object) -> None:
        self._dialled.set()

    async def _follow(self, stop: Callable[[], None]) -> None:
        try:
            await self._dialled.wait()
            async with asyncio.timeout(LINGER_S):
                while self._legs:
                    self._ended.clear()
                    await self._ended.wait()
        except TimeoutError:
            pass
        finally:
            stop()

    def _take(self, news: LegNews) -> None:
        now = self._session.now()
        if news.event == "answered":
            self._talk = news.leg, now
        elif news.event == "completed" and self._talk is not None and not news.by_us:
            self._talk = None if self._talk[0] == news.leg else self._talk
        if news.event == "initiated":
            watched = self._watched(news.target)
            if watched is not None and not self._dialled.is_set():
                self._legs[news.leg] = (*watched, None)
                self._say(news, "initiated")
        elif news.leg not in self._legs:
            return
        elif news.event == "ringing":
            self._say(news, "ringing")
        elif news.event == "answered":
            target, watch, _ = self._legs[news.leg]
            self._legs[news.leg] = target, watch, now
            self._say(news, "in-progress")
        else:
            since = self._legs[news.leg][2]
            self._say(news, self._outcome(news, since), 0.0 if since is None else now - since)
            del self._legs[news.leg]
            self._ended.set()

    def _outcome(self, news: LegNews, since: float | None) -> CallStatus:
        if since is not None:
            return "completed"
        if news.by_us:
            return "no-answer" if self._talk is None else "canceled"
        return _FAILED.get(failure_of(news.status), "failed")

    def _watched(self, uri: str) -> tuple[str, Watch] | None:
        """Which target is rung at a URI, and who wants to know."""
        user = uri.partition(":")[2].partition("@")[0]
        for target, watch in self._watches.items():
            if user == target or uri.startswith(target):
                return target, watch
        return next(iter(self._watches.items())) if len(self._watches) == 1 else None

    def _say(self, news: LegNews, status: CallStatus, seconds: float | None = None) -> None:
        target, watch, _ = self._legs[news.leg]
        if news.event in watch.events:
            report = Called(news.leg, target, status, seconds, self._session.wall(), self._count)
            self._count += 1
            self._tasks.spawn(self._tell(watch.hook, report), name="call-status")


class Capturing:
    """Tells a hook of keys in the conversation of one Dial; a context manager around it."""

    def __init__(
        self,
        capture: Capture | None,
        session: Session,
        hands: Hands,
        tell: Callable[[Hook, Report], Coroutine[Any, Any, None]],
        tasks: TaskScope,
    ) -> None:
        """`tell` tells a hook something, and takes no answer; without `capture` nothing is told."""
        self._session, self._hands, self._capture = session, hands, capture
        self._tell, self._tasks = tell, tasks
        sides = {} if capture is None else {True: capture.caller, False: capture.party}
        self._watches = {side: KeyWatch(OptionsMatcher(keys)) for side, keys in sides.items() if keys}
        self._stop: Callable[[], None] = lambda: None

    def __enter__(self) -> None:
        if self._watches:
            self._stop = self._hands.hear_keys(self._take)

    def __exit__(self, *exc: object) -> None:
        self._stop()

    def _take(self, of_caller: bool, key: str) -> None:
        watch, capture = self._watches.get(of_caller), self._capture
        keys = "" if watch is None else watch.push(key, now=self._session.now())
        if keys and capture is not None:
            self._tasks.spawn(self._tell(capture.hook, Captured(keys)), name="captured")
