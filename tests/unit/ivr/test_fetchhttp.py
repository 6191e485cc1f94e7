"""Fetching over real HTTP on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sipcc.ivr.fetch import FetchError, FetchRequest, FetchSettings
from sipcc.ivr.fetchhttp import HttpFetcher

pytestmark = pytest.mark.realtime


class Asked(NamedTuple):
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


def answer(body: bytes = b"ok", status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines, "", ""]
    return "\r\n".join(head).encode() + body


class Server:
    """A server on loopback; `answers` says what each path answers."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[Asked] = []
        self.connections = 0
        self.answers: dict[str, Callable[[Asked], bytes] | bytes] = {}

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                method, target, _ = head[0].split()
                pairs = (line.partition(": ") for line in head[1:] if line)
                headers = {name.lower(): value for name, _, value in pairs}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                asked = Asked(method, target, headers, body)
                self.asked.append(asked)
                behave = self.answers.get(target.partition("?")[0], answer(b"", "404 Not Found"))
                writer.write(behave if isinstance(behave, bytes) else behave(asked))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def at_work(*, allow: bool = True, **more: Any) -> AsyncIterator[tuple[Server, HttpFetcher]]:
    server = Server()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    settings = more.pop("settings", {})
    places = ("127.0.0.0/8", *settings.pop("allow", ())) if allow else ()
    fetcher = HttpFetcher(FetchSettings(allow=places, **settings), **more)
    try:
        yield server, fetcher
    finally:
        await fetcher.close()
        listener.close()


async def test_get_and_post() -> None:
    async with at_work() as (server, fetcher):
        server.answers["/a"] = answer(b"\xe9", Content_Type="text/plain; charset=ISO-8859-1")
        got = await fetcher.fetch(
            FetchRequest(url="a#part", base=server.base + "/x", query=(("q", "中"),), headers={"X-Call": "1"})
        )
        assert (got.url, got.text()) == (server.base + "/a?q=%E4%B8%AD", "é")
        assert (got.media_type, got.charset, got.cached) == ("text/plain", "iso-8859-1", False)
        url = server.base.replace("//", "//user:word@") + "/a"
        await fetcher.fetch(FetchRequest(url=url, method="POST", form=(("a", "1"), ("b", "ü &"), ("a", "2"))))
        await fetcher.fetch(FetchRequest(url=url, method="POST", json={"a": [1]}))
        await fetcher.fetch(
            FetchRequest(url=url, method="POST", body=b"raw", headers={"Content-Type": "x/y"})
        )
        parts = (("f", "", b"text", ""), ("voice", "voice.wav", b"RIFF", "audio/wav"))
        await fetcher.fetch(FetchRequest(url=url, method="POST", parts=parts))
        assert server.connections == 1
    get, form, posted, raw, multipart = server.asked
    assert get.target == "/a?q=%E4%B8%AD"
    assert (get.headers["x-call"], get.headers["accept-encoding"]) == ("1", "identity")
    assert form.body == b"a=1&b=%C3%BC+%26&a=2"
    assert form.headers["content-type"] == "application/x-www-form-urlencoded"
    assert form.headers["authorization"] == "Basic dXNlcjp3b3Jk"
    assert json.loads(posted.body) == {"a": [1]}
    assert (raw.body, raw.headers["content-type"]) == (b"raw", "x/y")
    assert multipart.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert b'name="voice"; filename="voice.wav"\r\nContent-Type: audio/wav\r\n\r\nRIFF' in multipart.body
    assert b'name="f"\r\n\r\ntext' in multipart.body


async def test_kept_copies_and_questions_about_them() -> None:
    time = [1_790_000_000.0]

    def tagged(asked: Asked) -> bytes:
        if asked.headers.get("if-none-match") == '"1"':
            return answer(b"", "304 Not Modified", ETag='"1"', Cache_Control="max-age=60")
        return answer(b"one", ETag='"1"', Cache_Control="max-age=60", Content_Type="text/x")

    async with at_work(wall=lambda: time[0]) as (server, fetcher):
        server.answers["/a"] = tagged

        async def get(**more: Any) -> tuple[bytes, str, bool, int]:
            got = await fetcher.fetch(FetchRequest(url=server.base + "/a", **more))
            return got.body, got.media_type, got.cached, len(server.asked)

        assert await get() == (b"one", "text/x", False, 1)
        assert await get() == (b"one", "text/x", True, 1)
        assert await get(max_age=0) == (b"one", "text/x", True, 2)
        assert server.asked[-1].headers["cache-control"] == "max-age=0"
        time[0] += 70
        assert await get(max_stale=30) == (b"one", "text/x", True, 2)
        assert await get() == (b"one", "text/x", True, 3)
        assert await get() == (b"one", "text/x", True, 3)
        await fetcher.fetch(FetchRequest(url=server.base + "/a", method="POST", form=()))
        assert await get() == (b"one", "text/x", False, 5)


