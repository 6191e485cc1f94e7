"""Recordings over HTTP: controlled, found, listened to, held, erased, and deleted when their time is over."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, Centre
from tests.flow.test_api import TOKENS, Client, until
from tests.flow.test_recording_policy import TAPED, files, share, talking, taped

from sipcc import Switch
from sipcc.api import TokenSettings, digest_of
from sipcc.api.app import make_api
from sipcc.call.events import RecordingFinished, RecordingStarted, RecordingStored
from sipcc.clock import LoopClock
from sipcc.config import load
from sipcc.records import Cdr
from sipcc.records.events import RecordingAccessed, RecordingDeleted
from sipcc.records.recordings import DAY_S, Recording
from sipcc.records.retention import Retention
from sipcc.testing.audio import read_stereo

DORA = TokenSettings(name="dora", role="agent", agent="dora", digest=digest_of("dora"))


class Api(Client):
    """The client, with what these tests do again and again."""

    async def order(self, call: str, verb: str, *, role: str = "admin", id: str = "", **more: Any) -> Any:
        body = {"request_id": id or f"{verb}-{asyncio.get_running_loop().time()}", **more}
        return await self.post(f"/calls/{call}/recording/{verb}", body, role=role)

    async def ranged(self, path: str, span: str, *, role: str) -> httpx.Response:
        return await self._http.get(path, headers={"Authorization": f"Bearer {role}", "Range": span})

    async def settled(self, calls: int = 1) -> None:
        """Wait until so many calls are over and their recordings have their final form in the index."""
        await until(lambda: len(self.centre.told("CallEndedEvent")) >= calls)
        finished = [event for event in self.centre.told("RecordingFinished") if event.seconds]  # type: ignore[attr-defined]
        await until(lambda: len(self.centre.told("RecordingStored")) >= len(finished))
        await self.centre.switch.keeper.flush()

    async def sweep(self, days: float) -> None:
        """What the switch does every day, so many days later."""
        switch = self.centre.switch
        later = LoopClock(wall=switch.clock.wall_of(switch.clock.now()) + days * DAY_S)
        keeper = switch.keeper
        rules = Retention(lambda: keeper.recordings, telling=switch.bus, clock=later, stored=keeper.flush)
        await rules.sweep()

    async def index(self) -> list[Recording]:
        await self.centre.switch.keeper.flush()
        return await self.centre.switch.keeper.recordings.find()


def bytes_of(path: str) -> bytes:
    return Path(path).read_bytes()


def written(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def remove(path: str) -> None:
    Path(path).unlink()


@asynccontextmanager
async def client(folder: Path, extra: str) -> AsyncIterator[Api]:
    async with Centre(folder, extra=extra) as centre:
        app = make_api(centre.switch, [*TOKENS.values(), DORA])
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://api.example.com") as http:
            yield Api(centre, http)


async def one_call(api: Api, seconds: float = 3.0) -> Cdr:
    """One recorded call of dora's, to its end."""
    before = len(api.centre.told("CallEndedEvent"))
    if "1001" not in api.centre.phones:
        await api.centre.phone("1001")
    caller = await api.centre.carrier.call(TAPED)
    await caller.hears(AGENT_HZ["1001"], timeout=30)
    await asyncio.sleep(seconds)
    await caller.hangup()
    await api.settled(before + 1)
    return (await api.centre.switch.keeper.store.cdrs())[0]


