"""What gets things by URL for everybody in a switch: documents, sounds, answers of programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcc.ivr.fetch import FetchSettings

if TYPE_CHECKING:
    from sipcc.ivr.fetchhttp import HttpFetcher


class Fetching:
    """The fetchers of a switch, one for each way to fetch: a reload leaves connections and caches alone."""

    def __init__(self) -> None:
        self._fetchers: dict[FetchSettings, HttpFetcher] = {}

    def of(self, settings: FetchSettings) -> HttpFetcher:
        """The fetcher for `settings`; made when it is first wanted."""
        if settings not in self._fetchers:
            from sipcc.ivr.fetchhttp import HttpFetcher  # loads httpx: only for those who fetch

            self._fetchers[settings] = HttpFetcher(settings)
        return self._fetchers[settings]

    async def close(self) -> None:
        """Close all connections."""
        fetchers, self._fetchers = list(self._fetchers.values()), {}
        for fetcher in fetchers:
            await fetcher.close()
