"""The surveys of a configuration: asked after conversations that the agent's side ended, and by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sipcc.acd.events import QueueLeft
from sipcc.bus import Bus
from sipcc.call import Call, Destination, Handler
from sipcc.call.events import CallEndedEvent
from sipcc.errors import SipccError
from sipcc.ivr.events import ContextGiven
from sipcc.ivr.live import LiveSession
from sipcc.ivr.survey import Asking, Opinion, SurveySettings, ask_survey, may_ask
from sipcc.log import get_logger
from sipcc.switch.ivrservices import left
from sipcc.switch.missing import missing

if TYPE_CHECKING:
    from sipcc.acd import QueueResult
    from sipcc.switch.treatments import Treatments

_log = get_logger("sipcc.switch.surveys")


class Talks:
    """What is known of each live call for whoever talks to it next, and who talked to it last, by a queue."""

    def __init__(self, bus: Bus) -> None:
        self._last: dict[str, tuple[str, str]] = {}
        self._contexts: dict[str, dict[str, str]] = {}
        bus.on(ContextGiven, self._given)
        self._judged: dict[str, Literal["survey", "flow"]] = {}
        """By whom each caller was asked about its last conversation."""
        bus.on(QueueLeft, self._left)
        bus.on(CallEndedEvent, self._ended)

    def last(self, call: str) -> tuple[str, str]:
        """Queue and agent; empty texts for a caller who has talked to nobody."""
        return self._last.get(call, ("", ""))

    def context(self, call: str) -> dict[str, str]:
        """What flows and bots have found out of a caller; later values go before earlier ones."""
        return dict(self._contexts.get(call, {}))

    def _given(self, event: ContextGiven) -> None:
        self._contexts.setdefault(event.call, {}).update(event.context)

    def judging(self, call: str) -> tuple[str, str] | None:
        """The same, of a caller whom a flow asks, as often as it likes; None when a survey has asked it."""
        if self._judged.setdefault(call, "flow") == "survey":
            return None
        return self.last(call)

    def judge(self, call: str) -> bool:
        """A survey is about to ask a caller; False when its last conversation has been judged before."""
        if call in self._judged:
            return False
        self._judged[call] = "survey"
        return True

    def _left(self, event: QueueLeft) -> None:
        if event.exit == "answered":
            self._last[event.call] = event.queue, event.agent or ""
            self._judged.pop(event.call, None)

    def _ended(self, event: CallEndedEvent) -> None:
        self._last.pop(event.call, None)
        self._contexts.pop(event.call, None)
        self._judged.pop(event.call, None)


class Surveys:
    """Asks callers how content they are."""

    def __init__(self, treatments: Treatments) -> None:
        self._treatments = treatments
        self._surveys = {survey.name: survey for survey in treatments.config.surveys}

    async def after(self, call: Call, result: QueueResult) -> None:
        """Ask whoever had a conversation by a queue, if the agent's side has ended it.

        Whoever hangs up first is asked nothing, and so is not counted.
        """
        if call.ended or not may_ask(left(result)):
            return
        agent = result.agent or ""
        for survey in self._surveys.values():
            if survey.asks(result.queue, agent):
                await self._ask(call, survey, result.queue, agent)
                return

    def handler(self, name: str) -> Handler:
        """The treatment of calls that are sent to a survey, as by an agent: it judges who talked last.

        Raises:
            LocalProtocolError: there is no such survey.
        """
        if name not in self._surveys:
            raise missing("survey", name, self._surveys)
        survey = self._surveys[name]

        async def handler(call: Call) -> None:
            queue, agent = self._treatments.talks.last(call.id)
            await self._ask(call, survey, queue, agent)
            call.taken()

        return handler

    async def _ask(self, call: Call, survey: SurveySettings, queue: str, agent: str) -> None:
        treatments = self._treatments
        if not treatments.talks.judge(call.id):
            return
        session = LiveSession(call, treatments.services)
        await session.answer()

        def call_back() -> None:
            if survey.low_callback:
                try:
                    treatments.acd.book_callback(survey.low_callback, call.caller)
                except SipccError as error:
                    _log.warning("survey.no_callback", call_id=call.id, error=str(error))

        about = Asking(run=call.context.ids.uid("survey"), queue=queue, agent=agent)
        opinion: Opinion = await ask_survey(session, survey, about, treatments.bus.emit, on_low=call_back)
        if opinion.low and survey.low_to:
            await session.go(Destination.parse(survey.low_to))
