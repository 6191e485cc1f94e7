"""One daemon for all tests of a file, with trunks of their own for callers and callees.

Each caller and each callee has an address of 127.0.0.0/8 and a policy of its own; the number of a callee is
dialled by any caller. So calls of many kinds run beside each other in one daemon.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.interop import pcap
from tests.interop.centre import AGENT_HZ, CALLER_HZ, PASSWORDS, Centre
from tests.interop.programs import Program, Softphone, free_port, wait_until
from tests.interop.scenario import Script
from tests.interop.sipp import Sipp, register

from sipcc.testing import audio

Keys = Mapping[str, Any]


class Field:
    """A daemon, its carriers by name, and what was started against it.

    Args:
        folder: everything is kept there.
        callers: trunks that call, with keys of their ``[[trunks]]``.
        callees: trunks that are called; `number` gives the number that leads there.
        numbers: further numbers and their destinations.
        sip: more keys of ``[sip]``.
        extra: more sections of the configuration.
        ports: how many ports there are for media.
        program: a Python program that takes the configuration, instead of the daemon.
        options: what else `Centre` takes, such as `workers` and `media`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        callers: Mapping[str, Keys],
        callees: Mapping[str, Keys] | None = None,
        numbers: Mapping[str, str] | None = None,
        sip: str = "",
        extra: str = "",
        ports: int = 100,
        program: Path | None = None,
        **options: Any,
    ) -> None:
        self.folder = folder
        self.programs: list[Program] = []
        self._hosts = {name: f"127.0.1.{index + 10}" for index, name in enumerate(callers)}
        self._ports: dict[str, int] = {}
        self._numbers: dict[str, str] = {}
        lines = [extra]
        for name, keys in callers.items():
            lines.append(_section("trunks", name=name, addresses=[self._hosts[name]], **keys))
        for index, (name, keys) in enumerate((callees or {}).items()):
            self._hosts[name] = f"127.0.2.{index + 10}"
            self._ports[name] = free_port(self._hosts[name])
            self._numbers[name] = f"40082200{index:02}"
            lines.append(
                _section("trunks", name=name, addresses=[self._hosts[name]], port=self._ports[name], **keys)
            )
            lines.append(
                _section("numbers", number=self._numbers[name], to=f"dial:{name}/138001380{index:02}")
            )
        lines += [_section("numbers", number=number, to=to) for number, to in (numbers or {}).items()]
        self.centre = Centre(folder, sip=sip, extra="\n".join(lines), ports=ports, program=program, **options)
        self.programs.append(self.centre.program)

    def number(self, callee: str) -> str:
        """The number that leads to a callee."""
        return self._numbers[callee]

    def host(self, name: str) -> str:
        """The address of a caller or callee."""
        return self._hosts[name]

    def port(self, callee: str) -> int:
        """The port of a callee."""
        return self._ports[callee]

    def call(self, script: Script, *, by: str = "", number: str, **options: Any) -> Sipp:
        """SIPp calls as the trunk `by`, or from the address `host`."""
        options = {"target": self.centre.target, "audio": self._sound(CALLER_HZ), **options}
        if by:
            options["host"] = self._hosts[by]
        return self._add(Sipp(self.folder, script, number=number, **options))

    def take(self, script: Script, *, at: str, **options: Any) -> Sipp:
        """SIPp waits for a call as the trunk `at`."""
        options = {"audio": self._sound(AGENT_HZ), **options}
        return self.waits(script, host=self._hosts[at], port=self._ports[at], **options)

    def talk(self, caller: Script, callee: Script, *, by: str, at: str) -> tuple[Sipp, Sipp]:
        """A call of `by` to `at`."""
        second = self.take(callee, at=at)
        return self.call(caller, by=by, number=self._numbers[at]), second

    def register(self, user: str, host: str, port: int, **options: Any) -> None:
        """Register a user at an address by SIPp."""
        register(
            self.folder,
            user=user,
            password=PASSWORDS[user],
            host=host,
            port=port,
            target=self.centre.target,
            **options,
        )

    def agent(self, script: Script, *, user: str, host: str, **options: Any) -> Sipp:
        """SIPp registers as a user and waits for a call."""
        port = free_port(host)
        self.register(user, host, port)
        options = {"audio": self._sound(AGENT_HZ), **options}
        return self.waits(script, host=host, port=port, **options)

    def phone(self, user: str, host: str, *, tone_hz: float = AGENT_HZ, **settings: Any) -> Softphone:
        """A registered PJSUA2 phone that says a tone."""
        sound = self.folder / f"{user}-{tone_hz:g}.wav"
        audio.write_wav(sound, audio.tone(tone_hz, 4.0))
        settings = {"password": PASSWORDS.get(user, ""), "play": str(sound), **settings}
        phone = Softphone(self.folder, user=user, host=host, server=self.centre.target, **settings)
        self.programs.append(phone)
        if settings.get("register", True):
            phone.wait_event("registration", status=200)
        return phone

    def close(self) -> None:
        """End everything; the daemon must have logged no error."""
        phones = [each for each in self.programs if isinstance(each, Softphone) and each.running]
        for phone in phones:
            with contextlib.suppress(BrokenPipeError):
                phone.tell("quit")
        for phone in phones:
            phone.quit()
        for program in reversed(self.programs[1:]):
            program.end()
        try:
            self.centre.stop()
        finally:
            self.centre.program.end(1)

    def _sound(self, hz: float) -> Path:
        path = self.folder / f"says-{hz:g}.pcap"
        if not path.exists():
            pcap.write(path, tone_hz=hz, seconds=8, ssrc=int(hz))
        return path

    def waits(self, script: Script, *, host: str, port: int, **options: Any) -> Sipp:
        """SIPp at an address, once its socket is open: what comes before that is lost."""
        run = Sipp(self.folder, script, host=host, port=port, **options)
        wait_until(run.listens, 5, lambda: f"{run.name} listens:\n{run.tail()}")
        return self._add(run)

    def _add(self, run: Sipp) -> Sipp:
        self.programs.append(run)
        return run


def _section(kind: str, **keys: Any) -> str:
    """An entry of a list of sections; TOML takes the same spelling as JSON for plain values."""
    lines = []
    for key, value in keys.items():
        if isinstance(value, dict):
            value = "{ " + ", ".join(f"{name} = {json.dumps(each)}" for name, each in value.items()) + " }"
            lines.append(f"{key} = {value}")
        else:
            lines.append(f"{key} = {json.dumps(value)}")
    return f"[[{kind}]]\n" + "\n".join(lines) + "\n"
