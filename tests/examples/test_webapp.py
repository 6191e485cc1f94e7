"""The example of a web application: asked over real HTTP, with a made-up caller."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest
from tests.examples.stage import load_example

from sipcc.call.destination import Destination
from sipcc.ivr.fetchhttp import HttpFetcher
from sipcc.ivr.hooks.http import HttpDoor
from sipcc.ivr.hooks.run import Runner
from sipcc.ivr.hooks.settings import WebAppSettings
from sipcc.ivr.sim import SimSession

pytestmark = pytest.mark.realtime


@pytest.fixture
def url() -> Iterator[str]:
    """Where the example listens."""
    application = type("Quiet", (load_example("19_webapp").Application,), {"log_message": lambda *more: None})
    with ThreadingHTTPServer(("127.0.0.1", 0), application) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/call"
        server.shutdown()
        thread.join()


async def driven(url: str, script: str) -> SimSession:
    """A call that the example drove."""
    session, fetcher = SimSession(script), HttpFetcher()
    fetcher.allow(url)
    settings = WebAppSettings(name="bank", url=url, fallback="hangup")
    door = HttpDoor(settings, fetcher.session(), wall=session.wall, choose=lambda count: 0)
    runner = Runner(session, door, fallback=Destination("hangup"), account="sipcc", application="bank")
    await runner.run()
    await fetcher.close()
    return session


async def test_a_caller_hears_the_balance(url: str) -> None:
    session = await driven(url, "at 1s keys 1\nkeys 62220001")
    assert session.said[-2:] == ["You have", "say:money"]
    assert session.tags == {"account": "62220001"}


async def test_a_wrong_account_leads_back_to_the_menu_and_two_to_the_queue(url: str) -> None:
    session = await driven(url, "keys 1\nkeys 99999999\nwait 8s keys 2")
    assert "That was not right." in session.said
    assert "sales" in [line.text for line in session.lines if line.what == "enqueue"]
