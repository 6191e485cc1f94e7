"""What is fetched by URL: the request as data, and the fetcher that needs no network."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest

from sipcc.ivr.fetch import (
    Fetched,
    FetchError,
    FetchRequest,
    FetchSettings,
    FolderFetcher,
    media_type_of,
    shown,
)


@pytest.mark.parametrize(
    ("request_", "target"),
    [
        (FetchRequest(url="http://example.com/a"), "http://example.com/a"),
        (
            FetchRequest(url="b.vxml#main", base="http://example.com/x/a.vxml?y=1"),
            "http://example.com/x/b.vxml",
        ),
        (FetchRequest(url="../b", base="http://example.com/x/y/a"), "http://example.com/x/b"),
        (FetchRequest(url="?z=2", base="http://example.com/x/a?y=1"), "http://example.com/x/a?z=2"),
        (
            FetchRequest(url="http://example.com/", query=(("a", "1"), ("a", "ü &"))),
            "http://example.com/?a=1&a=%C3%BC+%26",
        ),
        (FetchRequest(url="http://example.com/?", query=(("a", "1"),)), "http://example.com/?a=1"),
        (
            FetchRequest(url="/q?x=1#f", base="http://example.com/", query=(("y", "2"),)),
            "http://example.com/q?x=1&y=2",
        ),
    ],
)
def test_the_target_of_a_request(request_: FetchRequest, target: str) -> None:
    assert request_.target == target


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://user:secret@example.com/a?pin=1234#x", "http://example.com/a"),
        ("http://example.com/a\r\nb\x1b", "http://example.com/a??b?"),
        ("http://example.com/" + "a" * 300, "http://example.com/" + "a" * 178 + "..."),
    ],
)
def test_errors_show_no_secrets(url: str, text: str) -> None:
    assert shown(url) == text
    assert str(FetchError(url, "refused", "why")) == f"{text}: why"


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", ("", "")),
        ("text/XML", ("text/xml", "")),
        ('application/srgs+xml; charset="ISO-8859-1"; x=y', ("application/srgs+xml", "iso-8859-1")),
        ("text/plain;x;charset=", ("text/plain", "")),
    ],
)
def test_media_types(header: str, found: tuple[str, str]) -> None:
    assert media_type_of(header) == found


@pytest.mark.parametrize(
    ("body", "charset", "text"),
    [
        ("中".encode(), "", "中"),
        ("中".encode("gbk"), "gbk", "中"),
        (b"\xff\xfe" + "中".encode("utf-16-le"), "utf-8", "中"),
        (b"\xef\xbb\xbfa", "iso-8859-1", "a"),
        (b"\xe9", "iso-8859-1", "é"),
    ],
)
def test_the_charset_of_a_text(body: bytes, charset: str, text: str) -> None:
    assert Fetched(url="u", body=body, charset=charset).text() == text


@pytest.mark.parametrize("charset", ["utf-8", "no-such-thing", "base64", "idna"])
def test_what_is_no_text_is_an_error(charset: str) -> None:
    with pytest.raises(FetchError, match="it is no text") as caught:
        Fetched(url="http://example.com/", body=b"\xff\xff", charset=charset).text()
    assert caught.value.fault == "junk"


async def test_a_fetcher_of_folders_and_documents(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "menu.grxml").write_bytes(b"<grammar/>")
    (tmp_path / "secret").write_bytes(b"x")
    fetcher = FolderFetcher(
        {
            "http://example.com/a?x=1": "one",
            "http://example.com/a": b"any",
            "http://example.com/echo": lambda request: Fetched(
                url=request.target, body=str(request.form).encode()
            ),
            "http://example.com/gone": Fetched(url="http://example.com/gone", body=b"", status=410),
        },
        {"http://example.com/app/": tmp_path / "app"},
    )

    async def body(url: str, **more: object) -> bytes:
        return (await fetcher.fetch(FetchRequest(url=url, **more))).body  # type: ignore[arg-type]

    assert await body("http://example.com/a?x=1") == b"one"
    assert await body("http://example.com/a?x=2") == b"any"
    assert await body("http://example.com/echo", form=(("a", "b"),)) == b"(('a', 'b'),)"
    grammar = await fetcher.fetch(FetchRequest(url="menu.grxml", base="http://example.com/app/start.vxml"))
    assert (grammar.body, grammar.media_type) == (b"<grammar/>", "application/srgs+xml")
    assert grammar.url == "http://example.com/app/menu.grxml"
    for url, status in [("gone", 410), ("nothing", 404), ("app/../secret", 404), ("app/%2e%2e/secret", 404)]:
        with pytest.raises(FetchError) as caught:
            await body(f"http://example.com/{url}")
        assert (caught.value.fault, caught.value.status) == ("status", status)
    with pytest.raises(FetchError, match="longer than 2 bytes"):
        await body("http://example.com/a", max_bytes=2)
    assert len(fetcher.requests) == 9


def test_the_program_of_the_page() -> None:
    page = Path(__file__).parents[3] / "docs" / "fetching.md"
    program = re.search(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    assert program is not None
    done = subprocess.run(
        [sys.executable, "-c", program[1]], capture_output=True, text=True, timeout=15, check=True
    )
    assert done.stdout == '{"usd": 7.1}\nstatus 404\n'
    settings = re.search(r"```toml\n(.*?)```", page.read_text(), re.DOTALL)
    assert settings is not None
    written = tomllib.loads(settings[1])["fetch"]
    assert msgspec.convert(written, FetchSettings) == FetchSettings()
    assert set(written) == set(FetchSettings.__struct_fields__)
