"""Who may import whom: imports go down only, each third-party package has one home, cores stay cores."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src" / "sipcc"

LAYERS = {
    "errors": 0, "events": 0, "bus": 0, "clock": 0, "ids": 0, "log": 0, "driver": 0, "tasks": 0, "plugins": 0,
    "numbers": 0, "expr": 0, "reading": 0,
    "bucket": 0,
    "regions": 0,
    "recordpolicy": 0,
    "frames": 0,
    "journal": 0, "shelves": 0, "private": 0,
    "lifeline": 0, "nursery": 0, "ward": 0, "kept": 0,
    "stun": 0,
    "sip": 1, "rtp": 1,
    "call": 2,
    "ivr": 3,
    "acd": 4,
    "records": 5,
    "api": 6,
    "config": 7,
    "switch": 8,
    "daemon": 9, "keeper": 9, "cli": 9,
    "testing": 10,
}  # fmt: skip
"""The layer of each package or module of `sipcc`; those of one layer above 0 are strangers to each other."""

SAME_LAYER = {("cli", "daemon")}
"""Who may import a neighbour of its own layer above 0."""

SEES_ALL = {"cli/demo.py", "cli/demo_day.py", "cli/demo_world.py", "cli/demo_script.py", "cli/wallboard.py"}
"""The demo is made of the test kit."""

HOMES = {
    "numpy": ("rtp/", "testing/"),
    "av": ("rtp/codec/g729.py",),
    "G722": ("rtp/codec/g722.py",),
    "soundfile": ("rtp/files.py", "rtp/finishing.py", "ivr/lengths.py", "testing/"),
    "pyee": ("bus.py",),
    "pylibsrtp": ("rtp/srtp.py", "testing/srtp.py"),
    "uvloop": ("daemon.py", "rtp/worker.py"),
    "sqlalchemy": ("records/", "cli/cdr.py", "cli/stored.py", "cli/recordings.py"),
    "alembic": ("records/",),
    "click": ("cli/",),
    "rich": ("cli/",),
    "structlog": ("log.py", "call/registry.py"),
    "dns": ("sip/dns.py",),
    "websockets": ("sip/transport/ws.py", "ivr/bots/links.py", "ivr/bots/host.py", "ivr/speech/vosk.py"),
    "OpenSSL": ("rtp/dtls.py",),
    "cryptography": ("rtp/dtls.py",),
    "litestar": ("api/",),
    "uvicorn": ("api/server.py",),
    "espeakng_loader": ("ivr/speech/espeaklib.py",),
    "sherpa_onnx": ("ivr/speech/sherpa.py",),
    "httpx": ("ivr/fetchhttp.py", "ivr/speech/http.py", "records/webhooks.py"),
    "httpcore": ("ivr/fetchhttp.py",),
    "prometheus_client": ("api/metrics.py",),
    "quickjs": ("ivr/js.py",),
}
"""Where each third-party package may be imported. `cli/cdr.py` and `cli/stored.py` name SQLAlchemy's errors
and engine, `call/registry.py` binds the call to structlog's context."""

EVERYWHERE = {"msgspec"}

NOT_IN_A_CORE = {"asyncio", "time", "random", "logging", "socket", "select", "threading", "subprocess"}

SHELLS = {
    "bus.py",
    "clock.py",
    "daemon.py",
    "driver.py",
    "journal.py",
    "keeper.py",
    "kept.py",
    "lifeline.py",
    "log.py",
    "nursery.py",
    "shelves.py",
    "tasks.py",
    "ward.py",
    "acd/callbackdesk.py",
    "acd/engine.py",
    "acd/keeping.py",
    "acd/service.py",
    "acd/visit.py",
    "acd/announce.py",
    "api/applications.py",
    "api/callcontrol.py",
    "api/callbacks.py",
    "api/commands.py",
    "api/config.py",
    "api/entries.py",
    "api/feed.py",
    "api/following.py",
    "api/hours.py",
    "api/lag.py",
    "api/office.py",
    "api/once.py",
    "api/soundfiles.py",
    "api/recalls.py",
    "api/server.py",
    "config/surroundings.py",
    "ivr/bots/host.py",
    "ivr/bots/links.py",
    "ivr/bots/python.py",
    "ivr/bots/serve.py",
    "ivr/bots/talk.py",
    "ivr/fetchhttp.py",
    "ivr/grammar/load.py",
    "ivr/flows/lookup.py",
    "ivr/flows/run.py",
    "ivr/flows/values.py",
    "ivr/hooks/commands.py",
    "ivr/hooks/errands.py",
    "ivr/hooks/progress.py",
    "ivr/hooks/rooms.py",
    "ivr/hooks/run.py",
    "ivr/hooks/ws.py",
    "ivr/live.py",
    "ivr/live_party.py",
    "ivr/mailstore.py",
    "ivr/live_listening.py",
    "ivr/live_prompts.py",
    "ivr/live_recording.py",
    "ivr/live_sounds.py",
    "ivr/live_transfer.py",
    "ivr/prompts.py",
    "ivr/speech/cache.py",
    "ivr/speech/espeak.py",
    "ivr/speech/http.py",
    "ivr/speech/recognise.py",
    "ivr/speech/sherpa.py",
    "ivr/speech/speaker.py",
    "ivr/speech/vosk.py",
    "ivr/vxml/live.py",
    "ivr/vxml/platform.py",
    "ivr/vxml/simfetch.py",
    "records/keeper.py",
    "records/retention.py",
    "records/spool.py",
    "records/webhooks.py",
    "records/writer.py",
    "rtp/files.py",
    "rtp/handle.py",
    "rtp/keeping.py",
    "rtp/local.py",
    "rtp/pool.py",
    "rtp/port.py",
    "rtp/recorder.py",
    "rtp/standby.py",
    "rtp/taping.py",
    "rtp/udp.py",
    "rtp/worker.py",
    "sip/congestion.py",
    "sip/dns.py",
    "sip/endpoint.py",
    "sip/inbound.py",
    "sip/launching.py",
    "sip/notifications.py",
    "sip/outbound.py",
}
"""Files that may know the loop, clocks and sockets. All others are cores."""

