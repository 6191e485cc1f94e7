"""Settings of agents and queues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from sipcc.recordpolicy import RecordingRules, RecordWhen

Seconds = Annotated[float, Meta(ge=0)]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
Priority = Annotated[int, Meta(ge=-(2**31), lt=2**31)]


Key = Annotated[str, Meta(pattern="^[0-9A-D*#]?$")]


class ContactSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One place where an agent is rung: a softphone, a browser, a bound mobile number."""

    to: Name
    """A SIP user, whose registered phones are all rung, or a fixed contact such as
    ``carrier/13800138000``."""
    after: Seconds = 0.0
    """Rung so many seconds after the offer began, or at once when nothing else of the agent rings. What
    lies beyond the queue's `ring_timeout` is rung only then."""
    accept_key: Key = ""
    """The key that must be pressed here before the call is answered, as in `AgentSettings.accept_key`."""

    @property
    def fixed(self) -> bool:
        """True for a contact that nobody registers: it is there without that."""
        return "/" in self.to or ":" in self.to


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One agent: somebody whose phone can be rung for queued callers."""

    name: Name
    """Unique among agents; the name in events, records and commands."""
    user: str = ""
    """The SIP user whose registrations are this agent's phones; empty when `uri` is the contact."""
    uri: str = ""
    """A fixed contact, such as a bound mobile number: ``carrier/13800138000``. It goes before `user`. Such
    an agent is there from the start, because nobody registers for it."""
    accept_key: Key = ""
    """The key, such as ``1``, that whoever answers at `uri` or `user` must press before the call counts as
    answered; empty for none. A mobile's voicemail, or a voice that tells of a number out of use, presses
    none: then it is hung up, the offer ends with ``no_answer``, and the caller waits on."""
    accept_prompt: str = ""
    """What is played meanwhile, again and again; empty for a beep."""
    accept_timeout: Annotated[float, Meta(gt=0, le=60)] = 10.0
    """Seconds for pressing the key, after the answer; for `contacts` too."""
    contacts: tuple[ContactSettings, ...] = ()
    """More places where this agent is rung, beside `uri` or `user`; the first that answers has the call.
    The agent is unreachable only when none of them can be rung."""
    display: str = ""
    """The name that people read; empty for `name`."""
    queues: tuple[str, ...] = ()
    """The queues that this agent serves."""
    skills: dict[str, int] = {}
    """Skill levels, for the conditions in the queues' `skills` and for strategies that read them."""
    regions: tuple[str, ...] = ()
    """The regions that this agent serves, the nearest first, as ``[regions]`` names them; empty for that of
    the outside number in `uri`. For the `region_wait` of queues, and as ``worker.regions`` in workflows."""
    attributes: dict[str, str | int | float | bool | tuple[str | int | float, ...]] = {}
    """What else is known of this agent, for the expressions of ``[[workflows]]``: ``worker.NAME``."""
    weight: Annotated[float, Meta(ge=0)] = 1.0
    """This agent's share of the calls, against the other free agents' weights, where the strategy is
    ``weighted``. With 0 it gets a call only when all that are free have 0."""
    wrap_up: Seconds | None = None
    """Seconds of after-call work; None takes the queue's."""
    start: Literal["ready", "not_ready"] = "ready"
    """The state after login."""

    @property
    def places(self) -> tuple[ContactSettings, ...]:
        """Every place where this agent is rung, `uri` or `user` first, in the order of their delays."""
        first = self.uri or self.user
        own = (ContactSettings(to=first, accept_key=self.accept_key),) if first else ()
        return tuple(sorted((*own, *self.contacts), key=lambda contact: contact.after))

    @property
    def users(self) -> tuple[str, ...]:
        """The users whose registered phones are this agent's."""
        return tuple(place.to for place in self.places if not place.fixed)

    @property
    def registers(self) -> bool:
        """True when registrations tell whether this agent can be reached."""
        return not any(place.fixed for place in self.places)

    @property
    def accepting(self) -> float:
        """Seconds that an agent who has answered may take to accept; 0 when nobody is asked."""
        return self.accept_timeout if any(place.accept_key for place in self.places) else 0.0


class OverflowRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a caller goes on from a queue to somewhere else."""

    when: Literal["size", "wait", "estimate", "no_agent"]
    """``size``: `at` callers stand in line when it comes. ``wait``: it has waited `at` seconds, also while
    an agent rings. ``estimate``: it is expected to wait longer than `at` seconds from now. ``no_agent``: no
    member is there, and it has waited `at` seconds."""
    to: str
    """The destination, as for a number: ``queue:help``."""
    at: Seconds = 0.0
    """Callers or seconds; more than 0, but for ``no_agent``."""


class RelaxStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a caller is content with after some time in line."""

    after: Annotated[float, Meta(gt=0)]
    """Seconds since the caller joined."""
    skills: str
    """The condition from then on, in place of the one before; empty for any member."""


class QueueSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One queue and its rules. All times are seconds."""

    name: Name
    """Unique among queues."""
    was: str = ""
    """The name that this queue had in the configuration before: with a reload it stays the same queue, with
    its callers, under its new name. Empty, or a name that no queue has any more, says nothing."""
    strategy: str = "longest-idle"
    """A name of the entry-point group ``sipcc.strategies``."""
    ring_timeout: Annotated[float, Meta(gt=0)] = 20.0
    """How long one agent is rung."""
    ring_step: Annotated[float, Meta(gt=0)] = 5.0
    """Seconds until the next agent rings too, where the strategy is ``ring-progressive``."""
    wrap_up: Seconds = 15.0
    """After-call work; 0 for none. An agent's own setting goes before this."""
    max_wrap_up: Seconds = 0.0
    """The longest wrap-up after a call of this queue, an agent's own setting and extensions included; 0 for
    no limit."""
    max_wait: Seconds = 300.0
    """After this the caller leaves with ``timed_out``, even while an agent rings; 0 for no limit."""
    max_length: Annotated[int, Meta(ge=0)] = 0
    """Callers in line, those being offered included; the next one leaves with ``full``. 0: no limit."""
    music: str = "hold"
    """Prompt that is looped while waiting; empty for silence."""
    announce_position: bool = False
    """Tell callers their place in the line."""
    announce_wait: bool = False
    """Tell callers how long they are expected to wait, in minutes rounded up, if that is a minute or more;
    never more than was said before. It is said along with the position, or in its place."""
    announce_every: Annotated[float, Meta(gt=0)] = 30.0
    """Longest silence between two announcements of the position and the wait."""
    comfort: tuple[str, ...] = ()
    """Prompts that are played to waiting callers now and then, one after the other."""
    comfort_every: Annotated[float, Meta(gt=0)] = 60.0
    """Seconds from the end of an announcement to the next prompt of `comfort`."""
    priority: int = 0
    """Added to the priority of each caller; the higher sum is served first, in all queues together."""
    ageing: Seconds = 0.0
    """Seconds of waiting that are worth one point of priority: with 60, a caller that has waited two minutes
    longer stands before one with a priority higher by one. 0: however long it waits, the priority goes
    first."""
    weight: Annotated[float, Meta(gt=0)] = 1.0
    """Where agents serve several queues, how fast waits count here, among callers of the same priority: with
    2.0, one that has waited 10 s stands beside one of weight 1.0 that has waited 20 s."""
    short_abandon: Seconds = 5.0
    """A caller that hangs up sooner than this leaves with ``short_abandoned``."""
    resume_within: Seconds = 0.0
    """A caller that hung up while it waited, and calls again from the same number within this time, stands
    where it stood: as if it had joined when it first did. 0 for no such place; 60 is a good time."""
    recall_window: Seconds = 0.0
    """A number that leaves with ``abandoned`` stands for this time, once, in the list of those to be called
    back, unless it calls again. 0 keeps no list; 86400 is a day."""
    service_level: Seconds = 20.0
    """T of the service level: answered within T, T included, counts."""
    max_misses: Annotated[int, Meta(ge=0)] = 2
    """Offers in a row without an answer that put an agent into quarantine; 0 for never."""
    quarantine: Annotated[float, Meta(gt=0)] = 60.0
    """Length of the quarantine; then the agent is offered calls again."""
    reject_backoff: Seconds = 10.0
    """After a declined offer the agent is left alone this long."""
    busy_backoff: Seconds = 5.0
    """After a busy signal."""
    failed_backoff: Seconds = 5.0
    """After an offer that failed for any other cause, such as a fault of the phone or on our side."""
    unreachable: Literal["offline", "quarantine"] = "offline"
    """What becomes of an agent with registered phones of which none could be reached: offline until one
    registers again, or quarantined, and tried with the next offer after `quarantine` seconds. Agents with a
    fixed contact are always quarantined, because nobody registers for them."""
    no_answer_backoff: Seconds = 0.0
    """After an unanswered offer."""
    record: RecordWhen = False
    """Which conversations are recorded: all (true), none (false), those for which somebody asks
    (``on_demand``), or a ``sample``."""
    recording: RecordingRules = RecordingRules()
    """How they are recorded, what callers are told before, and how long recordings are kept."""
    callback_lost: bool = True
    """A caller whose call dies with this process while it waits is called back at its place, by the rules of
    callbacks. False, and where nobody can be called back: it counts as one who hung up while it waited."""
    requeue: bool = True
    """A caller whose agent's phone dies during the talk, without a goodbye, hears `requeue_prompt` and stands
    in this line again at once, at its old place. False: the call ends."""
    requeue_prompt: str = "agent_lost"
    """What that caller is told; an agent who answers meanwhile cuts it. Empty for nothing."""
    bound: tuple[Name, ...] = ()
    """Outside numbers that answer this queue, as ``carrier/13800138000``: each is an agent by the name of
    ``13800138000@carrier``, after those of ``[[agents]]`` and in this order, who is there from the start. A
    number that several queues name serves them all."""
    bound_key: Key = ""
    """The key that must be pressed at such a number before it gets the caller, as an agent's `accept_key`."""
    no_agent: Literal["wait", "leave"] = "wait"
    """What a caller does when no member is present: ``leave`` exits with ``no_agent``, on entry and
    while waiting. Offline and quarantined members are absent; paused and busy ones are present."""
    skills: str = ""
    """What an agent must know to be offered a caller of this queue: a condition over the levels in the
    agents' `skills`, such as ``billing >= 2 and (english or mandarin) and not trainee``; a skill that an
    agent has not got is at level 0. Empty for any member."""
    relax: tuple[RelaxStep, ...] = ()
    """What is wanted instead when a caller has waited for some time, by `after`."""
    sticky: Seconds = 0.0
    """Seconds that a caller waits for the agent who talked with it last, while that agent is busy; not at
    all for one who is offline or quarantined, or does not meet `skills`. 0 for no such preference; 20 is a
    good wait. Who talked with whom is known from the start of the process on."""
    sticky_window: Seconds = 604800.0
    """How long ago that talk may be: 7 days."""
    region_wait: Seconds = 0.0
    """Seconds that a caller waits for agents of its own region, the nearest first, while these are busy; not
    at all when none of them is there, or its region is not known. Then any member may have it. 0 for no such
    preference."""
    overflow: tuple[OverflowRule, ...] = ()
    """Looked at in this order when a caller comes and while it waits, before `max_length` and `no_agent`; the
    first that applies sends the caller on, with exit ``overflowed``."""
    then: str = ""
    """The destination after ``timed_out``, ``full`` and ``no_agent``; empty for the prompt ``no_agents`` and
    the end of the call."""
    keys: dict[Annotated[str, Meta(pattern="^[0-9A-D*#]$")], str] = {}
    """Keys that take a waiting caller out of the queue, also during an announcement, each with the
    destination that it leads to; the exit is ``key_exit``. Other keys do nothing."""
    handle_time: Annotated[float, Meta(gt=0)] = 180.0
    """Mean seconds of talk and wrap-up, for estimates of the wait until calls have been measured."""


class RouterSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who says where calls go: a service that is asked over HTTP, or a Python function that is installed.

    Calls come to it by the destination ``router:NAME``.
    """

    name: Name
    """Unique among routers."""
    url: str = ""
    """The service: each call's attributes are posted there as JSON. The answer, with status 200, is a text,
    a queue's name or a destination; or an object with one of `to`, `queue` and `reject` (a SIP status), and
    with a queue also `agent`, `wait` (seconds for that agent) and `priority`."""
    plugin: str = ""
    """The function, in place of `url`: a name of the entry-point group ``sipcc.routers``."""
    default: Annotated[str, Meta(min_length=1)]
    """The destination of calls when there is no answer in time, or none that leads somewhere."""
    timeout: Annotated[float, Meta(gt=0, le=10)] = 0.5
    """Seconds for the answer of `url`; a `plugin` has 0.1."""
    pause: Annotated[float, Meta(gt=0)] = 10.0
    """Seconds for which `url` is not asked after three late answers in a row; a `plugin` is not again."""
    authorization: str = ""
    """The Authorization header of each request, such as ``Bearer ...``; ``env:NAME`` keeps it out of the
    file."""


class WorkflowSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules by which calls wait in one queue after another, as JSON in the shape of TaskRouter's workflows.

    Calls come to it by the destination ``workflow:NAME``. Queues and agents go by their names.
    """

    name: Name
    """Unique among workflows."""
    file: str = ""
    """The JSON file."""
    json: str = ""
    """The JSON itself, in place of `file`."""


def bound_name(number: str) -> str:
    """The agent behind a number that is bound to a queue; a slash would not do in paths of HTTP."""
    trunk, slash, rest = number.partition("/")
    return f"{rest}@{trunk}" if slash else number


def with_bound(agents: Sequence[AgentSettings], queues: Sequence[QueueSettings]) -> tuple[AgentSettings, ...]:
    """`agents`, and one more for each outside number that is bound to queues; nobody is added twice.

    Such an agent has no after-call work: there is nobody at the number who could end it.
    """
    bound: dict[str, AgentSettings] = {}
    taken = {agent.name for agent in agents}
    for queue in queues:
        for number in queue.bound:
            name = bound_name(number)
            if name in taken:
                continue
            before = bound.get(name)
            bound[name] = AgentSettings(
                name=name,
                uri=number,
                accept_key=queue.bound_key or (before.accept_key if before is not None else ""),
                queues=(*(before.queues if before is not None else ()), queue.name),
                wrap_up=0.0,
            )
    return (*agents, *bound.values())
