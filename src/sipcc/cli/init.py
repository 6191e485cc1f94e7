"""`sipccd init`: asks a few questions and writes a configuration that `sipccd check` accepts."""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
import socket
from collections.abc import Callable
from pathlib import Path

import click

from sipcc.cli.check import print_findings
from sipcc.config import check

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_NUMBER = re.compile(r"\+?[0-9][0-9 .()-]{1,30}")

_HEAD = """\
# The configuration of sipccd, written by `sipccd init`. What is wrong with it tells `sipccd check`;
# every key with its default is in the example that comes with sipcc, examples/sipcc.toml.

[sip]
listen = ["udp:{address}:{port}", "tcp:{address}:{port}"]
domain = "{address}"             # what phones write behind the @

[media]
address = "{address}"
ports = [20000, 29999]           # four for each call; open them in the firewall, UDP

[ivr]
prompts = "prompts"              # your WAV files; what is not there, the built-in sounds have
language = "{language}"

[records]
database = "sipcc.db"
recordings = "recordings"

# The carrier, known by the address that it calls from. One that wants a registration:
# username = "...", password = "env:CARRIER_PASSWORD", host = "...", register = true
[[trunks]]
name = "carrier"
addresses = ["{carrier}"]
"""

_AGENT = """
[[users]]
name = "{name}"
password = "{password}"

[[agents]]
name = "{name}"
user = "{name}"
queues = ["main"]
"""

_TAIL = """
[[queues]]
name = "main"
strategy = "longest-idle"        # or round-robin, linear, ring-all, fewest-calls, ...
ring_timeout = 20.0
wrap_up = 15.0
max_wait = 300.0
announce_position = true
record = false

# Keys to destinations: queue:NAME, menu:NAME, dial:USER, dial:carrier/NUMBER, play:PROMPT, hangup, ...
[[menus]]
name = "main"
prompt = "welcome"
options = {{ "1" = "queue:main" }}
then = "queue:main"              # for callers who press nothing

[[numbers]]
number = "{number}"
to = "menu:main"

[[numbers]]
number = "600"                   # to try a phone: hear yourself
to = "echo"
"""


@click.command()
@click.argument("file", type=click.Path(path_type=Path), default=Path("sipcc.toml"))
@click.option("--yes", "-y", is_flag=True, help="Ask nothing: take the default of every question.")
@click.option("--force", is_flag=True, help="Replace the file when it is there.")
@click.option("--address", help="IP address of this machine that phones and carrier can reach.")
@click.option("--port", type=click.IntRange(1, 65535), help="SIP port.  [default: 5060]")
@click.option("--carrier", help="IP address that the carrier calls from.")
@click.option("--number", help="The number that callers dial.")
@click.option("--agents", help="Names of the agents, with commas.")
@click.option("--language", type=click.Choice(["en", "zh"]), help="Language of the prompts.")
def init(
    file: Path,
    yes: bool,
    force: bool,
    address: str | None,
    port: int | None,
    carrier: str | None,
    number: str | None,
    agents: str | None,
    language: str | None,
) -> None:
    """Ask six questions and write a configuration to begin with, passwords included."""
    if file.exists() and not force:
        raise click.ClickException(f"{file} is there already; --force replaces it")
    ask = _Asker(yes)
    where = ask("IP address of this machine", address, own_address(), _an_ip)
    sip_port = ask("SIP port", None if port is None else str(port), "5060", _a_port)
    carrier_ip = ask("IP address that the carrier calls from", carrier, "192.0.2.1", _a_network)
    dialled = ask("Number that callers dial", number, "4008123456", _a_number)
    names = ask("Agents, with commas", agents, "1001,1002", _some_names).split(",")
    spoken = ask("Language of the prompts, en or zh", language, "en", _a_language)
    text = _HEAD.format(address=where, port=sip_port, carrier=carrier_ip, language=spoken)
    text += "".join(_AGENT.format(name=name, password=secrets.token_urlsafe(12)) for name in names)
    text += _TAIL.format(number=dialled)
    _write(file, text)
    click.echo(f"{file} is written; only its owner may read it, because of the passwords.")
    print_findings(check(file), file)
    click.echo(f"Next: sipccd run --config {file}")
    click.echo(
        f"Then register a phone as {names[0]} at {where}:{sip_port}, its password is in the file; dial 600."
    )


def own_address() -> str:
    """The address of this machine towards the world, or loopback; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


class _Asker:
    """Takes an answer from an option, from the default, or from the person at the terminal."""

    def __init__(self, silent: bool) -> None:
        self._silent = silent

    def __call__(
        self, question: str, given: str | None, default: str, check_answer: Callable[[str], str]
    ) -> str:
        if given is None and not self._silent:
            answer: str = click.prompt(question, default=default, value_proc=check_answer)
            return answer
        return check_answer(default if given is None else given)


def _an_ip(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text.strip()))
    except ValueError as error:
        raise click.UsageError(f"{text!r} is no IPv4 address") from error


def _a_port(text: str) -> str:
    if re.fullmatch(r"[0-9]{1,5}", text) and 0 < int(text) < 65536:
        return text
    raise click.UsageError(f"{text!r} is no port")


def _a_network(text: str) -> str:
    try:
        network = ipaddress.ip_network(text.strip())
    except ValueError as error:
        raise click.UsageError(f"{text!r} is no IP address or network") from error
    if network.prefixlen == 0:
        raise click.UsageError(f"{text!r} is everybody")
    return text.strip()


def _a_number(text: str) -> str:
    if _NUMBER.fullmatch(text.strip()):
        return text.strip()
    raise click.UsageError(f"{text!r} is no telephone number")


def _a_language(text: str) -> str:
    if text in {"en", "zh"}:
        return text
    raise click.UsageError("the built-in prompts speak en and zh")


def _some_names(text: str) -> str:
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if not _NAME.fullmatch(name):
            raise click.UsageError(f"{name!r} cannot be the name of a user")
    if not names:
        raise click.UsageError("name at least one agent")
    return ",".join(names)


def _write(path: Path, text: str) -> None:
    """Write `text` so that nobody else can read it, not even for a moment."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
