"""Short documents for tests, and a simulation of them."""

from collections.abc import Mapping

from sipcc.ivr.vxml import Simulation

BASE = "http://vxml.example.com/"


def vxml(body: str, attributes: str = "") -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml" {attributes}>{body}</vxml>'
    )


def words(*answers: str, mode: str = "voice", **attributes: str) -> str:
    """A grammar of some answers."""
    more = "".join(f' {name}="{value}"' for name, value in attributes.items())
    items = "".join(f"<item>{answer}</item>" for answer in answers)
    return (
        f'<grammar mode="{mode}" root="r" version="1.0" xml:lang="en"{more}>'
        f'<rule id="r"><one-of>{items}</one-of></rule></grammar>'
    )


def run(body: str, attributes: str = "", *, more: Mapping[str, str] | None = None, **options) -> Simulation:  # type: ignore[no-untyped-def]
    """Run a document with this in it; `more` are others by their names."""
    documents = {BASE + "start.vxml": vxml(body, attributes)}
    documents |= {BASE + name: text for name, text in (more or {}).items()}
    return Simulation(BASE + "start.vxml", documents=documents, **options)


def outcome(body: str, attributes: str = "", **options) -> object:  # type: ignore[no-untyped-def]
    """What <exit expr> of a document says that asks nothing."""
    simulation = run(body, attributes, **options)
    assert simulation.exit is not None, f"it waits for {simulation.waiting}"
    assert simulation.exit.reason == "exit", (simulation.exit, simulation.notes)
    return simulation.exit.value
