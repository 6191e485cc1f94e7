"""`sipccd`: the commands. Each lives in its own module, which is imported only when it is called."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from sipcc import __version__
from sipcc.cli.options import config_option
from sipcc.errors import ConfigError, SipccError

_COMMANDS = {
    "run": ("sipcc.cli.main:run", "Run the switch until it is told to go."),
    "check": ("sipcc.cli.check:check", "Say all that is wrong with a configuration."),
    "demo": ("sipcc.cli.demo:demo", "Show a call centre at work, on this machine alone."),
    "init": ("sipcc.cli.init:init", "Write a configuration to begin with."),
    "ladder": ("sipcc.cli.console:ladder", "Print the SIP ladder of a call, with timers and reasons."),
    "calls": ("sipcc.cli.console:calls", "List the calls whose ladder can be printed."),
    "capture": ("sipcc.cli.console:capture", "Write the messages of a call for Wireshark."),
    "status": ("sipcc.cli.console:status", "Print the figures of the daemon that runs."),
    "bans": ("sipcc.cli.operator:bans", "List the sources that are not listened to."),
    "unban": ("sipcc.cli.operator:unban", "Listen to a source again."),
    "trunks": ("sipcc.cli.operator:trunks", "List the trunks, and whether they take calls."),
    "reload": ("sipcc.cli.operator:reload", "Have the daemon read its configuration anew."),
    "hours": ("sipcc.cli.operator:hours", "See opening hours, and open or close for a time."),
    "flows": ("sipcc.cli.flows:flows", "See the flows and who is in them, and override one."),
    "registrations": ("sipcc.cli.operator:registrations", "List where users can be reached."),
    "report": ("sipcc.cli.report:report", "Print the figures of queues, agents, numbers or trunks."),
    "export": ("sipcc.cli.export:export", "Write the log as Asterisk's queue_log or Master.csv."),
    "cdr": ("sipcc.cli.cdr:cdr", "List, show and export call records."),
    "webhooks": ("sipcc.cli.webhooks:webhooks", "See and mend what webhooks did not take."),
    "recordings": ("sipcc.cli.recordings:recordings", "List, check and hold recordings."),
    "erase": ("sipcc.cli.recordings:erase", "Delete every recording of a caller."),
    "token": ("sipcc.cli.token:token", "Make a token for the HTTP interface."),
    "ivr": ("sipcc.cli.ivr:ivr", "Check flows, try them on made-up callers, and draw them."),
    "staffing": ("sipcc.cli.staffing:staffing", "Say how many agents are needed for so many callers."),
    "simulate": ("sipcc.cli.simulate:simulate", "Try queues and strategies on callers that are made up."),
}

EXIT_FAILED = 1
EXIT_CONFIG = 2


class _Commands(click.Group):
    """Imports a command when it is called, and tells their names without importing any."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            click.echo(f"sipccd: {error}", err=True)
            sys.exit(EXIT_CONFIG)
        except SipccError as error:
            click.echo(f"sipccd: {error}", err=True)
            sys.exit(EXIT_FAILED)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sipccd", message="%(prog)s %(version)s")
def main() -> None:
    """A softswitch for call centres: SIP, IVR, queues, recording, records."""


@click.command()
@config_option("The configuration.")
@click.option(
    "--drain-timeout", type=float, metavar="SECONDS", help="How long live calls may go on at the end."
)
def run(config: Path, drain_timeout: float | None) -> None:
    """Run the switch. SIGTERM lets live calls end, then stops it; a second one ends them at once."""
    from sipcc import daemon

    options = {} if drain_timeout is None else {"drain_timeout": drain_timeout}
    daemon.run(config, **options)


if __name__ == "__main__":
    main()
