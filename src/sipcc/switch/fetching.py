"""What gets things by URL for everybody in a switch: documents, sounds, answers of programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcc.ivr.fetch import FetchSettings
from sipcc.ivr.live_sounds import Sounds

if TYPE_CHECKING:
    from sipcc.ivr.fetchhttp import HttpFetcher


class Fetching:
    """The fetchers of a switch, one for each way to fetch: a reload leaves connections and caches alone."""

    def __init__(self) -> None:
        self._fetchers: dict[FetchSettings, HttpFetcher] = {}
        self._sounds: dict[FetchSettings, Sounds] = {}

    def of(self, settings: FetchSettings) -> HttpFetcher:
        """The fetcher for `settings`; made when it is first wanted."""
        if settings not in self._fetchers:
            from sipcc.ivr.fetchhttp import HttpFetcher  # loads httpx: only for those who fetch

            self._fetchers[settings] = HttpFetcher(settings)
        return self._fetchers[settings]

    def sounds_of(self, settings: FetchSettings) -> Sounds:
        """The sounds that were fetched by `settings`, as files."""
        if settings not in self._sounds:
            self._sounds[settings] = Sounds(self.of(settings))
        return self._sounds[settings]

    async def close(self) -> None:
        """Close all connections."""
        fetchers, self._fetchers = list(self._fetchers.values()), {}
        for fetcher in fetchers:
            await fetcher.close()
        sounds, self._sounds = list(self._sounds.values()), {}
        for files in sounds:
            files.close()
