"""The cache of what is fetched, by the rules of RFC 9111."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from sipcc.ivr.fetchcache import OVERHEAD_BYTES, Copy, HttpCache, age, freshness, may_keep, usable, validators

NOW = 1_790_000_000.0


def date(offset: float = 0.0) -> str:
    return formatdate(NOW + offset, usegmt=True)


def copy(body: bytes = b"x", url: str = "http://example.com/", **headers: str) -> Copy:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Copy(url=url, status=200, headers=named, body=body, asked_at=NOW, came_at=NOW)


@pytest.mark.parametrize(
    ("request_", "status", "headers", "kept"),
    [
        ({}, 200, {"cache-control": "max-age=60"}, True),
        ({}, 200, {}, True),
        ({}, 200, {"cache-control": "no-store, max-age=60"}, False),
        ({"cache-control": "no-store"}, 200, {"cache-control": "max-age=60"}, False),
        ({}, 200, {"cache-control": "private, max-age=60"}, False),
        ({}, 200, {"cache-control": "max-age=60", "set-cookie": "a=b"}, False),
        ({}, 200, {"cache-control": "max-age=60", "vary": "*"}, False),
        ({"authorization": "x"}, 200, {"cache-control": "max-age=60"}, False),
        ({"authorization": "x"}, 200, {"cache-control": "public, max-age=60"}, True),
        ({"cookie": "x"}, 200, {"cache-control": "max-age=60"}, False),
        ({}, 206, {"cache-control": "max-age=60"}, False),
        ({}, 302, {"cache-control": "max-age=60"}, False),
        ({}, 404, {}, False),
        ({}, 404, {"cache-control": "max-age=60"}, True),
        ({}, 500, {"cache-control": "max-age=60"}, False),
    ],
)
def test_what_may_be_kept(request_: dict[str, str], status: int, headers: dict[str, str], kept: bool) -> None:
    assert may_keep(request_, status, headers) is kept


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"cache_control": "max-age=60"}, 60),
        ({"cache_control": 'public, MAX-AGE="60"'}, 60),
        ({"cache_control": "max-age=60, s-maxage=10"}, 10),
        ({"cache_control": "max-age=junk", "expires": date(60)}, 0),
        ({"cache_control": "max-age=99999999999999"}, 2**31),
        ({"date": date(), "expires": date(60)}, 60),
        ({"expires": date(60)}, 60),
        ({"date": date(), "expires": date(-60)}, 0),
        ({"expires": "0"}, 0),
        ({"date": date(), "last_modified": date(-1000)}, 100),
        ({"date": date(), "last_modified": date(-100 * 86_400)}, 86_400),
        ({}, 0),
    ],
)
def test_freshness(headers: dict[str, str], seconds: float) -> None:
    assert freshness(copy(**headers)) == seconds


@pytest.mark.parametrize(
    ("headers", "later", "seconds"),
    [
        ({}, 5.0, 5.0),
        ({"age": "30"}, 5.0, 35.0),
        ({"date": date(-10)}, 0.0, 10.0),
        ({"date": date(10)}, 1.0, 1.0),
    ],
)
def test_age(headers: dict[str, str], later: float, seconds: float) -> None:
    assert age(copy(**headers), wall=NOW + later) == seconds


@pytest.mark.parametrize(
    ("control", "later", "max_age", "max_stale", "good"),
    [
        ("max-age=60", 59, None, None, True),
        ("max-age=60", 60, None, None, False),
        ("max-age=60", 30, 20, None, False),
        ("max-age=60", 30, 40, None, True),
        ("max-age=60", 0, 0, None, False),
        ("max-age=60", 0, 0, 100, False),
        ("max-age=60", 70, None, 20, True),
        ("max-age=60", 90, None, 20, False),
        ("max-age=60, must-revalidate", 70, None, 20, False),
        ("s-maxage=60", 70, None, 20, False),
        ("max-age=60, no-cache", 1, None, 20, False),
    ],
)
def test_which_copies_are_used(
    control: str, later: float, max_age: float | None, max_stale: float | None, good: bool
) -> None:
    it = copy(cache_control=control)
    assert usable(it, max_age=max_age, max_stale=max_stale, wall=NOW + later) is good


def test_a_copy_is_confirmed_by_its_server() -> None:
    cache = HttpCache(100_000)
    it = copy(b"body", cache_control="max-age=60", etag='"1"', last_modified=date(-5), age="5")
    cache.keep(it, {})
    assert validators(it) == {"if-none-match": '"1"', "if-modified-since": date(-5)}
    new = {"cache-control": "max-age=100", "content-length": "0", "etag": '"1"'}
    cache.confirm(it, new, asked_at=NOW + 70, wall=NOW + 70)
    assert usable(it, max_age=None, max_stale=None, wall=NOW + 169)
    assert cache.size == it.size
    assert cache.find("http://example.com/", {}) is it


def test_answers_that_depend_on_headers() -> None:
    cache = HttpCache(100_000)
    cache.keep(copy(cache_control="max-age=60", vary="Accept-Language, X-a"), {"accept-language": "zh"})
    assert cache.find("http://example.com/", {"accept-language": "zh"})
    assert cache.find("http://example.com/", {"accept-language": "en"}) is None
    assert cache.find("http://example.com/", {"accept-language": "zh", "x-a": "1"}) is None


def test_memory_is_bounded() -> None:
    cache = HttpCache(10_000 + 4 * OVERHEAD_BYTES)
    for number in range(100):
        cache.keep(copy(b"x" * 2000, url=f"http://example.com/{number}", cache_control="max-age=60"), {})
        cache.find("http://example.com/0", {})
        assert cache.size <= cache.limit
    assert cache.find("http://example.com/0", {})
    assert cache.find("http://example.com/99", {})
    assert cache.find("http://example.com/50", {}) is None
    cache.keep(copy(b"x" * 9000, url="http://example.com/big", cache_control="max-age=60"), {})
    assert cache.find("http://example.com/big", {}) is None
    cache.drop("http://example.com/0")
    cache.drop("http://example.com/0")
    assert cache.find("http://example.com/0", {}) is None


def test_what_could_never_be_used_is_not_kept() -> None:
    cache = HttpCache(10_000)
    cache.keep(copy(), {})
    assert cache.size == 0
