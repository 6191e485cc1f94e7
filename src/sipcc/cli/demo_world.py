"""The world of `sipccd demo`: a switch, a carrier and three agents, in one process on loopback.

Every call is real: SIP over UDP and RTP over UDP, on ports that the kernel chose. Callers and agents say
tones of their own, so that who heard whom is proved by the spectrum and not assumed.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sipcc.acd.events import OfferEnded, QueueLeft
from sipcc.call.events import CallStarted
from sipcc.cli.ladder import draw
from sipcc.errors import CallRejected, SipccError
from sipcc.sip.transport.base import Address
from sipcc.tasks import TaskScope

if TYPE_CHECKING:
    from sipcc.acd import Snapshot
    from sipcc.switch import Switch
    from sipcc.testing.carrier import FakeCarrier
    from sipcc.testing.fakecall import FakeCall
    from sipcc.testing.phone import FakePhone

NUMBER = "4008123456"
CARRIER_HOST = "127.0.0.2"
AGENT_HOST = "127.0.0.3"
POLL_S = 0.05
PROOF_S = 3.0
"""How long after the answer both sides may take to hear each other."""
GUEST = "you"

TOML = """\
[sip]
listen = ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"]
domain = "127.0.0.1"

[media]
address = "127.0.0.1"
ports = [{first_port}, {last_port}]

[records]
database = "{folder}/demo.db"
recordings = "{folder}/recordings"

[[trunks]]
name = "carrier"
addresses = ["{carrier}"]
{users}
[[queues]]
name = "sales"
ring_timeout = 8.0
wrap_up = 1.0
max_wait = 120.0
short_abandon = 0.5
reject_backoff = 3.0
record = true

[[menus]]
name = "main"
prompt = "welcome"
options = {{ "1" = "queue:sales" }}
then = "queue:sales"

[[numbers]]
number = "{number}"
to = "menu:main"
"""

USER_TOML = """
[[users]]
name = "{name}"
password = "{password}"

[[agents]]
name = "{name}"
user = "{name}"
queues = ["sales"]
"""


@dataclass(frozen=True)
class Role:
    """How a scripted agent behaves."""

    name: str
    tone_hz: int
    answers_after: float
    declines_first: bool
    words: str


ROLES = (
    Role("ann", 1300, 0.6, False, "answers at once"),
    Role("bob", 1500, 3.0, False, "is slow"),
    Role("carol", 1700, 0.8, True, "declines every second call"),
)

Manner = Literal["patient", "impatient"]


@dataclass
class Visit:
    """One caller, from dialling to the end."""

    caller: str
    manner: Manner
    began: float
    stage: str = "dialling"
    agent: str = ""
    heard_agent: bool = False
    agent_heard: bool = False
    done: bool = False
    ended: float = 0.0
    problem: str = ""
    """What went otherwise than the manner asks; empty for a good visit."""


@dataclass
class Tallies:
    """What the switch told in its events."""

    offers: dict[str, int] = field(default_factory=dict)
    exits: dict[str, int] = field(default_factory=dict)
    answered_by: dict[str, str] = field(default_factory=dict)
    """SIP Call-ID of the caller's leg to the agent."""
    declined_entries: set[str] = field(default_factory=set)
    answered_entries: set[str] = field(default_factory=set)
    sip_call_ids: dict[str, str] = field(default_factory=dict)
    """Call to the SIP Call-ID of its caller's leg."""
    last_answered: str | None = None
    """The call that an agent answered last."""


