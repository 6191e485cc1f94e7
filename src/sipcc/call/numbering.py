"""How each trunk writes numbers, as a core: what comes in becomes canonical, what goes out is written so."""

from __future__ import annotations

from sipcc.call.settings import DiallingSettings
from sipcc.numbers import Number, Plan, adjusted, parse, plan_of, written
from sipcc.sip.settings import TrunkSettings
from sipcc.sip.uri import SipUri


class Numbering:
    """The plans of the switch and of its trunks."""

    def __init__(self, settings: DiallingSettings | None = None) -> None:
        self._settings = settings or DiallingSettings()
        self._emergency = frozenset(self._settings.emergency)
        self.home = plan_of(self._settings.country, self._settings.area_code, self._emergency)
        """How numbers are written where this switch stands."""
        self._plans: dict[tuple[str, str], Plan] = {}

    def plan(self, trunk: TrunkSettings | None) -> Plan:
        """How numbers are written on `trunk`; None is a phone of ours."""
        if trunk is None or not (trunk.country or trunk.area_code):
            return self.home
        key = (trunk.country, trunk.area_code)
        if key not in self._plans:
            # an area code of ours says nothing in another country
            same = trunk.country in {"", self._settings.country}
            area = trunk.area_code or (self._settings.area_code if same else "")
            self._plans[key] = plan_of(trunk.country or self._settings.country, area, self._emergency)
        return self._plans[key]

    def incoming(self, uri: SipUri, trunk: TrunkSettings | None) -> Number | None:
        """The number in a URI that came from `trunk`: a tel URI, or a SIP URI with a number in it.

        None for a URI without one.
        """
        if trunk is None:
            return parse(uri.subscriber, self.home)
        text = adjusted(uri.subscriber, strip=trunk.strip_in, prepend=trunk.prepend_in)
        return parse(text, self.plan(trunk), form=trunk.number_format_in)

    def dialled(self, text: str) -> Number | None:
        """The number that somebody here asks for; None when it is none."""
        return parse(text, self.home)

    def canonical(self, text: str) -> str:
        """What somebody here wrote, in the form that numbers are compared in; what is none stays as it is."""
        number = self.dialled(text)
        return text if number is None else number.canonical

    def outgoing(self, number: Number, trunk: TrunkSettings) -> str:
        """`number` as the user part of a Request-URI to `trunk`."""
        return trunk.prepend_out + self.shown(number, trunk)

    def shown(self, number: Number, trunk: TrunkSettings) -> str:
        """`number` as a caller's number towards `trunk`: without an access code."""
        plan, form = self.plan(trunk), trunk.number_format_out
        if form == "as_is" and plan.country != self.home.country:
            form = "national"  # what was dialled here is another number there
        return adjusted(written(number, form, plan), strip=trunk.strip_out)
