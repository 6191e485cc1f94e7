"""Looks things up for flows: by functions, or by services over HTTP; in time, remembered, and never for ever.

What is asked may hold a card number, so nothing here writes it down: answers are remembered under a digest.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final, TypeAlias

import msgspec

from sipcc.errors import CallEnded, SipccError
from sipcc.expr import Value
from sipcc.ivr.fetch import Fetcher, FetchRequest
from sipcc.ivr.flows.run import LookupFailed
from sipcc.ivr.flows.sent import Sent
from sipcc.ivr.session import Session
from sipcc.log import get_logger
from sipcc.tasks import TaskScope

MAX_ANSWER: Final = 65_536
"""Bytes of a service's answer; a longer one is junk."""

MAX_REMEMBERED: Final = 10_000
"""Answers that are remembered; the oldest goes first."""

MAX_POSTS: Final = 200
"""Services that are being told something while the call goes on; more are refused."""

WAIT_GAP: Final = 2.0
"""Seconds between two times of a wait prompt."""

_log = get_logger("sipcc.ivr.flows")


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """What a lookup function is told."""

    call: str
    """The call's id."""
    caller: str
    dialled: str
    language: str
    sent: Mapping[str, Value]
    """What the node's `send` says; it may hold secrets, and is not shown."""

    def __repr__(self) -> str:
        return f"Asking(call={self.call!r}, caller={self.caller!r}, dialled={self.dialled!r})"


LookupFunction: TypeAlias = Callable[[Asking], Awaitable[Mapping[str, object]]]
"""Looks something up about a caller; what it returns is found under the node's `into`."""


class Lookups:
    """What the lookups and posts of flows go through; one for a switch."""

    def __init__(
        self, functions: Callable[[str], LookupFunction | None], fetcher: Callable[[], Fetcher | None]
    ) -> None:
        """Take what finds functions by their names, and services.

        Args:
            functions: The function of a name, or None.
            fetcher: Asks services; None when that cannot be done.
        """
        self._functions = functions
        self._fetcher = fetcher
        self._remembered: OrderedDict[bytes, tuple[float, Mapping[str, object]]] = OrderedDict()
        self._tasks = TaskScope("flow-lookups")
        self._posts = 0

    async def lookup(self, session: Session, sent: Sent) -> Mapping[str, object]:
        """The answer, or `LookupFailed`; `FlowServices.lookup`."""
        key = _digest(session, sent)
        kept = self._remembered.get(key) if sent.cache else None
        if kept is not None and session.now() < kept[0]:
            if sent.said:
                await session.play(sent.said)
            return kept[1]
        asked = self._tasks.spawn(self._ask(session, sent), name=session.id)
        try:
            found = await self._wait(session, sent, asked)
        finally:
            asked.cancel()
        if isinstance(found, LookupFailed):
            raise found
        if sent.cache:
            self._remember(key, session.now() + sent.cache, found)
        return found

    async def post(self, session: Session, sent: Sent, wait: bool) -> bool:
        """Tell a service something; `FlowServices.post`."""
        if not wait and self._posts >= MAX_POSTS:
            session.log("flow.post_refused", url=_shown(sent.url))
            return False
        task = self._tasks.spawn(self._post(session, sent), name=session.id)
        if not wait:
            return True
        try:
            went_well: bool = await task
            return went_well
        finally:
            task.cancel()

    async def close(self) -> None:
        """End what still runs."""
        await self._tasks.close()

    # -- one lookup -----------------------------------------------------------------------------------

    async def _wait(
        self, session: Session, sent: Sent, asked: asyncio.Task[Mapping[str, object] | LookupFailed]
    ) -> Mapping[str, object] | LookupFailed:
        """Wait for the answer up to the deadline, while the caller hears what it is to hear."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        if sent.said:
            await session.play(sent.said)
        if sent.wait_prompts:
            quiet = min(sent.wait_after, sent.deadline) - (loop.time() - began)
            await asyncio.wait({asked}, timeout=max(quiet, 0.0))
            left = sent.deadline - (loop.time() - began)
            if not asked.done() and left > 0:
                await self._hold(session, sent, asked, left)
        else:
            await asyncio.wait({asked}, timeout=max(sent.deadline - (loop.time() - began), 0.0))
        if not asked.done():
            return LookupFailed(f"no answer within {sent.deadline:g} s")
        return asked.result()

    async def _hold(self, session: Session, sent: Sent, asked: asyncio.Task[object], left: float) -> None:
        """Let the caller hear the wait prompt, again and again, until there is an answer or no time."""
        holding = self._tasks.spawn(_hold(session, sent), name=session.id)
        try:
            await asyncio.wait({asked, holding}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            holding.cancel()
            await asyncio.wait({holding})

    async def _ask(self, session: Session, sent: Sent) -> Mapping[str, object] | LookupFailed:
        """The answer, or what went wrong: nothing that a service or a function does is raised."""
        try:
            found = await (self._function(session, sent) if sent.source else self._service(sent))
        except LookupFailed as error:
            return error
        except SipccError as error:
            return LookupFailed(str(error))
        except Exception as error:  # a function's fault must not cost the caller the call
            _log.warning("flow.lookup_raised", source=sent.source, error=type(error).__name__)
            return LookupFailed(f"it raised {type(error).__name__}")
        if not isinstance(found, Mapping) or not all(isinstance(key, str) for key in found):
            return LookupFailed("the answer is no table of names")
        return found

    async def _function(self, session: Session, sent: Sent) -> Mapping[str, object]:
        function = self._functions(sent.source)
        if function is None:
            raise LookupFailed(f"there is no lookup {sent.source!r}")
        return await function(
            Asking(
                call=session.id,
                caller=session.caller,
                dialled=session.dialled,
                language=session.language,
                sent=sent.body,
            )
        )

    async def _service(self, sent: Sent) -> Mapping[str, object]:
        body = await self._fetch(sent)
        try:
            found: Mapping[str, object] = msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            raise LookupFailed("the answer is no JSON") from None
        return found

    async def _post(self, session: Session, sent: Sent) -> bool:
        self._posts += 1
        try:
            async with asyncio.timeout(sent.deadline):
                await self._fetch(sent)
        except (SipccError, TimeoutError) as error:
            session.log("flow.post_failed", url=_shown(sent.url), reason=str(error) or "no answer in time")
            return False
        finally:
            self._posts -= 1
        return True

    async def _fetch(self, sent: Sent) -> bytes:
        fetcher = self._fetcher()
        if fetcher is None:
            raise LookupFailed("no service can be asked here")
        headers = {"Authorization": sent.authorization} if sent.authorization else {}
        request = FetchRequest(
            url=sent.url,
            method="POST",
            json=dict(sent.body),
            headers=headers,
            timeout=sent.deadline,
            max_bytes=MAX_ANSWER,
        )
        return (await fetcher.fetch(request)).body

    def _remember(self, key: bytes, until: float, found: Mapping[str, object]) -> None:
        self._remembered[key] = (until, found)
        self._remembered.move_to_end(key)
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)


async def _hold(session: Session, sent: Sent) -> None:
    with suppress(CallEnded):
        await session.answer()
        while True:
            await session.play(sent.wait_prompts)
            await session.wait(WAIT_GAP)


def _digest(session: Session, sent: Sent) -> bytes:
    """What is asked, unreadable: the same only for the same question about the same caller."""
    text = msgspec.json.encode([sent.source, sent.url, session.caller, dict(sent.body)])
    return hashlib.sha256(text).digest()


def _shown(url: str) -> str:
    return url.partition("?")[0][:200]
