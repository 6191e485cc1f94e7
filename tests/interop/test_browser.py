"""Chromium with JsSIP and with SIP.js over WSS and WS: browsers register, write, watch a lamp, and call."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.interop.browser import Chromium, Page, pin, web_server
from tests.interop.centre import PASSWORDS, Centre
from tests.interop.programs import Softphone, ended, wait_until

PING = 0.4
HOST = "127.0.0.1"


class Desk:
    """A daemon, a browser, and the pages that were opened."""

    def __init__(self, centre: Centre, browser: Chromium, web_port: int) -> None:
        self.centre = centre
        self.browser = browser
        self.web_port = web_port
        self.pages: list[Page] = []

    def open(self, name: str = "jssip", *, host: str = "127.0.0.1") -> Page:
        """A page that may connect; from ``localhost`` it may not."""
        page = self.browser.open(f"http://{host}:{self.web_port}/{name}.html")
        self.pages.append(page)
        return page

    def url(self, scheme: str = "wss") -> str:
        """Where browsers connect."""
        port = self.centre.wss_port if scheme == "wss" else self.centre.ws_port
        return f"{scheme}://{self.centre.host}:{port}/ws"

    def phone(
        self, page: Page, name: str = "phone", user: str = "1001", *, scheme: str = "wss", **more: object
    ) -> None:
        """A phone of the library of the page, as the variable `name` of the page."""
        settings = {
            "url": self.url(scheme),
            "user": user,
            "domain": self.centre.host,
            "password": PASSWORDS[user],
            **more,
        }
        page.run(f"window.{name} = new Phone({json.dumps(settings)}); 0")

    def registered(self, name: str = "phone", **options: Any) -> Page:
        """A page with a phone of JsSIP that is registered."""
        page = self.open()
        self.phone(page, name, **options)
        expect(page, name, "registered")
        return page


def expect(page: Page, phone: str, event: str, seconds: float = 10.0, **where: object) -> dict[str, Any]:
    """Wait for an event of a phone on a page, and return it."""
    found: dict[str, Any] = page.run(
        f"{phone}.next({json.dumps(event)}, {json.dumps(where)}, {seconds})", seconds=seconds + 5
    )
    return found


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One daemon and one browser for all tests here."""
    folder = tmp_path_factory.mktemp("browser")
    with web_server() as web_port:
        websocket = f'websocket = {{ origins = ["http://127.0.0.1:{web_port}"], ping = {PING} }}'
        centre = Centre(folder, sip=websocket, secure=True)
        try:
            browser = Chromium(folder, trusts=pin(folder / f"trusted-{HOST}-False.pem"))
            with ended(browser):
                yield Desk(centre, browser, web_port)
            centre.stop()
        finally:
            centre.program.end(1)


@pytest.fixture(scope="module")
def phone(desk: Desk) -> Iterator[Softphone]:
    """A registered PJSUA2 phone over UDP."""
    phone = Softphone(
        desk.centre.folder,
        user="1002",
        host="127.0.0.5",
        server=desk.centre.target,
        password=PASSWORDS["1002"],
        answer=180,
    )
    with ended(phone):
        phone.wait_event("registration", status=200)
        yield phone
        phone.quit()


@pytest.fixture(autouse=True)
def closed_pages(desk: Desk) -> Iterator[None]:
    """No page outlives its test, and the daemon has outlived it."""
    yield
    for page in desk.pages:
        page.close()
    desk.pages.clear()
    assert desk.centre.program.running


def peer(desk: Desk, user: str = "1001") -> str:
    return f"sip:{user}@{desk.centre.host}"


@pytest.mark.parametrize("scheme", ["wss", "ws"])
def test_the_right_password_registers_and_a_wrong_one_does_not(desk: Desk, scheme: str) -> None:
    page = desk.open()
    desk.phone(page, "wrong", scheme=scheme, password="not-it")
    assert expect(page, "wrong", "registrationFailed")["status"] == 401
    page.run("wrong.ua.stop()")
    desk.phone(page, "right", scheme=scheme)
    assert expect(page, "right", "registered")["status"] == 200
    assert page.run(f"right.request('OPTIONS', 'sip:{desk.centre.host}')") == 200
    assert page.run(f"right.request('MESSAGE', '{peer(desk)}', 'to myself')") == 200
    assert expect(page, "right", "message")["text"] == "to myself"
    page.run("right.ua.unregister()")
    assert expect(page, "right", "unregistered")["status"] == 200
    assert page.run(f"right.request('MESSAGE', '{peer(desk)}', 'nobody there')") == 480


def test_strange_pages_and_other_protocols_do_not_come_in(desk: Desk) -> None:
    page = desk.open()
    before = received(desk)
    for scheme in ("wss", "ws"):
        url = desk.url(scheme)
        assert page.run(f"knock('{url}', 'sip')") == "open"
        assert page.run(f"knock('{url}', [])") == 1006
        assert page.run(f"knock('{url}', ['xmpp', 'mqtt'])") == 1006
        assert page.run(f"knock('{url}/else', 'sip')") == 1006
        stranger = desk.open(host="localhost")
        assert stranger.run(f"knock('{url}', 'sip')") == 1006
        desk.phone(stranger)
        expect(stranger, "phone", "disconnected", code=1006)
        assert set(told(stranger)) == {"403"}
    assert told(page) == ["400", "400", "404"] * 2
    assert received(desk) == before


def received(desk: Desk) -> str:
    """How many messages of SIP the switch has read."""
    [count] = re.findall(r"(?m)^received\s+(\d+)$", desk.centre.ask("status"))
    return str(count)


def told(page: Page) -> list[str]:
    """The HTTP status of each WebSocket that the browser did not get."""
    return [found[1] for text in page.complaints if (found := re.search(r"response code: (\d+)", text))]