class DemoWorld:
    """Starts everything, places callers, and can be looked at while it runs."""

    def __init__(self, folder: Path, *, seed: int | None = None) -> None:
        self.folder = folder
        self.visits: list[Visit] = []
        self.tallies = Tallies()
        self.number = NUMBER
        self.guest = GUEST
        self.killed: list[str] = []
        self.password = secrets.token_urlsafe(6)
        """What a softphone of one's own registers with, as user `GUEST`."""
        self._agent_password = secrets.token_urlsafe(12)
        self._dice = random.Random(seed)
        self._callers = itertools.count()
        self._scope = TaskScope("demo")
        self._phones: dict[str, FakePhone] = {}
        self._carrier: FakeCarrier | None = None
        self._switch: Switch | None = None

    # -- life -----------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the switch, the carrier and the agents."""
        from sipcc.switch import Switch
        from sipcc.testing.carrier import FakeCarrier

        path = self.folder / "sipcc.toml"
        path.write_text(self._toml(), encoding="utf-8")
        self._switch = switch = Switch.from_toml(path)
        await switch.start()
        switch.bus.on(CallStarted, self._on_started)
        switch.bus.on(OfferEnded, self._on_offer_ended)
        switch.bus.on(QueueLeft, self._on_queue_left)
        self._carrier = FakeCarrier("carrier", CARRIER_HOST, server=self.address)
        await self._carrier.start()
        for role in ROLES:
            await self.bring(role)

    async def stop(self) -> None:
        """End all calls, then everything else."""
        await self._scope.close()
        for party in (self._carrier, *self._phones.values()):
            if party is not None:
                await party.stop()
        if self._switch is not None:
            await self._switch.stop()

    @property
    def switch(self) -> Switch:
        """The switch; only after `start`."""
        if self._switch is None:
            raise RuntimeError("the demo has not been started")
        return self._switch

    @property
    def address(self) -> Address:
        """Where the switch takes SIP over UDP."""
        return next(each.local for each in self.switch.endpoint.listeners if each.transport == "udp")

    @property
    def now(self) -> float:
        """Seconds of the switch's clock."""
        return self.switch.clock.now()

    def ladder(self, call: str | None = None) -> str:
        """The ladder of `call`, or of the last one; says so when there is none."""
        trace = self.switch.tracing.trace
        found = trace.ladder(call or trace.last or "", texts=False)
        return draw(found, name_of=self._name_of) if found is not None else "No call was seen yet."

    def snapshot(self) -> Snapshot:
        """Queues and agents at this moment."""
        return self.switch.acd.snapshot()

    # -- what the keys do -------------------------------------------------------------------------------

    def add_caller(
        self, manner: Manner = "patient", *, talk: float | None = None, patience: float = 90.0
    ) -> asyncio.Task[None]:
        """One more caller; `talk` seconds of conversation, `patience` seconds in the queue."""
        index = next(self._callers)
        visit = Visit(f"138001380{index % 100:02d}", manner, self.now)
        self.visits.append(visit)
        seconds = self._dice.uniform(2.0, 6.0) if talk is None else talk
        tone = 400 + 50 * (index % 16)
        return self._scope.spawn(self._visit(visit, tone, seconds, patience), name=f"caller-{index}")

    def burst(self, count: int = 20) -> None:
        """Many callers at once, each fourth of them impatient."""
        for index in range(count):
            if index % 4 == 3:
                self.add_caller("impatient", patience=self._dice.uniform(2.0, 8.0))
            else:
                self.add_caller(talk=self._dice.uniform(1.0, 4.0))

    async def kill_agent(self) -> str:
        """Cut the power of one agent's phone; when all are dead, all come back. Says what happened."""
        for role in ROLES:
            if role.name not in self.killed:
                self.killed.append(role.name)
                await self._phones[role.name].vanish()
                return f"{role.name}'s phone lost its power: nothing answers there any more"
        self.killed.clear()
        for role in ROLES:
            await self.bring(role)
        return "all agents are back"

    async def bring(self, role: Role) -> None:
        """Start and register the phone of one agent."""
        from sipcc.testing.phone import Answer, Decline, FakePhone

        phone = FakePhone(
            role.name,
            self._agent_password,
            server=self.address,
            host=AGENT_HOST,
            tone_hz=role.tone_hz,
            behaviour=Answer(role.answers_after),
        )
        if role.declines_first:
            phone.behaviours = [Decline(603, after=0.4), Answer(role.answers_after)] * 500
        self._phones[role.name] = phone
        await phone.start()
        status = await phone.register(3600)
        if status != 200:
            raise SipccError(f"the agent {role.name} could not register: {status}")

    # -- one caller -------------------------------------------------------------------------------------

    async def _visit(self, visit: Visit, tone: int, talk: float, patience: float) -> None:
        assert self._carrier is not None
        call = await self._carrier.call(NUMBER, caller=visit.caller, tone_hz=tone)
        try:
            await self._act(visit, call, tone, talk, patience)
        except CallRejected as error:
            visit.problem = f"refused with {error.status}"
        except AssertionError as error:
            visit.problem = str(error)
        finally:
            await call.hangup()
            visit.done, visit.ended = True, self.now
            visit.stage = "failed" if visit.problem else "served" if visit.agent else "gave up"

    async def _act(self, visit: Visit, call: FakeCall, tone: int, talk: float, patience: float) -> None:
        await call.answered()
        visit.stage = "in the menu"
        await _until_sound(call)
        await asyncio.sleep(0.4)
        await call.press("1")
        visit.stage = "in the queue"
        visit.agent = await self._agent_of(call, patience)
        if not visit.agent:
            visit.problem = "" if visit.manner == "impatient" else "nobody answered"
            return
        visit.stage = "talking"
        await self._prove_audio(visit, call, tone)
        await asyncio.sleep(talk)
        if call.state == "ended":
            visit.problem = f"was hung up on by {call.ended_by}"

    async def _agent_of(self, call: FakeCall, patience: float) -> str:
        """Who answered; empty when nobody did within `patience` seconds, or the call ended before."""
        assert call.request is not None
        give_up_at = self.now + patience
        while self.now < give_up_at and call.state != "ended":
            if agent := self.tallies.answered_by.get(call.request.call_id):
                return agent
            await asyncio.sleep(POLL_S)
        return ""

    async def _prove_audio(self, visit: Visit, call: FakeCall, tone: int) -> None:
        """Both must hear the other one's tone; a softphone of the user's own says what it likes."""
        role = next((each for each in ROLES if each.name == visit.agent), None)
        if role is None:
            return
        await call.hears(role.tone_hz, PROOF_S)
        visit.heard_agent = True
        talking = next((each for each in self._phones[role.name].calls if each.state == "answered"), None)
        if talking is not None:
            await talking.hears(tone, PROOF_S)
            visit.agent_heard = True

    # -- inside ---------------------------------------------------------------------------------------

    def _toml(self) -> str:
        first = self._dice.randrange(20000, 28000, 2)
        users = [USER_TOML.format(name=role.name, password=self._agent_password) for role in ROLES]
        users.append(USER_TOML.format(name=GUEST, password=self.password))
        return TOML.format(
            folder=self.folder,
            carrier=CARRIER_HOST,
            number=NUMBER,
            first_port=first,
            last_port=first + 1999,
            users="".join(users),
        )

    def _name_of(self, address: str) -> str:
        if address.startswith(f"{CARRIER_HOST}:"):
            return "carrier"
        for name, phone in self._phones.items():
            if name not in self.killed and str(phone.address) == address:
                return name
        return address

    def _on_started(self, event: CallStarted) -> None:
        self.tallies.sip_call_ids[event.call] = event.sip_call_id

    def _on_offer_ended(self, event: OfferEnded) -> None:
        self.tallies.offers[event.outcome] = self.tallies.offers.get(event.outcome, 0) + 1
        if event.outcome == "declined":
            self.tallies.declined_entries.add(event.entry)

    def _on_queue_left(self, event: QueueLeft) -> None:
        self.tallies.exits[event.exit] = self.tallies.exits.get(event.exit, 0) + 1
        if event.exit == "answered":
            self.tallies.answered_entries.add(event.entry)
            self.tallies.last_answered = event.call
            self.tallies.answered_by[self.tallies.sip_call_ids[event.call]] = event.agent or ""


async def _until_sound(call: FakeCall, timeout: float = 5.0) -> None:
    """Wait until the menu's prompt is heard. Raises AssertionError when it stays silent."""
    from sipcc.testing import audio

    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + timeout
    while audio.is_silent(call.heard(0.1)):
        if call.state == "ended" or loop.time() > give_up_at:
            raise AssertionError(f"no prompt was heard within {timeout:g} s")
        await asyncio.sleep(POLL_S)