async def test_a_recording_is_started_paused_resumed_and_stopped_over_http(tmp_path: Path) -> None:
    async with client(tmp_path, taped('"on_demand"')) as api:
        caller, _ = await talking(api.centre)
        (live,) = (await api.get("/calls")).json()
        call = live["call"]
        started = await api.order(call, "start", role="dora", id="r1")
        assert started.json() == {
            "call": call, "recording": call, "running": True, "paused": False, "consent": "",
        }  # fmt: skip
        await asyncio.sleep(2)
        assert (await api.order(call, "start", role="dora", id="r1")).json() == started.json()
        paused = await api.order(call, "pause", role="supervisor", reason="card number", mark=True)
        assert paused.json()["paused"]
        await asyncio.sleep(3)
        assert not (await api.order(call, "resume")).json()["paused"]
        await asyncio.sleep(2)
        assert not (await api.order(call, "stop")).json()["running"]
        assert (await api.order(call, "pause")).status_code == 409
        await caller.hangup()
        await api.settled()
        [row] = await api.index()
        assert (row.seconds, row.call, row.queue) == (pytest.approx(7, abs=0.1), call, "taped")
        [mask] = row.masks
        assert (mask.begin, mask.end) == (pytest.approx(2, abs=0.1), pytest.approx(5, abs=0.1))
        assert mask.reason == "card number"
        left, right, _ = read_stereo(row.path)
        assert share(right[17000:39000], 1000.0) == pytest.approx(2.7, abs=0.2)  # the mark
        assert share(right[17000:39000], AGENT_HZ["1001"]) == 0
        assert share(left[:15000], CALLER_HZ) > 1.5


async def test_who_may_not_control_a_recording(tmp_path: Path) -> None:
    async with client(tmp_path, taped('"on_demand"')) as api:
        caller, _ = await talking(api.centre)
        call = (await api.get("/calls")).json()[0]["call"]
        assert (await api.order(call, "start", role="agent")).status_code == 403  # alice; dora talks
        assert (await api.order(call, "start", role="auditor")).status_code == 403
        assert (await api.order(call, "start", role="nobody")).status_code == 401
        assert (await api.order("call-0", "start")).status_code == 404
        assert (await api.order(call, "erase")).status_code == 400
        wrong = await api.post(f"/calls/{call}/recording/pause", {"request_id": "x", "mark": 7})
        assert (wrong.status_code, wrong.json()["path"]) == (400, "$.mark")
        await caller.hangup()


async def test_nothing_is_recorded_on_demand_where_the_policy_has_none(tmp_path: Path) -> None:
    async with client(tmp_path, taped("false")) as api:
        caller, _ = await talking(api.centre)
        refused = await api.order((await api.get("/calls")).json()[0]["call"], "start")
        assert (refused.status_code, refused.json()["error"]) == (409, "conflict")
        await caller.hangup()


async def test_recordings_are_found_and_heard_by_those_who_may(tmp_path: Path) -> None:
    async with client(tmp_path, taped("true")) as api:
        cdrs = [await one_call(api), await one_call(api)]
        ids = [cdr.id for cdr in cdrs]
        for role in ("supervisor", "admin", "auditor", "dora"):
            page = (await api.get("/recordings", role=role)).json()
            assert [row["id"] for row in page["recordings"]] == [ids[1], ids[0]]
        first = (await api.get("/recordings", limit=1)).json()
        second = (await api.get("/recordings", limit=1, after=first["next"])).json()
        assert [first["recordings"][0]["id"], second["recordings"][0]["id"]] == [ids[1], ids[0]]
        assert second["next"] is None
        for query, found in (
            ({"call": ids[0]}, 1),
            ({"queue": "taped"}, 2),
            ({"queue": "sales"}, 0),
            ({"agent": "dora"}, 2),
            ({"agent": "alice"}, 0),
            ({"caller": "13800138000"}, 2),
            ({"since": cdrs[1].started}, 1),
            ({"until": cdrs[1].started}, 1),
        ):
            assert len((await api.get("/recordings", **query)).json()["recordings"]) == found, query
        assert (await api.get("/recordings", role="agent")).json()["recordings"] == []  # alice has none
        assert (await api.get("/recordings", role="agent", agent="dora")).status_code == 403
        assert (await api.get(f"/recordings/{ids[0]}", role="agent")).status_code == 404
        assert (await api.get(f"/recordings/{ids[0]}/audio", role="agent")).status_code == 404
        assert (await api.get("/recordings", role="nobody")).status_code == 401
        assert (await api.get("/recordings", after="x")).status_code == 400


