"""SRGS 1.0, 4 (headers), 5 (conformance) and E (keys): what is declared, in which encodings."""

from __future__ import annotations

import codecs

import pytest
from tests.unit.ivr.grammar.forms import HEAD, abnf, load, tree, xml

from sipcc.ivr.grammar import GrammarError

DOCTYPE = '<!DOCTYPE grammar PUBLIC "-//W3C//DTD GRAMMAR 1.0//EN" "http://www.w3.org/TR/speech-grammar/grammar.dtd">'
WORDS = {
    "latin": "café",
    "greek": "γεια",
    "chinese": "中文",
    "japanese": "日本",
    "russian": "да",
    "ascii": "yes",
}


@pytest.mark.parametrize(
    ("name", "codec", "words"),
    [
        ("UTF-8", "utf-8", "chinese"),
        ("utf-8", "utf-8-sig", "greek"),
        ("utf8", "utf-8", "russian"),
        ("UTF-16", "utf-16", "chinese"),
        ("utf-16", "utf-16", "latin"),
        ("UTF-16LE", "utf-16-le", "latin"),
        ("UTF-16BE", "utf-16-be", "latin"),
        ("ISO-10646-UCS-2", "utf-16", "japanese"),
        ("UTF-32", "utf-32", "chinese"),
        ("ISO8859-1", "latin-1", "latin"),
        ("ISO-8859-1", "latin-1", "latin"),
        ("iso-8859-1", "latin-1", "latin"),
        ("latin1", "latin-1", "latin"),
        ("ISO-8859-7", "iso8859-7", "greek"),
        ("ISO-8859-5", "iso8859-5", "russian"),
        ("KOI8-R", "koi8-r", "russian"),
        ("windows-1252", "cp1252", "latin"),
        ("US-ASCII", "ascii", "ascii"),
        ("Shift_JIS", "shift_jis", "japanese"),
        ("EUC-JP", "euc-jp", "japanese"),
        ("ISO-2022-JP", "iso2022_jp", "japanese"),
        ("GB2312", "gb2312", "chinese"),
        ("Big5", "big5", "chinese"),
        ("GB18030", "gb18030", "chinese"),
    ],
)
def test_encodings(name: str, codec: str, words: str) -> None:
    word = WORDS[words]
    in_xml = f'<?xml version="1.0" encoding="{name}"?>\n{DOCTYPE}\n' + xml(word)
    in_abnf = abnf(word).replace("#ABNF 1.0;", f"#ABNF 1.0 {name};")
    for source in (in_xml.encode(codec), in_abnf.encode(codec)):
        assert tree(load(source), word) == f'$r["{word}"]'


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings_that_need_no_name(codec: str) -> None:
    mark = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}.get(codec, b"")
    for text in (xml("中"), '<?xml version="1.0"?>' + xml("中"), abnf("中")):
        assert load(text.encode(codec)).accepts("中")
        assert load(mark + text.encode(codec)).accepts("中")


@pytest.mark.parametrize(
    "begin",
    [
        "",
        "ABNF 1.0;",
        "#ABNF;",
        "#ABNF 1.0",
        "#ABNF 1.1;",
        "#ABNF 2.0;",
        "#ABNF V1.0;",
        "#abnf 1.0;",
        "#ABNF1.0;",
        "# ABNF 1.0;",
        " #ABNF 1.0;",
        "\n#ABNF 1.0;",
        "// x\n#ABNF 1.0;",
        "#JSGF V1.0;",
        "#ABNF 1.0 UTF-8 UTF-16;",
        "#ABNF 1.0 UTF-8",
        "#ABNF  1.0;",
        "#ABNF\t1.0;",
        "#ABNF 1.0  UTF-8;",
        "#ABNF 1.0 ;",
        "#ABNF 1.0 UTF-8 ;",
        "#ABNF\n1.0;",
        "#ABNF /* x */ 1.0;",
    ],
)
def test_wrong_first_lines(begin: str) -> None:
    with pytest.raises(GrammarError):
        load(abnf("a").replace("#ABNF 1.0;", begin), media_type="application/srgs")


DECLARED = "language en-US;", "mode voice;", "tag-format <semantics/1.0>;", "base <http://example.com/b/>;"


