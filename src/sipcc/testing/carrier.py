"""A carrier: places calls to our numbers over a trunk that is known by its address."""

from __future__ import annotations

from collections.abc import Sequence

from sipcc.sip import NameAddr, SipUri
from sipcc.testing.fakecall import FakeCall
from sipcc.testing.party import FakeParty


class FakeCarrier(FakeParty):
    """Places calls and plays the caller; each call is a `FakeCall`."""

    async def call(
        self,
        number: str,
        *,
        caller: str = "13800138000",
        tone_hz: float | None = None,
        late_offer: bool = False,
        headers: Sequence[tuple[str, str]] = (),
    ) -> FakeCall:
        """Send an INVITE for `number` and return at once; wait with `FakeCall.answered` and the like.

        `tone_hz` is what this caller says, None for the carrier's own tone.
        """
        call = self.make_call("caller", late_offer=late_offer, what=f"{caller} to {number}")
        if tone_hz is not None:
            call.media.say_tone(tone_hz)
        host, port = self.server
        session = self.endpoint.invite(
            SipUri(user=number, host=host, port=port),
            from_=NameAddr(SipUri(user=caller, host=self.host)),
            to=NameAddr(SipUri(user=number, host=host)),
            body=call.offer(),
            listener=call,
            headers=headers,
            destination=self.server,
            transport=self.transport,
            contact_user=caller,
        )
        call.attach(session)
        return call
