"""`sipccd token`: makes a token for the HTTP interface."""

from __future__ import annotations

import secrets

import click

from sipcc.api.access import TOKEN_BITS, digest_of, token_of


@click.command()
def token() -> None:
    """Make a token for the HTTP interface, and the digest that stands for it in [[tokens]].

    Give the token to whoever is to use it: it is shown once and kept nowhere.
    """
    made = token_of(secrets.randbits(TOKEN_BITS))
    click.echo(f"token   {made}")
    click.echo(f"digest  {digest_of(made)}")