async def test_cookies_are_one_callers_own() -> None:
    async with at_work() as (server, fetcher):
        server.answers["/in"] = answer(Set_Cookie="who=chen; Path=/")
        server.answers["/a"] = answer()
        chen, lin = fetcher.session(), fetcher.session()
        await chen.fetch(FetchRequest(url=server.base + "/in"))
        for one in (chen, lin, fetcher):
            await one.fetch(FetchRequest(url=server.base + "/a", max_age=0))
        assert [asked.headers.get("cookie") for asked in server.asked[1:]] == ["who=chen", None, None]


async def test_redirects_are_followed_three_times() -> None:
    async with at_work() as (server, fetcher):
        for number in range(5):
            server.answers[f"/{number}"] = answer(b"", "302 Found", Location=f"/{number + 1}")
        server.answers["/5"] = answer(b"there")
        got = await fetcher.fetch(FetchRequest(url=server.base + "/2", method="POST", form=(("a", "1"),)))
        assert (got.url, got.body) == (server.base + "/5", b"there")
        assert [asked.method for asked in server.asked] == ["POST", "GET", "GET", "GET"]
        assert "content-type" not in server.asked[-1].headers
        with pytest.raises(FetchError, match="more than 3 redirects") as caught:
            await fetcher.fetch(FetchRequest(url=server.base + "/1"))
        assert caught.value.fault == "redirects"


async def test_a_redirect_keeps_what_it_must_and_no_secret() -> None:
    async with at_work() as (server, fetcher):
        there = server.base.replace("127.0.0.1", "127.0.0.2")
        server.answers["/a"] = answer(b"", "307 Temporary Redirect", Location=server.base + "/b")
        server.answers["/b"] = answer(b"", "303 See Other", Location=there + "/c")
        with pytest.raises(FetchError):  # nobody is at that address
            await fetcher.fetch(
                FetchRequest(
                    url=server.base + "/a", method="POST", body=b"x", headers={"Authorization": "Bearer 1"}
                )
            )
        first, second = server.asked
        assert (second.method, second.body, second.headers["authorization"]) == ("POST", b"x", "Bearer 1")
        assert first.headers["host"] == second.headers["host"]


@pytest.mark.parametrize(
    "where",
    [
        "file:///etc/passwd", "http://10.0.0.1/", "http://169.254.169.254/latest/", "http://[::1]/", "ftp://example.com/",
        "http://2130706433/", "http://[::ffff:10.0.0.1]/", "gopher://example.com/", "//10.0.0.1/",
    ],
)  # fmt: skip
async def test_where_a_redirect_may_not_lead(where: str) -> None:
    async with at_work() as (server, fetcher):
        server.answers["/a"] = answer(b"", "302 Found", Location=where)
        with pytest.raises(FetchError) as caught:
            await fetcher.fetch(FetchRequest(url=server.base + "/a"))
        assert caught.value.fault == "refused"


async def test_a_name_is_looked_up_once_and_its_address_kept_to() -> None:
    looked: list[str] = []
    addresses = ["127.0.0.1"]

    async def resolve(host: str, port: int) -> list[str]:
        looked.append(host)
        return [addresses.pop(0)] if addresses else ["10.0.0.1"]

    async with at_work(resolve=resolve) as (server, fetcher):
        server.answers["/a"] = answer()
        url = f"http://crm.example.com:{server.port}/a"
        for _ in range(2):
            await fetcher.fetch(FetchRequest(url=url, max_age=0))
        assert looked == ["crm.example.com"]
        assert server.asked[0].headers["host"] == f"crm.example.com:{server.port}"


@pytest.mark.parametrize(
    "found", [["10.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:169.254.169.254"], ["fe80::1%lo"]]
)
async def test_names_that_lead_inside_are_refused(found: list[str]) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return found

    async with at_work(allow=False, resolve=resolve) as (server, fetcher):
        for _ in range(2):
            with pytest.raises(FetchError, match="inside") as caught:
                await fetcher.fetch(FetchRequest(url=f"http://crm.example.com:{server.port}/a"))
            assert caught.value.fault == "refused"
        assert server.asked == []


