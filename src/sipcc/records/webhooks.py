"""Tells programs of events by HTTP: signed, in order for each call, until they have taken them.

Signatures and headers are those of Standard Webhooks: HMAC-SHA-256 over ``id.timestamp.body``. The
``webhook-id`` is the same in every try: it tells a receiver what it has had already.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from sipcc.clock import Clock
from sipcc.errors import LocalProtocolError
from sipcc.log import get_logger
from sipcc.records.hookstore import DeadMessage, HookStore
from sipcc.records.outbox import Message, Outbox
from sipcc.records.settings import WebhookSettings
from sipcc.tasks import TaskScope

if TYPE_CHECKING:
    import httpx

_log = get_logger("sipcc.webhooks")

SECRET_PREFIX = "whsec_"  # what begins one, as the standard has it
LOOK_EVERY_S = 15.0
"""Seconds after which the database is looked at although nothing was told: others may replay messages."""
SHORT = 65_536
"""Bytes of an answer that are read; nobody looks at them."""
MOST_IN_MEMORY = 1000
"""Messages of a webhook that are held in memory; those beyond stay in the database until there is room."""
RETRYABLE = frozenset({408, 409, 425, 429})
"""Statuses of 4xx that speak of the moment, not of the message."""


def key_of(secret: str) -> bytes:
    """The key behind a ``whsec_...``; ValueError says what is wrong with it."""
    if not secret.startswith(SECRET_PREFIX):
        raise ValueError(f"it does not begin with {SECRET_PREFIX}")
    text = secret.removeprefix(SECRET_PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise ValueError(f"what follows {SECRET_PREFIX} is no Base64") from None
    if not 24 <= len(key) <= 64:
        raise ValueError(f"it has {len(key)} bytes, not 24 to 64")
    return key


def headers_of(message: Message, key: bytes, *, wall: float) -> dict[str, str]:
    """The headers of one try at the Unix time `wall`."""
    stamp = str(int(wall))
    signed = b".".join((message.key.encode(), stamp.encode(), message.body))
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "content-type": "application/json",
        "webhook-id": message.key,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{signature}",
    }


class WebhookState(msgspec.Struct, frozen=True, kw_only=True):
    """How a webhook is doing."""

    name: str
    waiting: int
    dead: int
    failing: int
    """Tries in a row that did not get through."""
    error: str
    """What the last of them came to; empty when all is well."""


class Webhooks:
    """All webhooks of a switch."""

    def __init__(self, settings: Sequence[WebhookSettings], clock: Clock) -> None:
        self._settings = {one.name: one for one in settings}
        self._clock = clock
        self._hooks: dict[str, _Hook] = {}
        self._scope = TaskScope("webhooks")
        self._engine: AsyncEngine | None = None
        self.transport: httpx.AsyncBaseTransport | None = None
        """Stands in for the network in tests."""
        self.failures: Counter[str] = Counter()
        """Tries that failed, by webhook."""

    async def start(self, engine: AsyncEngine) -> None:
        """Begin to send what `engine` has."""
        self._engine = engine
        for settings in self._settings.values():
            await self._begin(settings, engine)

    def load(self, settings: Sequence[WebhookSettings]) -> None:
        """Go by other settings from now on; what a webhook has not taken yet stays its own."""
        self._settings = {one.name: one for one in settings}
        if self._engine is None:
            return
        for name in self._hooks.keys() - self._settings.keys():
            self._scope.spawn(self._hooks.pop(name).close(), name=f"{name} ends")
        for name, one in self._settings.items():
            if name in self._hooks:
                self._hooks[name].load(one)
            else:
                self._scope.spawn(self._begin(one, self._engine), name=f"{name} begins")

    async def _begin(self, settings: WebhookSettings, engine: AsyncEngine) -> None:
        hook = _Hook(settings, HookStore(engine), self._clock, self.transport, self.failures)
        self._hooks[settings.name] = hook
        await hook.start()

    @property
    def names(self) -> frozenset[str]:
        """Those that are at work."""
        return frozenset(self._hooks)

    def stored(self) -> None:
        """The log has got something."""
        for hook in self._hooks.values():
            hook.wake.set()

    async def stop(self) -> None:
        """Send no more; what is under way is sent again after the next start."""
        await self._scope.join()
        for hook in self._hooks.values():
            await hook.close()
        self._hooks.clear()

    async def states(self) -> list[WebhookState]:
        """How each of them is doing."""
        counts = await HookStore(self._engine).counts() if self._engine is not None else {}
        return [
            WebhookState(
                name=name,
                waiting=counts.get(name, (0, 0))[0],
                dead=counts.get(name, (0, 0))[1],
                failing=hook.box.failures,
                error=hook.error,
            )
            for name, hook in self._hooks.items()
        ]

    async def dead(self, name: str, *, limit: int) -> list[DeadMessage]:
        """The oldest messages that `name` was given up with. LocalProtocolError for an unknown name."""
        return await self._known(name).dead(name, limit=limit)

    async def replay(self, name: str, keys: Sequence[str] = ()) -> int:
        """Send messages that were given up once more, those with `keys` or all; how many there are."""
        count = await self._known(name).replay(name, keys)
        self._hooks[name].look_back = True
        self._hooks[name].wake.set()
        return count

    def _known(self, name: str) -> HookStore:
        if name not in self._hooks:
            known = ", ".join(sorted(self._hooks)) or "none"
            raise LocalProtocolError(f"there is no webhook {name!r}; known: {known}")
        return self._hooks[name].store


class _Hook:
    """One webhook at work."""

    def __init__(
        self,
        settings: WebhookSettings,
        store: HookStore,
        clock: Clock,
        transport: httpx.AsyncBaseTransport | None,
        failures: Counter[str],
    ) -> None:
        import httpx  # only for those who have webhooks

        self.store = store
        self._clock = clock
        self._failures = failures
        self._client = httpx.AsyncClient(transport=transport, timeout=None, trust_env=False)
        self.box = Outbox(give_up_after=settings.give_up_after, chance=random.random)
        self.load(settings)
        self._tasks = TaskScope(f"webhooks.{settings.name}")
        self.wake = asyncio.Event()
        self.error = ""
        self._opened = False
        self.look_back = True
        """Look at all messages, not only at those of new events: some may be sent again."""
        self._seen = 0
        self._leaving: set[str] = set()
        """Messages that are over, but for the database."""
        self._left: set[str] = set()
        """Messages that have left it since it was read last."""

    def load(self, settings: WebhookSettings) -> None:
        """Go by other settings; those of the same webhook."""
        self._settings = settings
        self._key = key_of(settings.secret)
        self.box.give_up_after = settings.give_up_after

    async def start(self) -> None:
        """Know the webhook from now on, and send what it is due."""
        with contextlib.suppress(Exception):  # a database that is away is asked again
            await self.store.open(self._settings.name)
            self._opened = True
        self._tasks.spawn(self.run(), name="run")

    async def close(self) -> None:
        """Send no more."""
        await self._tasks.close()
        await self._client.aclose()

    async def run(self) -> None:
        """Send for ever."""
        while True:
            self.wake.clear()
            try:
                await self._read()
            except Exception as error:  # a database that is locked or away comes back
                _log.warning("webhooks.database_failed", webhook=self._settings.name, error=str(error))
            for message in self.box.take(now=self._now()):
                self._tasks.spawn(self._try(message), name=message.key)
            due = self.box.deadline()
            pause = LOOK_EVERY_S if due is None else min(LOOK_EVERY_S, max(0.0, due - self._now()))
            try:
                async with asyncio.timeout(pause):
                    await self.wake.wait()
            except TimeoutError:
                self.look_back = True

    async def _read(self) -> None:
        name = self._settings.name
        if not self._opened:
            await self.store.open(name)
            self._opened = True
        while await self.store.collect(name, self._settings.events):
            pass
        if len(self.box) >= MOST_IN_MEMORY:
            return
        self._left.clear()
        behind, self.look_back = 0 if self.look_back else self._seen, False
        found = await self.store.waiting(name, behind=behind)
        self.box.add(one for one in found if one.key not in self._leaving and one.key not in self._left)
        self._seen = max([self._seen, *(one.seq for one in found)])

    def _now(self) -> float:
        return self._clock.wall_of(self._clock.now())

    async def _try(self, message: Message) -> None:
        status, error = 0, ""
        try:
            async with asyncio.timeout(self._settings.timeout):
                status, error = await self._post(message)
        except TimeoutError:
            error = f"no answer within {self._settings.timeout:g} s"
        except Exception as fault:  # whatever a peer or the network may do to a client
            error = f"{type(fault).__name__}: {fault}".rstrip(": ")
        try:
            await self._settle(message, status, error)
        finally:
            self.wake.set()

    async def _post(self, message: Message) -> tuple[int, str]:
        headers = headers_of(message, self._key, wall=self._now())
        request = self._client.stream("POST", self._settings.url, content=message.body, headers=headers)
        async with request as response:
            if int(response.headers.get("content-length", SHORT + 1)) <= SHORT:
                await response.aread()  # then the connection can be used again
            good = response.is_success
            return response.status_code, "" if good else f"{response.status_code} {response.reason_phrase}"

    async def _settle(self, message: Message, status: int, error: str) -> None:
        name = self._settings.name
        if not error:
            self._leaving.add(message.key)
            await self._write(lambda: self.store.taken(message.key), message.key)
            self.box.sent(message.key)
            if self.error:
                _log.info("webhooks.recovered", webhook=name)
            self.error = ""
            return
        self._failures[name] += 1
        if not self.error:
            _log.warning("webhooks.failed", webhook=name, error=error, key=message.key)
        self.error = error
        refused = 400 <= status < 500 and status not in RETRYABLE
        after = self.box.failed(message.key, error, refused=refused, now=self._now())
        if after.dead:
            self._leaving.add(message.key)
            _log.error("webhooks.given_up", webhook=name, key=message.key, error=error)
        await self._write(lambda: self.store.put_off(after), message.key)

    async def _write(self, work: Callable[[], Awaitable[None]], key: str) -> None:
        """Write until the database takes it: what it does not know of would be sent again."""
        while True:
            try:
                await work()
                break
            except Exception as error:
                _log.warning("webhooks.database_failed", webhook=self._settings.name, error=str(error))
            await asyncio.sleep(1.0)
        if key in self._leaving:
            self._leaving.discard(key)
            self._left.add(key)