def test_browser_and_desk_phone_write_to_each_other(desk: Desk, phone: Softphone) -> None:
    page = desk.registered()
    assert page.run(f"phone.request('MESSAGE', '{peer(desk, '1002')}', 'grüß Gott, 你好')") == 200
    event = phone.wait_event("message")
    assert (event["text"], event["type"]) == ("grüß Gott, 你好", "text/plain")
    assert "sip:1001@" in event["sender"]
    assert write(desk, phone, "hello to the browser") == 200
    event = expect(page, "phone", "message")
    assert (event["text"], event["sender"]) == ("hello to the browser", "1002")


def write(desk: Desk, phone: Softphone, text: str) -> int:
    """A text from a desk phone to the browser; the status that the desk phone is told."""
    before = len(phone.events("message status"))
    phone.tell(f"message sip:1001@{desk.centre.target} {text}")
    wait_until(lambda: len(phone.events("message status")) > before, 10, phone.tail)
    status: int = phone.events("message status")[before]["status"]
    return status


def test_a_browser_answers_pings_and_one_that_does_not_is_gone_until_it_comes_back(
    desk: Desk, phone: Softphone
) -> None:
    page = desk.registered()
    page.run(f"new Promise((resolve) => setTimeout(resolve, {PING * 5 * 1000}))")
    assert write(desk, phone, "after five pings") == 200
    expect(page, "phone", "message", text="after five pings")
    assert page.run("phone.told.map((event) => event.name)") == ["connected"], "and nothing since"
    with desk.browser.network_asleep():
        wait_until(lambda: write(desk, phone, "asleep") == 480, 10, "the binding goes")
    assert expect(page, "phone", "disconnected")["code"] == 1006
    expect(page, "phone", "registered")
    assert write(desk, phone, "awake") == 200
    expect(page, "phone", "message", text="awake")


def test_a_connection_that_the_switch_closes_is_replaced(desk: Desk, phone: Softphone) -> None:
    page = desk.registered()
    page.run("phone.ua.transport.socket._ws.send('x'.repeat(70000))")
    assert expect(page, "phone", "disconnected")["code"] == 1009
    assert expect(page, "phone", "registered")["status"] == 200
    assert write(desk, phone, "found again") == 200
    expect(page, "phone", "message", text="found again")


def test_the_same_phone_on_a_new_connection_takes_the_place_of_the_old_one(desk: Desk) -> None:
    device = {"instance_id": "8f1fa16a-1165-4a96-8341-785b1ef24f12"}
    page = desk.registered(name="old", **device)
    desk.phone(page, "young", **device)
    expect(page, "young", "registered")
    assert page.run(f"young.request('MESSAGE', '{peer(desk)}', 'once')") == 200
    expect(page, "young", "message", text="once")
    assert page.run("old.told.filter((event) => event.name === 'message').length") == 0


def test_a_browser_watches_a_lamp(desk: Desk, phone: Softphone) -> None:
    page = desk.registered()
    page.run("phone.lamp('1002')")
    assert expect(page, "phone", "lamp")["states"] == "terminated"
    phone.tell(f"call sip:4008123453@{desk.centre.target}")
    expect(page, "phone", "lamp", states="confirmed")
    phone.tell("hangup")
    expect(page, "phone", "lamp", states="terminated")
    page.run("phone.lamps.terminate()")
    assert expect(page, "phone", "lamp off")


def test_calls_to_a_browser_end_in_order(desk: Desk, phone: Softphone) -> None:
    page = desk.registered()
    for deed, status in [
        ("", 487),
        ("phone.session.terminate({ status_code: 486 })", 486),
    ]:
        phone.tell(f"call sip:4008123455@{desk.centre.target}")
        assert expect(page, "phone", "incoming")["caller"] == "1002"
        if deed:
            page.run(f"{deed}; 0")
        else:
            phone.tell("hangup")
        expect(page, "phone", "failed")
        phone.wait_event("call", state="DISCONNECTED", status=status)
    assert page.run(f"phone.request('MESSAGE', '{peer(desk, '1002')}', 'still here')") == 200


def test_after_a_restart_of_the_switch_browsers_come_back_by_themselves(desk: Desk) -> None:
    page = desk.registered()
    desk.centre.restart()
    assert expect(page, "phone", "disconnected")["code"] in (1001, 1006)
    expect(page, "phone", "registered")
    assert page.run(f"phone.request('MESSAGE', '{peer(desk)}', 'as before')") == 200
    expect(page, "phone", "message", text="as before")


def test_sip_js_registers_writes_watches_and_calls(desk: Desk) -> None:
    page = desk.open("sipjs")
    desk.phone(page, password="not-it")
    assert page.run("phone.register()") == 401
    page.run("phone.agent.stop()")
    desk.phone(page)
    assert page.run("phone.register()") == 200
    other = desk.registered(name="other", user="1002")
    assert page.run(f"phone.message('{peer(desk, '1002')}', 'from SIP.js')") == 200
    expect(other, "other", "message", text="from SIP.js", sender="1001")
    assert other.run(f"other.request('MESSAGE', '{peer(desk)}', 'from JsSIP')") == 200
    expect(page, "phone", "message", text="from JsSIP", sender="1002")
    page.run("phone.lamp('1002')")
    assert expect(page, "phone", "lamp")["states"] == "terminated"
    assert page.run(f"phone.call(700, '{peer(desk, '4008123453')}')") == 200
    assert page.run("phone.sound.hear(700, 8)")
    assert page.run("phone.bye()") == 200
    assert page.run("phone.unregister()") == 200
    assert other.run(f"other.request('MESSAGE', '{peer(desk)}', 'nobody there')") == 480
