"""Roles, permissions and tokens."""

from __future__ import annotations

from typing import get_args

import pytest

from sipcc.api import Permit, Role, Tokens, TokenSettings, digest_of, may
from sipcc.api.access import TABLE, TOKEN_BITS, Bearer, is_digest, token_of

ROLES: tuple[Role, ...] = get_args(Role)

MATRIX = {
    #                     agent  supervisor  admin  auditor
    Permit.FLOOR:        (True,  True,       True,  False),
    Permit.COMMAND_OWN:  (True,  True,       True,  False),
    Permit.COMMAND_ALL:  (False, True,       True,  False),
    Permit.RECORDS:      (False, True,       True,  True),
    Permit.LISTEN_OWN:   (True,  True,       True,  True),
    Permit.LISTEN_ALL:   (False, True,       True,  True),
    Permit.KEEP:         (False, False,      True,  False),
    Permit.TRACES:       (False, True,       True,  True),
    Permit.EVENTS:       (False, True,       True,  False),
    Permit.METRICS:      (False, True,       True,  True),
    Permit.WEBHOOKS:     (False, True,       True,  False),
    Permit.CONFIG:       (False, False,      True,  False),
}  # fmt: skip


def test_the_matrix_has_every_permit_and_role() -> None:
    assert set(MATRIX) == set(TABLE) == set(Permit)
    assert ROLES == ("agent", "supervisor", "admin", "auditor")
    assert all(len(row) == len(ROLES) for row in MATRIX.values())


@pytest.mark.parametrize("permit", Permit)
@pytest.mark.parametrize("role", ROLES)
def test_each_cell(role: Role, permit: Permit) -> None:
    assert may(role, permit) is MATRIX[permit][ROLES.index(role)]


@pytest.mark.parametrize(
    ("role", "own", "agent", "may_"),
    [
        ("agent", "alice", "alice", True),
        ("agent", "alice", "bob", False),
        ("agent", "", "", True),
        ("supervisor", "", "bob", True),
        ("admin", "", "bob", True),
        ("auditor", "", "bob", False),
        ("auditor", "bob", "bob", False),
    ],
)
def test_whom_a_bearer_commands(role: Role, own: str, agent: str, may_: bool) -> None:
    assert Bearer("t", role, own).may_command(agent) is may_


def entry(name: str, token: str, role: Role = "admin", agent: str = "") -> TokenSettings:
    return TokenSettings(name=name, role=role, agent=agent, digest=digest_of(token).upper())


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Bearer one", "first"),
        ("bearer  two ", "second"),
        ("Bearer three", None),
        ("Bearer", None),
        ("", None),
        ("Basic one", None),
        ("Bearer \udcff", None),
    ],
)
def test_who_a_header_comes_from(header: str, name: str | None) -> None:
    tokens = Tokens([entry("first", "one"), entry("second", "two", "agent", "alice")])
    bearer = tokens.bearer(header)
    assert (bearer.name if bearer else None) == name


def test_a_token_and_its_digest() -> None:
    token = token_of((1 << TOKEN_BITS) - 1)
    assert token == "sipcc_" + "f" * 64
    assert len(token_of(0)) == len(token)
    assert is_digest(digest_of(token))
    assert not is_digest(token)
    assert not is_digest("g" * 64)
