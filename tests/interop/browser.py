"""A real Chromium without a window, driven over its DevTools protocol, and the pages that it opens.

The pages come from a small web server of ours on loopback, and so do JsSIP and SIP.js, which `make foreign`
puts into ``build/browser``. JsSIP comes as modules for Node; `_bundle` makes one script of them.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import http.server
import json
import os
import re
import signal
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from tests.interop.programs import ROOT, Program, need, wait_until
from websockets.sync.client import connect

LIBRARIES = ROOT / "build" / "browser" / "node_modules"
PAGES = Path(__file__).with_name("pages")

_LOADER = """\
(() => {
const modules = {}, loaded = {};
const load = (path) => {
  if (!(path in loaded)) {
    const [run, names] = modules[path];
    loaded[path] = { exports: {} };
    run(loaded[path], loaded[path].exports, (name) => load(names[name]));
  }
  return loaded[path].exports;
};
"""


def _bundle(package: str, variable: str) -> bytes:
    """A package of modules for Node, and all that it requires, as one script that sets a global variable."""
    main = _resolve(LIBRARIES, package)
    found: dict[Path, str] = {}
    wanted = [main]
    while wanted:
        path = wanted.pop()
        if path in found:
            continue
        text = path.read_text()
        names: dict[str, str] = {}
        if path.suffix == ".json":
            text = f"module.exports = {text};"
        else:
            for name in re.findall(r"""\brequire\(['"]([^'"]+)['"]\)""", text):
                target = _resolve(path.parent, name)
                names[name] = str(target)
                wanted.append(target)
        found[path] = f"[(module, exports, require) => {{\n{text}\n}}, {json.dumps(names)}]"
    modules = [f"modules[{json.dumps(str(path))}] = {code};\n" for path, code in found.items()]
    end = f"window.{variable} = load({json.dumps(str(main))});\n}})();\n"
    return "".join([_LOADER, *modules, end]).encode()


def _resolve(folder: Path, name: str) -> Path:
    """The file that ``require(name)`` means in a module of `folder`, for a browser."""
    if name.startswith("."):
        target = (folder / name).resolve()
    else:
        about = json.loads((LIBRARIES / name / "package.json").read_text())
        target = (LIBRARIES / name / (about.get("browser") or about["main"])).resolve()
    choices = [target, target.with_name(target.name + ".js"), target / "index.js"]
    return next(choice for choice in choices if choice.is_file())


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the pages, JsSIP as one script, and the modules of SIP.js as they are."""

    bundle: bytes = b""

    def translate_path(self, path: str) -> str:
        name = path.partition("?")[0].lstrip("/")
        assert ".." not in name
        return str(LIBRARIES / name if name.startswith("sip.js/") else PAGES / name)

    def do_GET(self) -> None:
        if self.path != "/jssip.js":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript; charset=utf-8")
        self.send_header("Content-Length", str(len(self.bundle)))
        self.end_headers()
        self.wfile.write(self.bundle)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def web_server() -> Iterator[int]:
    """The pages and libraries on a port of loopback, which is returned."""
    if not (LIBRARIES / "jssip" / "package.json").exists():
        reason = "JsSIP and SIP.js are not in build/browser (make foreign)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    handler = type("Handler", (_Handler,), {"bundle": _bundle("jssip", "JsSIP")})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=functools.partial(server.serve_forever, poll_interval=0.05))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def pin(certificate: Path) -> str:
    """The hash of the public key in a PEM file: what makes Chromium take that one certificate."""
    key = x509.load_pem_x509_certificate(
        re.search(rb"-----BEGIN CERT.*", certificate.read_bytes(), re.DOTALL)[0]  # type: ignore[index]
    ).public_key()
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


class Chromium(Program):
    """The browser. It takes the certificate whose key has the hash `trusts`, and no other unknown one.

    Its microphone is a beep, and no page has to ask for it.
    """

    def __init__(self, folder: Path, *, trusts: str) -> None:
        need("chromium")
        command = [
            "chromium",
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--no-default-browser-check",
            "--no-proxy-server",
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            "--autoplay-policy=no-user-gesture-required",
            f"--ignore-certificate-errors-spki-list={trusts}",
            f"--user-data-dir={folder / 'profile'}",
            "--remote-debugging-port=0",
            "about:blank",
        ]
        super().__init__("chromium", command, folder, env={"HOME": str(folder)})
        found: list[str] = []

        def listening() -> bool:
            assert self.running, self.tail()
            found[:] = re.findall(r"DevTools listening on (ws://\S+)", self.output)
            return bool(found)

        wait_until(listening, 20, lambda: f"chromium ready:\n{self.tail()}")
        self._closing = contextlib.ExitStack()
        self._tools = self._closing.enter_context(connect(found[0], max_size=None, proxy=None))
        self._last = 0
        self.complaints: defaultdict[str, list[str]] = defaultdict(list)
        """What the browser wrote into the console of each page, by session."""

    def ask(self, method: str, *, session: str = "", seconds: float = 20.0, **params: Any) -> dict[str, Any]:
        """One command of the DevTools protocol, and its result."""
        self._last += 1
        number = self._last
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self._tools.send(json.dumps(message))
        while True:
            answer = json.loads(self._tools.recv(timeout=seconds))
            if answer.get("method") == "Log.entryAdded":
                self.complaints[answer["sessionId"]].append(answer["params"]["entry"]["text"])
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, url: str) -> Page:
        """A new page."""
        return Page(self, url)

    @contextlib.contextmanager
    def network_asleep(self) -> Iterator[None]:
        """Inside the block the browser sends and hears nothing, as on a laptop that was shut."""
        children = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        pids = [pid for path in children for pid in path.read_text().split()]
        service = b"network.mojom.NetworkService"
        [network] = [int(pid) for pid in pids if service in Path(f"/proc/{pid}/cmdline").read_bytes()]
        os.kill(network, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(network, signal.SIGCONT)

    def end(self, seconds: float = 10.0) -> int:
        """Close the browser in order."""
        with contextlib.suppress(Exception):
            self.ask("Browser.close", seconds=2)
        self._closing.close()
        with contextlib.suppress(AssertionError):
            self.wait(5)
        return super().end(seconds)


class Page:
    """One page; scripts in it run by `run`."""

    def __init__(self, browser: Chromium, url: str) -> None:
        self._browser = browser
        self._target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.ask("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"]
        browser.ask("Log.enable", session=self._session)
        browser.ask("Page.navigate", session=self._session, url=url)
        wait_until(lambda: bool(self.run("window.ready === true")), 10, f"{url} ready")

    def run(self, script: str, *, seconds: float = 15.0) -> Any:
        """The value of `script`, waited for when it is a promise; AssertionError when it throws."""
        done = self._browser.ask(
            "Runtime.evaluate",
            session=self._session,
            seconds=seconds,
            expression=script,
            awaitPromise=True,
            returnByValue=True,
        )
        if "exceptionDetails" in done:
            details = done["exceptionDetails"]
            raise AssertionError(details.get("exception", {}).get("description") or details["text"])
        return done["result"].get("value")

    @property
    def complaints(self) -> list[str]:
        """What the browser wrote into the console so far, such as why it could not connect."""
        self.run("0")
        return self._browser.complaints[self._session]

    def close(self) -> None:
        """Close it, as a user closes a tab: nothing is said to the switch."""
        self._browser.ask("Target.closeTarget", targetId=self._target)