SHELL_FOLDERS = ("call/", "cli/", "switch/", "testing/", "sip/transport/")
"""Packages that are shells as a whole, but for `CORES` in them."""

CORES = {
    "call/trunkroutes.py",
    "call/routing.py",
    "call/tollguard.py",
    "call/screening.py",
    "call/presentation.py",
    "call/numbering.py",
    "call/caller.py",
    "call/digits.py",
    "call/keybuffer.py",
    "call/cause.py",
    "call/destination.py",
    "call/negotiate.py",
    "call/browser.py",
    "call/codecs.py",
    "call/describing.py",
    "call/security.py",
    "call/early.py",
    "call/infokeys.py",
}
"""Cores in packages of shells."""

LONGEST = 450
LONGER: dict[str, int] = {}
"""A file beyond the limit, with its own: the verbs of a call, which are one object by design."""

FILES = sorted(path.relative_to(SRC).as_posix() for path in SRC.rglob("*.py"))


def imports_of(name: str, *, at_run_time: bool = False) -> Iterator[tuple[int, str]]:
    """The line and the full name of each import, from anywhere in the file or only where it runs."""
    tree = ast.parse((SRC / name).read_text(), name)
    hidden: set[ast.AST] = set()
    if at_run_time:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                hidden.update(inner for child in node.body for inner in ast.walk(child))
    for node in ast.walk(tree):
        if node in hidden:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name}:{node.lineno}: imports are absolute"
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def package_of(name: str) -> str:
    """The first part of a file's place below `sipcc`."""
    return name.removesuffix(".py").partition("/")[0]


@pytest.mark.parametrize("name", FILES)
def test_imports_go_down(name: str) -> None:
    mine = package_of(name)
    if name == "__init__.py":
        return  # the public face loads lazily, and names every layer
    assert mine in LAYERS, f"{name} is in no layer"
    wrong = []
    for line, imported in imports_of(name):
        parts = imported.split(".")
        if parts[0] != "sipcc" or len(parts) < 2 or parts[1] == "__version__" or name in SEES_ALL:
            continue
        other = parts[1]
        if other == mine:
            continue
        down = other in LAYERS and LAYERS[other] < LAYERS[mine]
        base = LAYERS.get(other) == LAYERS[mine] == 0
        if not (down or base or (mine, other) in SAME_LAYER):
            wrong.append(f"{name}:{line} imports {imported}")
    assert wrong == []


@pytest.mark.parametrize("name", FILES)
def test_third_party_packages_have_one_home(name: str) -> None:
    wrong = []
    for line, imported in imports_of(name):
        top = imported.partition(".")[0]
        if top in sys.stdlib_module_names or top in EVERYWHERE or top == "sipcc":
            continue
        if not name.startswith(HOMES.get(top, ())):
            wrong.append(f"{name}:{line} imports {imported}")
    assert wrong == []


@pytest.mark.parametrize("name", FILES)
def test_cores_know_no_loop_clock_or_socket(name: str) -> None:
    if name not in CORES and (name in SHELLS or name.startswith(SHELL_FOLDERS)):
        return
    wrong = [
        f"{name}:{line} imports {imported}"
        for line, imported in imports_of(name, at_run_time=True)
        if imported.partition(".")[0] in NOT_IN_A_CORE or imported.startswith("sipcc.log.")
    ]
    assert wrong == []


@pytest.mark.parametrize("name", sorted(CORES | SHELLS | SEES_ALL | LONGER.keys()))
def test_the_lists_name_files_that_exist(name: str) -> None:
    assert name in FILES


@pytest.mark.parametrize("name", FILES)
def test_files_are_short(name: str) -> None:
    assert len((SRC / name).read_text().splitlines()) <= LONGER.get(name, LONGEST)
