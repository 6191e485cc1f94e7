"""Lines of keys in a TOML text."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.reading.lines import KeyLines, Path

TEXT = '''# a comment with [brackets] and = signs
[sip]
domain = "example.com"   # another ]
listen = [
  "udp:127.0.0.1:5060",  # first
  "tcp:127.0.0.1:5060",
]
timers.t1 = 0.5

[sip.timers.deep]
x = 1
[[trunks]]
name = "a # not a comment"
"quoted.key" = 1
options = { one = 1, two = [
  2,
  3 ] }
[[trunks]]
name = """several
lines with [[headers]] and
key = value"""
port = 5060
text = \'\'\'raw
[table]
\'\'\'
last = 1979-05-27T07:32:00Z
[trunks.sub]
deep = true
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("sip",), 2),
        (("sip", "domain"), 3),
        (("sip", "listen"), 4),
        (("sip", "listen", 0), 5),
        (("sip", "listen", 1), 6),
        (("sip", "timers"), 8),
        (("sip", "timers", "t1"), 8),
        (("sip", "timers", "deep", "x"), 11),
        (("trunks",), 12),
        (("trunks", 0), 12),
        (("trunks", 0, "name"), 13),
        (("trunks", 0, "quoted.key"), 14),
        (("trunks", 0, "options", "one"), 15),
        (("trunks", 0, "options", "two", 1), 17),
        (("trunks", 1), 18),
        (("trunks", 1, "name"), 19),
        (("trunks", 1, "port"), 22),
        (("trunks", 1, "text"), 23),
        (("trunks", 1, "last"), 26),
        (("trunks", 1, "sub", "deep"), 28),
        (("trunks", 1, "missing"), 18),
        (("nothing",), None),
        ((), None),
    ],
)
def test_lines(path: Path, line: int | None) -> None:
    tomllib.loads(TEXT)  # the text is TOML
    place = KeyLines(TEXT).place_of(path)
    assert (None if place is None else place.line) == line


@given(st.text(alphabet="ab.=[]{}\"'#,\n \\1-", max_size=80))
def test_any_text_ends(text: str) -> None:
    KeyLines(text)


@given(
    st.dictionaries(
        st.text("abc-_", min_size=1, max_size=5),
        st.one_of(st.integers(), st.booleans(), st.lists(st.integers(), max_size=4)),
        min_size=1,
        max_size=8,
    ),
    st.lists(st.integers(0, 3), min_size=8, max_size=8),
)
def test_keys_are_found_where_they_were_written(data: dict[str, object], gaps: list[int]) -> None:
    lines: list[str] = []
    expected: dict[str, int] = {}
    for (key, value), gap in zip(data.items(), gaps, strict=False):
        lines += [""] * gap
        expected[key] = len(lines) + 1
        lines += f"{key} = {str(value).lower()}".replace(",", ",\n").split("\n")
    text = "\n".join(lines)
    assert tomllib.loads(text) == data
    found = KeyLines(text)
    places = {key: found.place_of((key,)) for key in data}
    assert {key: place.line for key, place in places.items() if place is not None} == expected


def test_places_have_columns() -> None:
    lines = KeyLines(TEXT)
    assert lines.place_of(("sip", "domain")) == (3, 1)
    assert lines.place_of(("trunks", 0, "options", "one")) == (15, 13)


JSON = """{
  "start": "a", "nodes": {
    "a": {"type": "menu",
      "options": {"1": "b", "2": [1,
        {"deep": true}]}},
    "b" : null
  }
}"""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("start",), (2, 3)),
        (("nodes",), (2, 17)),
        (("nodes", "a"), (3, 5)),
        (("nodes", "a", "options", "1"), (4, 19)),
        (("nodes", "a", "options", "2", 1), (5, 9)),
        (("nodes", "a", "options", "2", 1, "deep"), (5, 10)),
        (("nodes", "b"), (6, 5)),
    ],
)
def test_json_has_places_too(path: Path, place: tuple[int, int]) -> None:
    assert KeyLines(JSON, json=True).place_of(path) == place
