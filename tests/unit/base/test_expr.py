"""The language of conditions: what holds, what is refused and where, and the words for what fails."""

from __future__ import annotations

import pytest

from sipcc.expr import MAX_DEPTH, MAX_LENGTH, ExpressionError, Kind, Value, compile_expression

WORLD: dict[str, Value] = {
    "billing": 2,
    "english": 1,
    "trainee": 0,
    "vip": True,
    "lapsed": False,
    "language": "en",
    "task.tags": ("new", "gold"),
    "score": 5.5,
    "计费": 3,
}


def holds(text: str) -> bool:
    return compile_expression(text).test(WORLD.get)


@pytest.mark.parametrize(
    "text",
    [
        "billing",
        "billing >= 2 and (english or mandarin)",
        "not trainee",
        "NOT trainee AND billing = 2",
        "billing > 1 and billing < 3 and billing <= 2",
        "score >= 5.1",
        "score > -1",
        "vip == true",
        "vip",
        "not lapsed",
        "language in ['en', \"es\"]",
        "language NOT IN ['fr']",
        "language not in []",
        "task.tags HAS 'gold'",
        "'new' IN task.tags",
        "language CONTAINS 'n'",
        "mandarin or english",
        "nobody != 1",
        "1 == 1",
        "计费 >= 3",
        "trainee or vip and billing",
        "billing in [1, 2]",
        "  billing  ",
    ],
)
def test_conditions_that_hold(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "mandarin",
        "trainee",
        "billing >= 3 and english",
        "(trainee or vip) and mandarin",
        "vip == 1",
        "vip > 0 and billing",
        "nobody == nothing",
        "nobody < 1",
        "language > 1",
        "language in nobody",
        "billing contains 'b'",
        "task.tags has 'silver'",
        "not (billing and english)",
        "false",
    ],
)
def test_conditions_that_fail(text: str) -> None:
    assert not holds(text)


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 1, "expected a name or a value, found the end"),
        ("billing >=", 11, "expected a name or a value, found the end"),
        ("billing >= 2 english", 14, "expected 'and', 'or' or the end, found 'english'"),
        ("(billing", 9, "expected ')', found the end"),
        ("billing and )", 13, "expected a name or a value, found ')'"),
        ("billing & english", 9, "'&' belongs to no condition"),
        ('language == "en', 13, "'\"' belongs to no condition"),
        ("a in [1 2]", 9, "expected ',', found '2'"),
        ("5", 1, "5 alone is no condition"),
        ("'x' and a", 1, "alone is no condition"),
        ("'x' > 1", 1, "'>' compares numbers, not a text"),
        ("1 == 'x'", 6, "a number is never equal to a text"),
        ("a in 3", 6, "'in' wants a list on its right, not a number"),
        ("3 has a", 1, "'has' wants a list on its left, not a number"),
        ("a contains 3", 12, "'contains' wants texts, not a number"),
        ("a not b", 7, "expected 'in', found 'b'"),
        ("2x > 1", 1, "'2' belongs to no condition"),
    ],
)
def test_faults_name_their_column(text: str, column: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text)
    assert message in str(caught.value)
    assert caught.value.column == column
    assert str(caught.value).endswith(f"at column {column}")


def test_kinds_of_names_are_checked() -> None:
    kinds: dict[str, Kind] = {"level": "number", "tags": "list", "language": "text"}
    compile_expression("level >= 2 and tags has 'x' and language == 'en'", kinds.__getitem__)
    for text, column in [("language >= 2", 1), ("level == 'x'", 10), ("tags", 1), ("language and level", 1)]:
        with pytest.raises(ExpressionError) as caught:
            compile_expression(text, kinds.__getitem__)
        assert caught.value.column == column


@pytest.mark.parametrize("text", ["(" * 200 + "a" + ")" * 200, "not " * 200 + "a", "a in " + "[" * 200])
def test_nesting_has_a_limit(text: str) -> None:
    with pytest.raises(ExpressionError, match=f"deeper than {MAX_DEPTH}"):
        compile_expression(text)


def test_length_has_a_limit() -> None:
    with pytest.raises(ExpressionError, match="longer than"):
        compile_expression("a" * (MAX_LENGTH + 1))


def test_names_are_told_with_their_columns() -> None:
    names = compile_expression("billing >= 2 and not trainee").names
    assert [(name.name, name.column) for name in names] == [("billing", 1), ("trainee", 22)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("billing >= 2", ""),
        ("billing >= 3 and mandarin", "billing >= 3 fails: billing is 2"),
        ("english and mandarin", "mandarin is missing"),
        ("mandarin or billing > 5", "mandarin is missing and billing > 5 fails: billing is 2"),
        ("not (english or vip)", "not (english or vip) does not hold"),
        ("nobody == 1", "nobody == 1 fails: nobody is missing"),
        ("task.tags has 'x'", "task.tags has 'x' fails: task.tags is [new, gold]"),
        ("vip == false", "vip == false fails: vip is true"),
        ("1 == 2", "1 == 2 fails"),
    ],
)
def test_the_first_failing_predicate_in_words(text: str, words: str) -> None:
    assert compile_expression(text).why_not(WORLD.get) == words


TYPED: dict[str, Value] = {
    "amount": "120",
    "code": "007",
    "share": "-0.5",
    "word": "ten",
    "most": "99",
    "no": None,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("amount >= 100", True),
        ("amount < 100", False),
        ("most < amount", True),
        ("100 <= amount", True),
        ("share < 0", True),
        ("amount == 120", True),
        ("amount != 120", False),
        ("amount in [60, 120]", True),
        ("[60, 120] has amount", True),
        ("amount not in ['120']", False),
        ("code == 7", True),
        ("code == '7'", False),
        ("code == '007'", True),
        ("word >= 0", False),
        ("word == 0", False),
        ("word != 0", True),
        ("no >= 0", False),
        ("amount == true", False),
    ],
)
def test_what_is_typed_is_compared_with_numbers_as_one(text: str, expected: bool) -> None:
    assert compile_expression(text, typed=True).test(TYPED.get) == expected


def test_elsewhere_a_text_is_no_number() -> None:
    assert not compile_expression("amount >= 100").test(TYPED.get)
    assert not compile_expression("amount == 120").test(TYPED.get)


def test_a_text_of_very_many_digits_is_no_number() -> None:
    assert not compile_expression("amount > 1", typed=True).test({"amount": "9" * 5000}.get)
