"""Builds the application."""

from __future__ import annotations

from collections.abc import Sequence

from litestar import Litestar
from litestar.datastructures import State
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from sipcc import __version__
from sipcc.api.access import Tokens
from sipcc.api.applications import APPLICATIONS
from sipcc.api.callbacks import CALLBACKS
from sipcc.api.callcontrol import CALL_CONTROL
from sipcc.api.commands import COMMANDS
from sipcc.api.config import CONFIG
from sipcc.api.entries import ENTRIES
from sipcc.api.feed import Feed
from sipcc.api.flows import FLOWS
from sipcc.api.following import FOLLOWING
from sipcc.api.hooks import HOOK_PAGES
from sipcc.api.hours import HOURS
from sipcc.api.metrics import Figures, metrics
from sipcc.api.office import REFUSALS, Office
from sipcc.api.reads import READS
from sipcc.api.recalls import RECALLS
from sipcc.api.recordings import RECORDINGS
from sipcc.api.ring import EventRing
from sipcc.api.ringback import RINGBACKS
from sipcc.api.schema import CentreApi
from sipcc.api.settings import ApiSettings, TokenSettings
from sipcc.api.visits import VISITS
from sipcc.api.voicemail import VOICEMAIL

LARGEST_BODY = 64 * 1024
"""Bytes of a request's body; a command has some hundred."""


def make_api(
    centre: CentreApi, tokens: Sequence[TokenSettings], settings: ApiSettings | None = None
) -> Litestar:
    """The interface over `centre`, for whoever holds one of `tokens`. It listens to the bus from now on.

    Its schema stands at ``/schema/openapi.json``.
    """
    ring = EventRing(f"{centre.ids.bits(32):08x}", (settings or ApiSettings()).events_kept)
    feed = Feed(centre.bus, centre.clock, ring, centre.keeper.scribe)
    return Litestar(
        [
            *(*READS, *VISITS, *RECORDINGS, *COMMANDS, *CALL_CONTROL, *ENTRIES, *RECALLS, *CALLBACKS),
            *(*FOLLOWING, *HOOK_PAGES, *CONFIG, *HOURS, *FLOWS, *RINGBACKS, *VOICEMAIL, *APPLICATIONS),
            metrics,
        ],
        state=State({"office": Office(centre, Tokens(tokens), feed, Figures(centre))}),
        exception_handlers=REFUSALS,
        request_max_body_size=LARGEST_BODY,
        logging_config=None,
        openapi_config=OpenAPIConfig(
            title="sipcc", version=__version__, path="/schema", render_plugins=[JsonRenderPlugin()]
        ),
    )
