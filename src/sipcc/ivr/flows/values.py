"""The variables of one call: what flows read, set, fill into texts and decide by; and which are secret."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any

from sipcc.expr import Expression, Value, compile_expression
from sipcc.ivr.flows.model import BUILT_IN, VARIABLE, Use, fill
from sipcc.ivr.session import Session
from sipcc.log import get_logger

_log = get_logger("sipcc.ivr.flows")

_compiled = lru_cache(maxsize=4096)(partial(compile_expression, typed=True))


class Values:
    """The variables of a call.

    They stand in `Session.variables`, which goes along with the call; secrets do not, and are gone with this.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._secrets: dict[str, str] = {}

    def get(self, name: str, use: Use = "condition") -> Value:
        """What `name` stands for; None for nothing, and for a secret that may not be used so."""
        if name in BUILT_IN:
            return str(getattr(self._session, name))
        if name in self._secrets:
            if use == "sent":
                return self._secrets[name]
            _log.warning("flow.secret_withheld", call_id=self._session.id, variable=name, use=use)
            return None
        return plain(_found(self._session.variables, name))

    def set(self, name: str, value: object, *, secret: bool = False) -> None:
        """Give `name` a value; a table is found by ``name.key``."""
        self.forget(name)
        if secret:
            self._secrets[name] = str(value)
        else:
            self._session.variables[name] = value

    def forget(self, name: str) -> None:
        """Let `name` stand for nothing."""
        self._secrets.pop(name, None)
        self._session.variables.pop(name, None)

    def holds(self, condition: str) -> bool:
        """Whether a condition holds."""
        expression: Expression = _compiled(condition)
        return expression.test(self.get)

    def text(self, template: str, use: Use) -> str:
        """A template with its names filled in; nothing for what has no value."""
        return fill(template, lambda name: written(self.get(name, use)))

    def sent(self, table: Mapping[str, Any], use: Use = "sent") -> dict[str, Value]:
        """A table of templates with its names filled in; one that is a name alone keeps its kind."""
        return {key: self._sent(value, use) for key, value in table.items()}

    def _sent(self, value: Any, use: Use) -> Value:
        if not isinstance(value, str):
            return plain(value)
        if value[:1] == "{" and value[-1:] == "}" and VARIABLE.fullmatch(value[1:-1]):
            return self.get(value[1:-1], use)
        return self.text(value, use)

    def masked(self, answer: Any) -> Any:
        """`answer` of a service with the secrets in it made unreadable: it may repeat what it was told."""
        if isinstance(answer, str):
            for secret in self._secrets.values():
                if secret and secret in answer:
                    answer = answer.replace(secret, "*" * len(secret))
            return answer
        if isinstance(answer, Mapping):
            return {self.masked(key): self.masked(value) for key, value in answer.items()}
        if isinstance(answer, list | tuple):
            return [self.masked(one) for one in answer]
        if isinstance(answer, int | float) and str(answer) in self._secrets.values():
            return None
        return answer


def _found(variables: Mapping[str, object], name: str) -> object:
    """The variable of that name, or what stands in a table: ``account.owner.name``."""
    if name in variables:
        return variables[name]
    head, dot, rest = name.rpartition(".")
    while dot:
        table = variables.get(head)
        if isinstance(table, Mapping):
            return _found(table, rest)
        head, dot, more = head.rpartition(".")
        rest = f"{more}.{rest}"
    return None


def plain(value: object) -> Value:
    """A value as conditions see it."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(plain(one) for one in value)
    return None if isinstance(value, Mapping) else str(value)


def written(value: Value) -> str:
    """A value in a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(written(one) for one in value)
    return str(value)
