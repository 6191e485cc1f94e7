"""`sipccd ladder`, `calls`, `capture` and `status`: questions to the daemon that runs."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import click
import msgspec

from sipcc.cli.ladder import draw
from sipcc.cli.options import config_option
from sipcc.config import load_socket
from sipcc.errors import SipccError
from sipcc.switch.console import Answer, CaptureOf, GetStatus, LadderOf, ListCalls, Question, ask

daemon_option = config_option("The configuration that the daemon runs with: it says where its socket is.")


def asked(config: Path, question: Question) -> Answer:
    """The daemon's answer.

    Raises:
        SipccError: there is none, or it is an error.
    """
    path = load_socket(config)
    try:
        answer = ask(path, question)
    except (FileNotFoundError, ConnectionRefusedError):
        raise SipccError(f"no sipccd answers at {str(path)!r}: is it running with {config}?") from None
    except (OSError, msgspec.MsgspecError) as error:
        raise SipccError(f"cannot ask sipccd at {str(path)!r}: {error}") from error
    if answer.error:
        raise SipccError(answer.error)
    return answer


@click.command()
@click.argument("call", required=False, default="")
@click.option("--last", is_flag=True, help="The call that began last; the same as no CALL.")
@click.option("--full", is_flag=True, help="Print each message below its arrow.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@daemon_option
def ladder(call: str, *, last: bool, full: bool, as_json: bool, config: Path) -> None:
    """Print the SIP ladder of CALL: both legs, timers, decisions and their reasons.

    CALL is our id of the call, a SIP Call-ID, or a part of the caller's or the called number.
    """
    if last and call:
        raise click.UsageError("give CALL or --last, not both")
    answer = asked(config, LadderOf(call=call, texts=full or as_json))
    if answer.ladder is None:
        raise SipccError("the answer has no ladder")
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(answer.ladder), indent=2, ensure_ascii=False))
    else:
        click.echo(draw(answer.ladder, texts=full))


@click.command()
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many.")
@daemon_option
def calls(*, limit: int, config: Path) -> None:
    """List the calls whose ladder can be printed, the youngest first."""
    for entry in asked(config, ListCalls(limit=limit)).calls or []:
        started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.started))
        click.echo(
            f"{started}  {entry.call}  {entry.caller or '-'} -> {entry.called or '-'}"
            f"  {entry.legs} legs, {entry.messages} messages"
        )


@click.command()
@click.argument("call")
@click.argument("file", type=click.Path(path_type=Path))
@daemon_option
def capture(call: str, file: Path, *, config: Path) -> None:
    """Write the messages of CALL to FILE for Wireshark (pcap), credentials masked. `-` is stdout."""
    data = asked(config, CaptureOf(call=call)).capture or b""
    if str(file) == "-":
        sys.stdout.buffer.write(data)
        return
    try:
        file.write_bytes(data)
    except OSError as error:
        raise SipccError(f"cannot write {str(file)!r}: {error.strerror}") from error
    click.echo(f"{file}: {len(data)} bytes")


@click.command()
@daemon_option
def status(*, config: Path) -> None:
    """Print the figures of the daemon that runs."""
    figures = asked(config, GetStatus()).status or {}
    width = max((len(name) for name in figures), default=0)
    for name, value in figures.items():
        click.echo(f"{name:<{width}}  {value}")
