"""The one reader of XML: trees with places, encodings, and what is refused."""

from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.ivr.textread import EncodingError, text_of
from sipcc.ivr.xmlread import (
    COMMENT,
    INSTRUCTION,
    SECTION,
    Element,
    XmlError,
    XmlLimits,
    read,
    read_whole,
)

OURS = frozenset({"http://example.com/ours"})


def test_a_tree_knows_every_place() -> None:
    root = read(
        " \n  <a x='1'>one<!-- c -->\n two<b xml:lang='de'>\n\n <c/>x</b>&amp;<![CDATA[<z>]]></a>",
        blanks=True,
    )
    assert (root.tag, root.at, root.attributes) == ("a", "2:3", {"x": "1"})
    b = root.children[1]
    assert isinstance(b, Element)
    assert root.children == ["one\n two", b, "&<z>"]
    assert [root.place_of(index) for index in range(3)] == [(2, 12), (3, 5), (5, 11)]
    assert [element.at for element in root.walk()] == ["2:3", "3:5", "5:2"]
    assert b.place_of(0) == (b.line, b.column)  # blank
    assert (b.language, root.language, b.get("xml:lang"), b.top) == ("de", "", "de", root)
    assert (root.text, root.all_text) == ("one\n two&<z>", "one\n two&<z>\n\n x")
    assert [child.tag for child in b.elements("c", "d")] == ["c"]
    assert list(b.elements("d")) == []


def test_names_are_as_they_are_wanted() -> None:
    text = '<a xmlns="http://example.com/ours" xmlns:o="urn:o" o:x="1" y="2" xml:lang="en"><o:b/></a>'
    known = read(text, ours=OURS)
    assert (known.tag, [child.tag for child in known.elements()]) == ("a", ["{urn:o}b"])
    assert known.attributes == {"{urn:o}x": "1", "y": "2", "xml:lang": "en"}
    assert read(text, ours=frozenset()).tag == "{http://example.com/ours}a"
    written = read(text)
    assert [child.tag for child in written.elements()] == ["o:b"]
    assert (written.get("o:x"), written.get("xmlns:o")) == ("1", "urn:o")
    assert read("<no:declaration/>").tag == "no:declaration"


def test_a_whole_document_has_its_notes() -> None:
    root, instructions = read_whole(
        "<?p q?><o:a xmlns:o='u' o:x='1' xml:lang='z'>h<!--c-->l<![CDATA[]]>x<?p q r?></o:a>"
    )
    assert instructions == [("p", "q")]
    assert root.tag == "{u}o:a"
    assert root.attributes == {"{u}o:x": "1", "{http://www.w3.org/XML/1998/namespace}xml:lang": "z"}
    found = [child if isinstance(child, str) else (child.tag, child.children) for child in root.children]
    assert found == ["h", (COMMENT, ["c"]), "l", (SECTION, [""]), "x", (INSTRUCTION, ["p", "q r"])]


@pytest.mark.parametrize(
    ("charset", "said"),
    [
        ("utf-8", "零"),
        ("utf-8-sig", "零"),
        ("utf-16", "零"),
        ("utf-16-le", "零"),
        ("utf-16-be", "零"),
        ("utf-32", "零"),
        ("gb2312", "汉"),
        ("gbk", "漢"),
        ("gb18030", "㐀"),
        ("big5", "漢"),
        ("euc-jp", "漢字かな"),
        ("shift_jis", "漢字かな"),
        ("iso-2022-jp", "漢字"),
        ("euc-kr", "한"),
        ("iso-8859-1", "é"),
        ("windows-1252", "€"),
        ("koi8-r", "ж"),
    ],
)
def test_encodings(charset: str, said: str) -> None:
    body = f"<?xml version='1.0' encoding='{charset}'?><a>{said}</a>".encode(charset)
    assert read(body).text == said
    undeclared = f"<a>{said}</a>".encode(charset)
    assert read(undeclared, charset=charset).text == said
    lying = f"<?xml version='1.0' encoding='us-ascii'?><a>{said}</a>".encode(charset)
    assert read(lying, charset=charset).text == said  # the transport goes before the document


def test_an_encoding_has_the_characters_that_browsers_read_under_its_name() -> None:
    for charset, wider, said in (
        ("gb2312", "gbk", "镕"),
        ("gbk", "gb18030", "㐀"),
        ("shift_jis", "cp932", "①"),
        ("euc-kr", "cp949", "똠"),
        ("big5", "big5hkscs", "嘅"),
    ):
        assert read(f"<a>{said}</a>".encode(wider), charset=charset).text == said