async def test_the_audio_comes_whole_and_in_ranges_and_each_access_is_told(tmp_path: Path) -> None:
    async with client(tmp_path, taped("true")) as api:
        cdr = await one_call(api)
        [recording] = cdr.recordings
        data = bytes_of(recording.path)
        whole = await api.get(f"/recordings/{cdr.id}/audio", role="auditor")
        assert (whole.status_code, whole.content) == (200, data)
        assert whole.headers["content-type"] == "audio/wav"
        assert whole.headers["content-length"] == str(len(data))
        assert whole.headers["accept-ranges"] == "bytes"
        assert hashlib.sha256(data).hexdigest() == recording.sha256
        part = await api.ranged(f"/recordings/{cdr.id}/audio", "bytes=100-299", role="dora")
        assert (part.status_code, part.content) == (206, data[100:300])
        assert part.headers["content-range"] == f"bytes 100-299/{len(data)}"
        tail = await api.ranged(f"/recordings/{cdr.id}/audio", "bytes=-5", role="dora")
        assert tail.content == data[-5:]
        beyond = await api.ranged(f"/recordings/{cdr.id}/audio", "bytes=99999999-", role="dora")
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(data)}")
        known = (await api.get(f"/recordings/{cdr.id}", role="supervisor")).json()
        assert known["sha256"] == recording.sha256
        await api.centre.switch.keeper.flush()
        logged = [
            (event.by, event.what, event.recording)
            async for _, _, event in api.centre.switch.keeper.log.replay()
            if isinstance(event, RecordingAccessed)
        ]
        assert logged == [
            ("auditor", "audio", cdr.id),
            ("dora", "audio", cdr.id),
            ("dora", "audio", cdr.id),
            ("supervisor", "metadata", cdr.id),
        ]
        remove(recording.path)
        assert (await api.get(f"/recordings/{cdr.id}/audio")).status_code == 404


async def test_the_call_record_keeps_the_digest_of_a_recording_that_is_gone(tmp_path: Path) -> None:
    async with client(tmp_path, taped("true") + "[media.recording]\nwaveform = true\n") as api:
        cdr = await one_call(api)
        assert len(files(api.centre)) == 2
        await api.sweep(89)
        assert len(await api.index()) == 1
        await api.sweep(91)
        assert (await api.index(), files(api.centre)) == ([], [])
        [proof] = api.centre.told("RecordingDeleted")
        assert isinstance(proof, RecordingDeleted)
        assert (proof.recording, proof.why) == (cdr.id, "expired")
        [after] = await api.centre.switch.keeper.store.cdrs()
        assert after == cdr
        assert after.recordings[0].sha256 == proof.sha256 != ""
        assert (await api.get(f"/recordings/{cdr.id}")).status_code == 404


async def test_a_hold_stops_the_deletion_and_the_erasure(tmp_path: Path) -> None:
    async with client(tmp_path, taped("true")) as api:
        held, other = await one_call(api), await one_call(api)
        body = {"request_id": "h1", "held": True, "why": "case 17"}
        assert (
            await api.post(f"/calls/{held.id}/recording/hold", body, role="supervisor")
        ).status_code == 403
        done = await api.post(f"/calls/{held.id}/recording/hold", body)
        assert done.json() == {"call": held.id, "held": True, "recordings": [held.id]}
        unknown = {**body, "request_id": "h0"}
        assert (await api.post("/calls/call-0/recording/hold", unknown)).status_code == 404
        erasure = {"request_id": "e1", "number": "13800138000"}
        assert (await api.post("/recordings/erase", erasure, role="supervisor")).status_code == 403
        erased = (await api.post("/recordings/erase", erasure)).json()
        assert erased == {"deleted": [other.id], "held": [held.id], "left": []}
        third = await one_call(api)
        assert (await api.post("/recordings/erase", erasure)).json() == erased
        assert {row.id for row in await api.index()} == {held.id, third.id}
        await api.sweep(100)
        assert [row.id for row in await api.index()] == [held.id]
        assert files(api.centre) == [f"{held.id}.wav"]
        await api.post(f"/calls/{held.id}/recording/hold", {"request_id": "h2", "held": False})
        await api.sweep(100)
        assert (await api.index(), files(api.centre)) == ([], [])
        proofs = [(event.recording, event.why, event.by) for event in api.centre.told("RecordingDeleted")]  # type: ignore[attr-defined]
        assert proofs == [
            (other.id, "erased", "admin"), (third.id, "expired", ""), (held.id, "expired", ""),
        ]  # fmt: skip