@pytest.mark.parametrize("turn", range(len(DECLARED)))
def test_declarations_in_any_order(turn: int) -> None:
    others = "lexicon <l>;", "meta 'm' is 'n';", "{t};", 'http-equiv "h" is "i";'
    turned = (*DECLARED[turn:], *others, *DECLARED[:turn])
    for header in (turned, turned[::-1]):
        document = load(abnf("a", "\n".join(header))).document
        assert (document.language, document.mode, document.tag_format) == ("en-US", "voice", "semantics/1.0")
        assert (document.base, document.header_tags) == ("http://example.com/b/", ("t",))
        assert document.meta == {"m": "n", "h": "i"}


@pytest.mark.parametrize("twice", [*DECLARED, "root $r;"])
def test_what_is_declared_once(twice: str) -> None:
    with pytest.raises(GrammarError, match="is declared twice"):
        load(abnf("a", f"language en; {twice} {twice}" if "language" not in twice else twice * 2))


def test_what_may_be_declared_often() -> None:
    in_abnf = abnf(
        "a", 'language en; lexicon <a>; lexicon <b>~<x/y>; meta "n" is "1"; meta "o" is "2"; {s}; {t};'
    )
    in_xml = xml(
        '<lexicon uri="a"/><lexicon uri="b" type="x/y"/>'
        '<meta name="n" content="1"/><meta name="o" content="2"/>'
        '<metadata><r:RDF xmlns:r="urn:r">x<r:y/></r:RDF></metadata><tag>s</tag><tag>t</tag>'
        '<rule id="r">a</rule>'
    )
    for source in (in_abnf, in_xml):
        document = load(source).document
        assert document.lexicons == ("http://example.com/g/a", "http://example.com/g/b")
        assert document.meta == {"n": "1", "o": "2"}
        assert document.header_tags == ("s", "t")


@pytest.mark.parametrize(
    "header",
    [
        "mode both;",
        "mode Voice;",
        "mode;",
        "MODE voice;",
        "language;",
        "language 'en';",
        "root r;",
        "root;",
        "tag-format semantics;",
        "base http://x/;",
        "base 'x';",
        "lexicon l;",
        "lexicon;",
        "meta 'a';",
        "meta 'a' is b;",
        "meta a is 'b';",
        "meta 'a' = 'b';",
        "http-equiv 'a' 'b';",
        "grammar g;",
        "import <x>;",
        "{t}",
        "mode voice",
        "language en-US",
        "alias <x> $$y;",
    ],
)
def test_wrong_declarations(header: str) -> None:
    with pytest.raises(GrammarError):
        load(f"#ABNF 1.0;\n{'' if header.startswith('language') else 'language en;'}\n{header}\n$r = a;\n")


def test_declarations_stand_before_the_rules() -> None:
    for late in ("mode voice;", "meta 'a' is 'b';", "{t};", "lexicon <x>;"):
        with pytest.raises(GrammarError):
            load(abnf("a") + late)
    for late in ('<meta name="a" content="b"/>', '<lexicon uri="x"/>', "<tag>t</tag>"):
        with pytest.raises(GrammarError, match="before the rules"):
            load(xml('<rule id="r">a</rule>' + late))


def test_comments() -> None:
    text = (
        "#ABNF 1.0; // first\n/* many\n lines ** */ language en; root /**/ $r; // $r = x;\n"
        "/** Documented.\n * @example a b\n * @example b\n */\npublic /* x */ $r /* = */ = // y\n"
        'a // z ; \r\n b /* {t} */ | /* " */ b; // last'
    )
    grammar = load(text)
    assert tree(grammar, "a b") == '$r["a", "b"]'
    assert grammar.accepts("b")
    assert grammar.document.rules["r"].examples == ("a b", "b")
    in_xml = xml('<rule id="r"><!-- x --><example>a b</example>a<!-- y -->\n b<example> b </example></rule>')
    assert load(in_xml).document.rules["r"].examples == ("a b", "b")


def test_what_xml_documents_may_begin_with() -> None:
    for begin in (
        '<?xml version="1.0"?>',
        "<?xml version='1.0' encoding='UTF-8' standalone='no'?>\n",
        DOCTYPE,
        "\n<!-- x -->\n",
        f'<?xml version="1.0"?>\n<!-- x -->\n{DOCTYPE}\n<?x y?>\n',
        '<!DOCTYPE grammar SYSTEM "grammar.dtd">',
        "<!DOCTYPE grammar>",
        f"{DOCTYPE[:-1]} [<!ATTLIST rule z CDATA #IMPLIED>]>",
    ):
        assert load(begin + xml("a")).accepts("a")
    for begin in (" <?xml version='1.0'?>", "x", "<a/>", "<!DOCTYPE grammar"):
        with pytest.raises(GrammarError):
            load(begin + xml("a"))