@pytest.mark.parametrize(
    ("body", "charset", "problem", "place"),
    [
        ("<a>\nx é</a>".encode("latin-1"), "", "it is not in utf-8", (2, 3)),
        ("<a>字\n字字é</a>".encode("utf-16-le") + b"\0", "utf-16-le", "not in utf-16-le", (2, 8)),
        (b"<a/>", "klingon", "nobody knows the encoding 'klingon'", (1, 1)),
        (b"<a/>", "rot13", "nobody knows", (1, 1)),
        (b"<a/>", "hex", "nobody knows", (1, 1)),
        (b"<a/>", "utf-7", "nobody knows", (1, 1)),
        (b"<a/>", "../x\0", "nobody knows", (1, 1)),
        # these take time by the square of the length: an hour for a document of a megabyte
        (b"<?xml version='1.0' encoding='punycode'?>" + b"a" * 500_000, "", "nobody knows", (1, 1)),
        (b"<?xml version='1.0' encoding='idna'?>" + b"a" * 500_000, "", "nobody knows", (1, 1)),
    ],
)
def test_what_is_in_no_encoding(body: bytes, charset: str, problem: str, place: tuple[int, int]) -> None:
    with pytest.raises(XmlError, match=problem) as refused:
        read(body, charset=charset)
    assert (refused.value.line, refused.value.column) == place


LIMITS = XmlLimits(max_bytes=400, max_depth=5, max_elements=10)


@pytest.mark.parametrize(
    ("text", "problem", "place"),
    [
        ("", "no XML: no element found", (1, 1)),
        ("\n\n <a>\n<b></a>", "no XML: mismatched tag", (4, 6)),
        (" <a>\ud800</a>", "no XML", (1, 5)),
        ("<a>&b;</a>", "no XML: undefined entity", (1, 4)),
        ("<a><b:c xmlns:b='u'/><d:e/></a>", "no XML: unbound prefix", (1, 22)),
        ("<a b='1' b='2'/>", "no XML: duplicate attribute", (1, 10)),
        ("<a>" * 6, "deeper than 5", (1, 16)),
        ("<a>" + "<b/>" * 10 + "</a>", "more than 10 elements", (1, 40)),
        ("<a>" + "x" * 400, "longer than 400 characters", (1, 1)),
        ("<!DOCTYPE a [\n<!ENTITY b 'c'>]><a>&b;</a>", "the entity 'b' is declared", (2, 12)),
        ("<!DOCTYPE a [<!ENTITY % b SYSTEM 'file:///etc/passwd'>%b;]><a/>", "entity 'b' is declared", None),
        ("<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a/>", "entity 'b' is declared", None),
        ("<!DOCTYPE a SYSTEM 'http://example.com/x'><a>&b;</a>", "nobody knows the entity 'b'", (1, 46)),
        # one default is told with each of fifty thousand elements
        ("<!DOCTYPE a [<!ATTLIST a b CDATA 'c'>]><a/>", "the attribute 'b' has a default", None),
    ],
)
def test_what_is_refused(text: str, problem: str, place: tuple[int, int] | None) -> None:
    with pytest.raises(XmlError, match=problem) as refused:
        read(text, limits=LIMITS, ours=OURS, doctype=True, blanks=True)
    assert place is None or (refused.value.line, refused.value.column) == place
    with pytest.raises(XmlError):
        read(text.encode("utf-8", "surrogatepass"), limits=LIMITS, ours=OURS, doctype=True)


def test_blanks_before_a_document_are_forgiven_or_not() -> None:
    text = "\n <?xml version='1.0'?><a/>"
    assert read(text, blanks=True).at == "2:23"
    assert read(" <a/>").at == "1:2"
    with pytest.raises(XmlError, match="line 2, column 2: it is no XML"):
        read(text)


def test_a_document_type_is_let_pass_or_refused() -> None:
    text = '<?xml version="1.0"?>\n<!DOCTYPE a PUBLIC "-//x" "http://example.com/x.dtd"><a/>'
    assert read(text, doctype=True).tag == "a"
    assert read("<!DOCTYPE a [<!ATTLIST a b CDATA #IMPLIED>]><a b='1'/>", doctype=True).get("b") == "1"
    with pytest.raises(XmlError, match="line 2, column 53: a document type is not allowed"):
        read(text)


@given(st.text(alphabet="<>/&;\"'= \nab:?![]-CDATxmlns\ud800é漢", max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    for ours in (None, OURS):
        with contextlib.suppress(XmlError):
            read(text, ours=ours, doctype=True)
    with contextlib.suppress(XmlError):
        read_whole(text)


def test_any_bytes_are_read_or_refused() -> None:
    rng = random.Random(4)
    seed = "<?xml version='1.0' encoding='gb18030'?><a b='漢'>字<!--c--><b:c xmlns:b='u'/></a>".encode(
        "gb18030"
    )
    for _ in range(2000):
        body = bytearray(seed)
        for _ in range(rng.randint(1, 4)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        charset = rng.choice(["", "", "utf-16", "iso-2022-jp", "hz", "nobody", "utf-32-be"])
        with contextlib.suppress(XmlError):
            read_whole(bytes(body), charset=charset)


def test_other_documents_have_other_first_characters() -> None:
    assert text_of("#ABNF".encode("utf-16-be"), first="#") == "#ABNF"
    with pytest.raises(EncodingError):
        text_of(b"#\0\0", first="#")
