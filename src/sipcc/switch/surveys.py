"""The surveys of a configuration: asked after conversations that the agent's side ended, and by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcc.call import Call, Destination, Handler
from sipcc.errors import SipccError
from sipcc.ivr.live import LiveSession
from sipcc.ivr.survey import Asking, Opinion, SurveySettings, ask_survey, may_ask
from sipcc.log import get_logger
from sipcc.switch.ivrservices import left
from sipcc.switch.missing import missing

if TYPE_CHECKING:
    from sipcc.acd import QueueResult
    from sipcc.switch.treatments import Treatments

_log = get_logger("sipcc.switch.surveys")


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
