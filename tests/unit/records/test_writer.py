"""The batching writer, with a store that the test controls."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from sipcc.records.writer import BatchWriter


class Store:
    """Takes batches; raises what is in `errors` first."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.errors: list[Exception] = []
        self.never: set[int] = set()
        self.called = asyncio.Event()

    async def __call__(self, items: Sequence[int]) -> None:
        if self.errors:
            raise self.errors.pop(0)
        if self.never.intersection(items):
            raise ValueError("a value that the database will never take")
        self.batches.append(list(items))
        self.called.set()


def writer_of(store: Store, **options: object) -> BatchWriter[int]:
    values: dict[str, object] = {"window": 60.0, "retry": (0.001, 0.002)}
    return BatchWriter(
        store,
        passing=lambda error: isinstance(error, OSError),
        **(values | options),  # type: ignore[arg-type]
    )


async def test_a_batch_is_one_transaction_in_order() -> None:
    store = Store()
    writer = writer_of(store, batch=4)
    writer.start()
    for number in range(10):
        writer.put(number)
    assert await writer.flush(5.0)
    assert store.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert (writer.stored, writer.waiting) == (10, 0)
    await writer.stop()


async def test_the_window_ends_by_itself() -> None:
    store = Store()
    writer = writer_of(store, window=0.01)
    writer.start()
    begun = asyncio.get_running_loop().time()
    writer.put(1)
    await store.called.wait()
    assert asyncio.get_running_loop().time() - begun == pytest.approx(0.01)
    assert store.batches == [[1]]
    await writer.stop()


async def test_a_passing_failure_is_tried_again() -> None:
    store = Store()
    store.errors = [OSError("gone"), OSError("gone"), OSError("still gone")]
    writer = writer_of(store)
    writer.start()
    writer.put(1)
    assert await writer.flush(5.0)
    assert store.batches == [[1]]
    assert (writer.failures, writer.last_error) == (3, "")
    await writer.stop()


async def test_one_bad_item_does_not_block_the_others() -> None:
    store = Store()
    store.never = {2}
    writer = writer_of(store)
    writer.start()
    for number in range(5):
        writer.put(number)
    assert await writer.flush(5.0)
    assert [number for batch in store.batches for number in batch] == [0, 1, 3, 4]
    assert (writer.refused, writer.stored, writer.dropped) == (1, 4, 0)
    await writer.stop()


async def test_full_drops_the_newest_and_the_reserve_is_for_records() -> None:
    store = Store()
    writer = writer_of(store, limit=2, reserve=1)
    assert [writer.put(1), writer.put(2), writer.put(3)] == [True, True, False]
    assert [writer.put(4, precious=True), writer.put(5, precious=True)] == [True, False]
    assert writer.dropped == 2
    writer.start()
    assert await writer.flush(5.0)
    assert store.batches == [[1, 2, 4]]
    await writer.stop()


async def test_stop_gives_up_after_its_time_and_counts() -> None:
    store = Store()
    store.errors = [OSError("gone")] * 1000
    writer = writer_of(store, retry=(60.0, 60.0))
    writer.start()
    writer.put(1)
    await writer.stop(timeout=0.01)
    assert (writer.dropped, writer.waiting, store.batches) == (1, 0, [])


async def test_flush_with_nothing_returns_at_once() -> None:
    writer = writer_of(Store())
    writer.start()
    assert await writer.flush(0.001)
    await writer.stop()
