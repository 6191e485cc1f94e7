"""What routers may answer, and what that means: read strictly, so that junk leads to the default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from sipcc.acd.settings import Priority
from sipcc.call import Destination
from sipcc.config import Config


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer of more than a name: a dict, or JSON. One of `to`, `queue` and `reject` must be given."""

    to: str = ""
    """A destination, such as ``menu:main``, or the name of a queue."""
    queue: str = ""
    """The name of a queue."""
    agent: str = ""
    """The agent of `queue` who shall have the call."""
    wait: Annotated[float, Meta(ge=0, le=3600)] = 20.0
    """Seconds for which the call waits for `agent` while that is busy; then any of the queue may have it."""
    priority: Priority = 0
    """Added to that of `queue`."""
    reject: Annotated[int, Meta(ge=400, le=699)] | None = None
    """The SIP status with which the call is refused."""


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """Where a call goes, and for whom it waits there."""

    destination: Destination
    agent: str = ""
    wait: float = 0.0
    priority: int = 0

    def __str__(self) -> str:
        """As decisions tell it."""
        agent = f", agent {self.agent}" if self.agent else ""
        priority = f", priority {self.priority}" if self.priority else ""
        return f"{self.destination}{agent}{priority}"


class Directory:
    """The names that a router may use.

    Args:
        config: Has the queues, menus, workflows and agents.
    """

    def __init__(self, config: Config) -> None:
        self._known = {
            "queue": frozenset(queue.name for queue in config.queues),
            "menu": frozenset(menu.name for menu in config.menus),
            "workflow": frozenset(flow.name for flow in config.workflows),
        }
        self._serves = {agent.name: frozenset(agent.queues) for agent in config.agents}

    def assignment(self, answer: object) -> Assignment:
        """What `answer` means: a name, a destination, or an `Answer` as a dict.

        Raises:
            ValueError: it leads nowhere; the text says why.
        """
        if not isinstance(answer, Mapping):
            return Assignment(destination=self.destination(answer))
        try:
            read = msgspec.convert(dict(answer), type=Answer)
        except msgspec.ValidationError as error:
            raise ValueError(f"the answer is wrong: {error}") from None
        return self._assigned(read)

    def destination(self, answer: object) -> Destination:
        """What `answer` means: the name of a queue, or a destination.

        Raises:
            ValueError: it leads nowhere.
        """
        if not isinstance(answer, str):
            raise ValueError(f"{answer!r} is no queue and no destination")
        if answer in self._known["queue"]:
            return Destination("queue", answer)
        try:
            destination = Destination.parse(answer)
        except ValueError:
            raise ValueError(f"{answer!r} is no queue and no destination") from None
        names = self._known.get(destination.kind)
        lost = names is not None and destination.argument not in names
        if lost or destination.kind in ("app", "router"):  # they could lead round in a circle for ever
            raise ValueError(f"{answer!r} leads nowhere")
        return destination

    def _assigned(self, answer: Answer) -> Assignment:
        given = [name for name in ("to", "queue", "reject") if getattr(answer, name)]
        if len(given) != 1:
            raise ValueError(f"the answer has {' and '.join(given) or 'none of to, queue and reject'}")
        if answer.reject is not None:
            return Assignment(destination=Destination("reject", str(answer.reject)))
        destination = self.destination(f"queue:{answer.queue}" if answer.queue else answer.to)
        if (answer.agent or answer.priority) and destination.kind != "queue":
            raise ValueError(f"{destination} is no queue, so it has no agent and no priority")
        if answer.agent and destination.argument not in self._serves.get(answer.agent, ()):
            raise ValueError(f"{answer.agent!r} is no agent of queue {destination.argument!r}")
        return Assignment(
            destination=destination, agent=answer.agent, wait=answer.wait, priority=answer.priority
        )