def test_name_spaces() -> None:
    prefixed = (
        '<g:grammar xmlns:g="http://www.w3.org/2001/06/grammar" version="1.0" xml:lang="en" root="r">'
        '<g:rule id="r">a <g:token>b</g:token></g:rule></g:grammar>'
    )
    assert tree(load(prefixed), "a b") == '$r["a", "b"]'
    located = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:x x"'
    assert load(xml("a", located)).accepts("a")
    foreign = '<x:y xmlns:x="urn:x"><x:rule id="z">q</x:rule></x:y>'
    assert load(xml(f"a{foreign}b")).accepts("a b")
    with pytest.raises(GrammarError, match="of the namespace urn:other"):
        load(xml("a").replace("http://www.w3.org/2001/06/grammar", "urn:other"))


def test_bases() -> None:
    documents = {"http://example.com/deep/o.grxml": xml("a"), "http://example.com/g/sub/o.grxml": xml("b")}
    for base, said in (
        ("http://example.com/deep/", "a"),
        ("/deep/x.grxml", "a"),
        ("sub/", "b"),
        ("../deep/", "a"),
    ):
        for source in (
            xml('<ruleref uri="o.grxml"/>', f'xml:base="{base}"'),
            abnf("$<o.grxml>", f"language en; base <{base}>;"),
        ):
            assert load(source, documents).accepts(said)


def test_languages_of_documents() -> None:
    for source in (xml("a").replace(' xml:lang="en-US"', ""), abnf("a", "mode voice;")):
        with pytest.raises(GrammarError, match="the language is missing"):
            load(source)
        assert load(source, language="fr").language == "fr"
    for source in (xml("1", 'mode="dtmf"').replace(' xml:lang="en-US"', ""), abnf("1", "mode dtmf;")):
        assert load(source).accepts("1")
    for source in (
        xml("<token xml:lang='fr'>1</token>", 'mode="dtmf"'),
        abnf("1!fr", "language en; mode dtmf;"),
    ):
        assert load(source).accepts("1")


def test_root_rules() -> None:
    for source in (
        f'{HEAD.replace(" root=", " tag-format=")}><rule id="x">a</rule></grammar>',
        "#ABNF 1.0;\nlanguage en;\n$x = a;\n",
    ):
        grammar = load(source)
        assert grammar.accepts("a", "x")
        with pytest.raises(GrammarError, match="no root rule"):
            grammar.match("a")


KEYS = "0 1 2 3 4 5 6 7 8 9 A B C D"


def test_keys() -> None:
    for source in (
        xml(f"{KEYS} * # star pound <token>*</token>", 'mode="dtmf"'),
        abnf(f'{KEYS} "*" "#" star pound "*"', "mode dtmf;"),
    ):
        grammar = load(source)
        assert grammar.accepts("0123456789ABCD*#*#*")
        assert grammar.accepts("0123456789abcd*#*#*")
        assert grammar.accepts(KEYS + " * # * # *")
        assert grammar.rejects("0123456789ABCD*#*#")
    for wrong in ("one", "E", "+", "hello", "dtmf-e", "1a2z"):
        for source in (xml(wrong, 'mode="dtmf"'), abnf(f'"{wrong}"', "mode dtmf;")):
            with pytest.raises(GrammarError, match="is no key"):
                load(source)


def test_a_pin_with_keys() -> None:
    digit = "<one-of>" + "".join(f"<item>{number}</item>" for number in range(10)) + "</one-of>"
    in_xml = xml(
        '<rule id="r"><one-of><item><item repeat="4"><ruleref uri="#digit"/></item>#</item>'
        f'<item>* 9<tag>help</tag></item></one-of></rule><rule id="digit">{digit}</rule>',
        'mode="dtmf"',
    )
    in_abnf = abnf(
        '$r = $digit<4> "#" | "*" 9 {help}; $digit = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;', "mode dtmf;"
    )
    for source in (in_xml, in_abnf):
        grammar = load(source)
        assert tree(grammar, "1234#") == '$r[$digit["1"], $digit["2"], $digit["3"], $digit["4"], "#"]'
        assert tree(grammar, "*9") == '$r["*", "9", {help}]'
        assert [grammar.rejects(keys) for keys in ("1234", "123#", "*", "12345#", "9*")] == [True] * 5


def test_what_is_read_although_it_is_not_quite_right() -> None:
    assert load(xml("a").replace('xmlns="http://www.w3.org/2001/06/grammar" ', "")).accepts("a")
    assert load("#ABNF 1.0; language en; root $r; $r = a;").accepts("a")