async def test_loopback_is_refused_by_itself_and_allowed_for_what_is_configured() -> None:
    async with at_work(allow=False) as (server, fetcher):
        server.answers["/a"] = answer()
        for host in ("127.0.0.1", "localhost", "[::1]", "0.0.0.0"):
            with pytest.raises(FetchError, match="inside"):
                await fetcher.fetch(FetchRequest(url=f"http://{host}:{server.port}/a"))
        fetcher.allow(server.base + "/a")
        assert (await fetcher.fetch(FetchRequest(url=server.base + "/a"))).body == b"ok"


async def test_sizes_are_limited_while_reading() -> None:
    async with at_work(settings={"max_bytes": 2000}) as (server, fetcher):
        chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
        server.answers["/endless"] = (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 3
        )  # and never an end
        server.answers["/told"] = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"
        server.answers["/small"] = answer(b"x" * 2000)
        for path in ("/endless", "/told"):
            with pytest.raises(FetchError, match="longer than 2000 bytes") as caught:
                await fetcher.fetch(FetchRequest(url=server.base + path))
            assert caught.value.fault == "too_large"
        with pytest.raises(FetchError, match="longer than 10 bytes"):
            await fetcher.fetch(FetchRequest(url=server.base + "/small", max_bytes=10))
        assert len((await fetcher.fetch(FetchRequest(url=server.base + "/small"))).body) == 2000


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (answer(b"", "404 Not Found"), "status"),
        (answer(b"", "503 Service Unavailable"), "status"),
        (b"220 smtp.example.com ESMTP\r\n\r\n", "junk"),
        (answer(b"\x1f\x8b", Content_Encoding="gzip"), "junk"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 200_000 + b"\r\n\r\n", "junk"),
        (b"HTTP/1.1 200 OK\r\n", "timeout"),
    ],
)
async def test_faults(said: bytes, fault: str) -> None:
    async with at_work(settings={"timeout": 0.2}) as (server, fetcher):
        server.answers["/a"] = said
        with pytest.raises(FetchError) as caught:
            await fetcher.fetch(FetchRequest(url=server.base + "/a"))
        assert caught.value.fault == fault
        assert caught.value.status == (int(said.split()[1]) if fault == "status" else 0)


async def test_nobody_is_there() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        if host == "none.example.com":
            return []
        if host == "unknown.example.com":
            raise OSError("unknown")
        return ["127.0.0.1", "127.0.0.1"]

    async with at_work(resolve=resolve) as (server, fetcher):
        pass
    for host in ("none", "unknown", "known"):
        with pytest.raises(FetchError) as caught:
            await fetcher.fetch(FetchRequest(url=f"http://{host}.example.com:{server.port}/a"))
        assert caught.value.fault == "unreachable"
    await fetcher.close()


@pytest.mark.parametrize(
    "url", ["", "http://", "nothing", "http://exa mple/", "http://example.com:99999/", "http://[/", "\0"]
)
async def test_what_is_no_url(url: str) -> None:
    with pytest.raises(FetchError) as caught:
        await HttpFetcher().fetch(FetchRequest(url=url))
    assert caught.value.fault == "refused"


async def test_files_of_folders_that_are_allowed(tmp_path: Path) -> None:
    allowed, other = tmp_path / "allowed", tmp_path / "other"
    allowed.mkdir()
    other.mkdir()
    (allowed / "a b.grxml").write_bytes(b"<grammar/>")
    (other / "x").write_bytes(b"secret")
    (allowed / "link").symlink_to(other / "x")
    fetcher = HttpFetcher(FetchSettings(folders=(str(allowed),), max_bytes=1024))
    got = await fetcher.fetch(FetchRequest(url=f"file://{allowed}/a%20b.grxml"))
    assert (got.body, got.media_type) == (b"<grammar/>", "application/srgs+xml")
    for url, fault in [
        (f"file://{other}/x", "refused"),
        (f"file://{allowed}/../other/x", "refused"),
        (f"file://{allowed}/%2e%2e/other/x", "refused"),
        (f"file://{allowed}/link", "refused"),
        (f"file://example.com{allowed}/x", "refused"),
        ("file:///etc/passwd", "refused"),
        (f"FILE://{allowed}/%00", "refused"),
        (f"file://{allowed}/none", "status"),
    ]:
        with pytest.raises(FetchError) as caught:
            await fetcher.fetch(FetchRequest(url=url))
        assert caught.value.fault == fault, url
    with pytest.raises(FetchError, match="longer"):
        await fetcher.fetch(FetchRequest(url=f"file://{allowed}/a%20b.grxml", max_bytes=5))
