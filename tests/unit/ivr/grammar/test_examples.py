"""Grammars of a usual size, in both forms that refer to one another."""

from __future__ import annotations

import pytest
from tests.unit.ivr.grammar.forms import load, tree

BASE = "http://grammar.example.com/"

POLITE_XML = """<?xml version="1.0" encoding="ISO-8859-1"?>
<!DOCTYPE grammar PUBLIC "-//W3C//DTD GRAMMAR 1.0//EN" "http://www.w3.org/TR/speech-grammar/grammar.dtd">
<grammar xmlns="http://www.w3.org/2001/06/grammar" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
         xsi:schemaLocation="http://www.w3.org/2001/06/grammar http://www.w3.org/TR/speech-grammar/grammar.xsd"
         version="1.0" mode="voice" xml:lang="en">
  <rule id="before" scope="public">
    <one-of>
      <item> please </item> <item> kindly </item> <item> could you </item>
      <item> would you be so good as to </item> <item><ruleref special="NULL"/></item>
    </one-of>
  </rule>
  <rule id="after" scope="public">
    <item repeat="0-1"><one-of><item>please</item><item>thanks</item><item>thank you</item></one-of></item>
  </rule>
</grammar>"""

POLITE_ABNF = """#ABNF 1.0 ISO-8859-1;
language en; mode voice;
public $before = please | kindly | could you | would you be so good as to | $NULL;
public $after = [please | thanks | thank you];
"""

COMMAND_XML = """<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" xml:lang="en"
         root="command">
  <meta name="author" content="Chen"/>
  <rule id="command" scope="public">
    <example> please move the window </example> <example> open a file </example>
    <ruleref uri="polite#before"/> <ruleref uri="#deed"/> <ruleref uri="polite#after"/>
  </rule>
  <rule id="deed"> <ruleref uri="#act"/> <ruleref uri="#thing"/> </rule>
  <rule id="act">
    <one-of>
      <item weight="10"> open <tag>OPEN</tag> </item> <item weight="2"> close <tag>CLOSE</tag> </item>
      <item weight="1"> move <tag>MOVE</tag> </item>
    </one-of>
  </rule>
  <rule id="thing">
    <item repeat="0-1"><one-of><item>the</item><item>a</item></one-of></item>
    <one-of><item>window</item><item>file</item><item>menu</item></one-of>
  </rule>
</grammar>"""

COMMAND_ABNF = """#ABNF 1.0 ISO-8859-1;
language en; mode voice; root $command;
meta "author" is "Chen";
/** What may be done.
 * @example please move the window
 * @example open a file
 */
public $command = $<polite#before> $deed $<polite#after>;
$deed = $act $thing;
$act = /10/ open {OPEN} | /2/ close {CLOSE} | /1/ move {MOVE};
$thing = [the | a] (window | file | menu);
"""


@pytest.mark.parametrize("command", [COMMAND_XML, COMMAND_ABNF])
@pytest.mark.parametrize("polite", [POLITE_XML, POLITE_ABNF])
def test_commands(command: str, polite: str) -> None:
    grammar = load(command, {BASE + "polite": polite.encode("iso-8859-1")}, url=BASE + "command")
    before, after = f"$<{BASE}polite#before>", f"$<{BASE}polite#after>"
    assert tree(grammar, "Would you be so good as to move the window") == (
        f'$command[{before}["would", "you", "be", "so", "good", "as", "to"], '
        f'$deed[$act["move", {{MOVE}}], $thing["the", "window"]], {after}[]]'
    )
    assert tree(grammar, "open file thank you") == (
        f'$command[{before}[], $deed[$act["open", {{OPEN}}], $thing["file"]], {after}["thank", "you"]]'
    )
    for wrong in ("open", "please", "open the the file", "thanks open file", "window open"):
        assert grammar.rejects(wrong)
    for example in grammar.document.rules["command"].examples:
        assert grammar.accepts(example)
    assert grammar.document.rules["command"].examples == ("please move the window", "open a file")


def test_a_card_and_its_pin_by_keys() -> None:
    source = """#ABNF 1.0;
    mode dtmf; root $card; tag-format <semantics/1.0>;
    $digit = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;
    $pin = $digit <4> {out = meta.current().text;};
    public $card = $digit <8-16> "*" $pin "#" {out.pin = rules.pin;} | "*" 9 {out = 'cancel';};
    """
    grammar = load(source)
    match = grammar.match("62220202*1234#")
    assert match is not None
    assert match.meaning() == {"pin": "1234"}
    matcher = grammar.matcher()
    answers = {"": "PARTIAL", "*": "PARTIAL", "*9": "FINAL", "6222": "PARTIAL", "62220202*123": "PARTIAL"}
    answers |= {"62220202*1234": "PARTIAL", "62220202*1234#": "FINAL", "6*": "NO", "#": "NO"}
    assert {keys: matcher.check(keys).name for keys in answers} == answers
