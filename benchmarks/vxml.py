"""How many VoiceXML documents does one core take a caller through in a second?

A session is a call: an engine for its scripts, documents from memory, the form interpretation algorithm,
the real collector of keys, and a made-up caller in virtual time. Counted are the documents that were entered:
with trees that were read before, as in a switch that serves many calls, and read anew each time. The floor is
what no interpreter can undercut: reading the same documents by expat alone, and a bare engine for each call.

    python -m benchmarks.vxml [--smoke] [--json FILE]

Times are CPU of one process, the best of several rounds. Fails below 200 documents a second.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from xml.parsers import expat

from benchmarks._report import show
from sipcc.ivr.js import Engine
from sipcc.ivr.vxml import Library, Simulation

LEAST = 200
"""Documents per second, with trees that were read before."""

PAGES = 10
BASE = "http://vxml.example.com/"


def page(number: int) -> str:
    """One document of a chain: variables, a field by keys, handlers, and the way to the next."""
    last = number + 1 == PAGES
    onward = '<exit expr="code"/>' if last else f'<submit next="{number + 1}.vxml" namelist="code"/>'
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml" application="root.vxml">
  <var name="tries" expr="0"/>
  <form id="ask">
    <block><assign name="application.pages" expr="application.pages + 1"/></block>
    <field name="code">
      <prompt>Page <value expr="application.pages"/>. Please type your four digits.</prompt>
      <grammar mode="dtmf" version="1.0" root="code"><rule id="code"><item repeat="4"><ruleref uri="#digit"/></item></rule>
        <rule id="digit"><one-of>{"".join(f"<item>{digit}</item>" for digit in range(10))}</one-of></rule></grammar>
      <noinput count="1"><reprompt/></noinput>
      <nomatch>That was wrong.<reprompt/></nomatch>
      <filled><if cond="code.length != 4"><clear namelist="code"/><else/><assign name="tries" expr="tries + 1"/></if></filled>
    </field>
    <block>{onward}</block>
  </form>
</vxml>"""  # noqa: E501  # a document


DOCUMENTS = {
    BASE
    + "root.vxml": '<vxml version="2.1"><var name="pages" expr="0"/><link event="help" dtmf="*"/></vxml>',
    **{f"{BASE}{number}.vxml": page(number) for number in range(PAGES)},
}


def session(library: Library | None) -> None:
    """One caller through all pages."""
    simulation = Simulation(BASE + "0.vxml", documents=DOCUMENTS, library=library)
    for _ in range(PAGES):
        simulation.press("1234")
    assert simulation.value == "1234", (simulation.exit, simulation.notes[-5:])


def floor() -> None:
    """The same documents by expat, and an engine."""
    Engine()
    for text in DOCUMENTS.values():
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = lambda name, attributes: None
        parser.CharacterDataHandler = lambda text: None
        parser.Parse(text, True)


def per_second(work: Callable[[], None], count: int, rounds: int) -> float:
    """Documents per second of CPU, in the best of some rounds."""
    fastest = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(count):
            work()
        fastest = min(fastest, (time.process_time() - began) / (count * PAGES))
    return 1 / fastest


def measure(*, smoke: bool) -> list[dict[str, object]]:
    """A row with known trees, one without, and the floor."""
    count, rounds = (2, 1) if smoke else (30, 5)
    library = Library()
    session(library)
    works: dict[str, Callable[[], None]] = {
        "trees read before": lambda: session(library),
        "read anew": lambda: session(None),
        "floor: expat and an engine": floor,
    }
    rows: list[dict[str, object]] = []
    for name, work in works.items():
        rate = per_second(work, count, rounds)
        rows.append({"what": name, "documents/s": round(rate), "us/document": round(1e6 / rate, 1)})
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="briefly, to see that it works")
    parser.add_argument("--json", help="also write the results to this file")
    options = parser.parse_args()
    rows = measure(smoke=options.smoke)
    show(f"VoiceXML: calls through {PAGES} documents, one core", rows, json_path=options.json)
    if not options.smoke and int(str(rows[0]["documents/s"])) < LEAST:
        raise SystemExit(f"{rows[0]['documents/s']} documents per second are less than {LEAST}")


if __name__ == "__main__":
    main()
