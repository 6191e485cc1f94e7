"""The calls that applications drive now, for those who command them from outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

from sipcc.errors import LocalProtocolError
from sipcc.ivr.hooks.door import Command, Deed, Keys, Mute, Tape, Taping
from sipcc.ivr.hooks.model import CallEvent, Facts
from sipcc.ivr.hooks.rooms import Rooms

KEY_S = 0.25
"""Seconds for a key that is sent, and the silence after it."""


class LegNews(NamedTuple):
    """Something has happened to a call that was made for the caller."""

    leg: str
    event: CallEvent
    target: str = ""
    """The SIP URI that is rung, when it begins."""
    status: int = 0
    """The final SIP status, when it is over."""
    by_us: bool = False
    """Whether it was us who ended it."""


class Hands(Protocol):
    """What can be done with a caller besides the steps, at once and whatever else goes on.

    All raise LocalProtocolError when that is not possible now.
    """

    def mute(self, muted: bool) -> None:
        """Let whoever it speaks with not hear it, or hear it again."""
        ...

    def press(self, keys: str) -> None:
        """Send it keys."""
        ...

    def tape(self, wanted: Taping) -> None:
        """Start, stop, pause or resume the recording."""
        ...

    def hear_keys(self, listen: Callable[[bool, str], None]) -> Callable[[], None]:
        """Have `listen` told each key of a conversation, True for the caller's; what is returned ends it."""
        ...

    def watch(self, listen: Callable[[LegNews], None]) -> Callable[[], None]:
        """Have `listen` told of the calls that are made for the caller, until what is returned is called."""
        ...


class NoHands:
    """Where there is no real call."""

    def mute(self, muted: bool) -> None:
        """Refuse, as the others do."""
        raise LocalProtocolError("nobody can be muted here")

    def press(self, keys: str) -> None:
        """Refuse."""
        raise LocalProtocolError("no keys can be sent here")

    def tape(self, wanted: Taping) -> None:
        """Refuse."""
        raise LocalProtocolError("nothing is recorded here")

    def hear_keys(self, listen: Callable[[bool, str], None]) -> Callable[[], None]:
        """Nobody talks here."""
        return lambda: None

    def watch(self, listen: Callable[[LegNews], None]) -> Callable[[], None]:
        """Nobody is called here."""
        return lambda: None


class Deeds:
    """Does what commands want that cut nothing."""

    def __init__(
        self, hands: Hands, tag: Callable[[dict[str, str]], None], remark: Callable[[str], None]
    ) -> None:
        """`tag` puts something into the call's record, `remark` writes to the log what cannot be done."""
        self._hands, self._tag, self._remark = hands, tag, remark

    def do(self, deed: Deed) -> None:
        """Do it; raises LocalProtocolError when that is not possible now."""
        match deed:
            case Mute():
                self._hands.mute(deed.muted)
            case Keys():
                self._hands.press(deed.keys)
            case Tape():
                self._hands.tape(deed.wanted)
            case _:
                self._tag(deed.data)

    def try_to(self, deed: Deed) -> None:
        """Do it if it is possible."""
        try:
            self.do(deed)
        except LocalProtocolError as error:
            self._remark(str(error))


async def press(keys: str, do: Callable[[Keys], None], wait: Callable[[float], Awaitable[None]]) -> None:
    """Send keys one after the other; ``w`` waits half a second, ``W`` a whole one."""
    for key in keys:
        if key not in "wW":
            do(Keys(key))
        await wait({"w": 0.5, "W": 1.0}.get(key, KEY_S))


class LiveApp(Protocol):
    """One call that an application drives; `sipcc.ivr.hooks.run.Runner` is one."""

    kind: Literal["jambonz", "twiml"]
    """The language of the application."""

    def facts(self) -> Facts:
        """What is known of the call."""
        ...

    def tell(self, commands: Sequence[Command]) -> None:
        """Have something else done; raises LocalProtocolError when that is not possible."""
        ...


class LiveApps:
    """All of them in a switch; a reload leaves them there."""

    def __init__(self, messages: str = "") -> None:
        self.messages = messages
        """The folder of what callers have said in a Record."""
        self.rooms = Rooms()
        self._apps: dict[str, LiveApp] = {}

    def __iter__(self) -> Iterator[LiveApp]:
        return iter(list(self._apps.values()))

    def add(self, call: str, app: LiveApp) -> Callable[[], None]:
        """An application drives a call, until what is returned is called."""
        before = self._apps.get(call)
        self._apps[call] = app

        def remove() -> None:
            if self._apps.get(call) is app:
                del self._apps[call]
                if before is not None:  # an application that had sent the call to another one
                    self._apps[call] = before

        return remove

    def find(self, kind: Literal["jambonz", "twiml"], account: str, call: str) -> LiveApp | None:
        """Who drives that call in that language, for that account; None when nobody does."""
        app = self._apps.get(call)
        return app if app is not None and (app.kind, app.facts().account) == (kind, account) else None