async def test_a_hold_and_a_release_count_for_an_erasure_that_follows_at_once(tmp_path: Path) -> None:
    async with client(tmp_path, taped("true")) as api:
        cdr = await one_call(api)
        for held, number in ((True, 1), (False, 2)):
            body = {"request_id": f"h{number}", "held": held}
            assert (await api.post(f"/calls/{cdr.id}/recording/hold", body)).status_code == 200
            erasure = {"request_id": f"e{number}", "number": "13800138000"}
            erased = (await api.post("/recordings/erase", erasure)).json()
            assert erased == {
                "deleted": [] if held else [cdr.id], "held": [cdr.id] if held else [], "left": [],
            }  # fmt: skip
            assert files(api.centre) == ([f"{cdr.id}.wav"] if held else [])


async def test_a_subject_is_found_and_erased_however_its_number_is_written(tmp_path: Path) -> None:
    async with client(tmp_path, taped("true") + '[dialling]\ncountry = "86"\n') as api:
        cdr = await one_call(api)
        assert cdr.caller == "+8613800138000"
        await api.centre.switch.keeper.flush()
        for caller, found in (("13800138000", 1), ("+86 138-0013-8000", 1), ("13800138001", 0)):
            page = (await api.get("/recordings", caller=caller)).json()
            assert len(page["recordings"]) == found, caller
        erased = await api.post("/recordings/erase", {"request_id": "e1", "number": "138 0013 8000"})
        assert erased.json() == {"deleted": [cdr.id], "held": [], "left": []}
        assert files(api.centre) == []


async def test_the_index_follows_a_recording_that_is_compressed(tmp_path: Path) -> None:
    async with client(tmp_path, taped("true") + '[media.recording]\nformat = "flac"\n') as api:
        cdr = await one_call(api)
        [row] = await api.index()
        assert row.path.endswith(f"{cdr.id}.flac")
        assert cdr.recordings[0].path == row.path
        assert row.sha256 == hashlib.sha256(bytes_of(row.path)).hexdigest()
        assert row.size_bytes == len(bytes_of(row.path))
        heard = await api.get(f"/recordings/{cdr.id}/audio")
        assert (heard.headers["content-type"], heard.content[:4]) == ("audio/flac", b"fLaC")


@pytest.mark.realtime
async def test_audio_is_streamed_over_a_real_connection_and_a_listener_may_leave(tmp_path: Path) -> None:
    """Four megabytes, whole, in ranges, and by somebody who hears only the beginning."""
    data = bytes(range(256)) * 16_384
    path = written(tmp_path / "call-1.wav", data)
    file = written(
        tmp_path / "sipcc.toml",
        f"""
        [sip]
        listen = ["udp:127.0.0.1:0"]
        [media]
        workers = 0
        [api]
        listen = "127.0.0.1:0"
        [[tokens]]
        name = "board"
        role = "auditor"
        digest = "{digest_of("secret-token")}"
        """.encode(),
    )
    switch = Switch(load(file))
    await switch.start()
    try:
        for event in (
            RecordingStarted(at=switch.clock.now(), call="call-1", path=path, recording="call-1"),
            RecordingFinished(at=switch.clock.now(), call="call-1", path=path, seconds=9, reason="stopped"),
            RecordingStored(
                at=switch.clock.now(), call="call-1", path=path, stored=path, size_bytes=len(data)
            ),
        ):
            switch.bus.emit(event)
        await switch.keeper.flush()
        assert switch.door.address is not None
        host, port = switch.door.address
        headers = {"Authorization": "Bearer secret-token"}
        url = f"http://{host}:{port}/recordings/call-1/audio"
        async with httpx.AsyncClient(trust_env=False, headers=headers) as http:
            whole = await http.get(url)
            assert (whole.status_code, whole.content) == (200, data)
            part = await http.get(url, headers={"Range": "bytes=1000000-2999999"})
            assert (part.status_code, part.content) == (206, data[1_000_000:3_000_000])
            async with http.stream("GET", url) as begun:
                async for piece in begun.aiter_bytes():
                    assert data.startswith(piece)
                    break
            assert (await http.get(url, headers={"Range": "bytes=-1"})).content == data[-1:]
    finally:
        await switch.stop()
