"""What takes a call to AWS is loaded once for all who ask, kept for its seconds, and waited for without a thread."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from chatcensus.dashboard.fresh import Fresh, TooManyLoads
from tests.fakes import FakeClock


class Source:
    """Counts what is asked of it; while it is held, whoever asks waits; it can fail."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.opened = threading.Event()
        self.opened.set()
        self.fails = False

    def load(self, key: str) -> str:
        self.asked.append(key)
        assert self.opened.wait(10)
        if self.fails:
            raise ConnectionError(key)
        return f"{key} {len(self.asked)}"


def fresh_of(source: Source, most: int = 8) -> tuple[Fresh[str, str], Callable[[float], None]]:
    """A Fresh of 2 seconds, and what lets time pass."""
    clock = FakeClock()
    return Fresh(source.load, 2, most, clock.monotonic), clock.sleep


def test_what_was_loaded_is_kept_for_its_seconds_and_then_loaded_again():
    source = Source()
    fresh, wait = fresh_of(source)

    async def ask() -> list[str]:
        told = [await fresh.get("a"), await fresh.get("a")]
        wait(1.9)
        told.append(await fresh.get("a"))
        wait(0.2)
        return [*told, await fresh.get("a")]

    assert asyncio.run(ask()) == ["a 1", "a 1", "a 1", "a 2"]


def test_many_who_ask_at_once_wait_for_one_load():
    source = Source()
    fresh, wait = fresh_of(source)
    source.opened.clear()

    async def ask() -> list[str]:
        readers = [asyncio.create_task(fresh.get("a")) for _ in range(100)]
        await asyncio.sleep(0)
        wait(60)  # a load that takes longer than its seconds is not begun a second time
        readers.append(asyncio.create_task(fresh.get("a")))
        await asyncio.sleep(0)
        source.opened.set()
        return await asyncio.gather(*readers)

    assert asyncio.run(ask()) == ["a 1"] * 101


def test_a_reader_who_goes_away_takes_nothing_from_the_others():
    source = Source()
    fresh, _ = fresh_of(source)
    source.opened.clear()

    async def ask() -> str:
        leaving, staying = (asyncio.create_task(fresh.get("a")) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.sleep(0)
        source.opened.set()
        return await staying

    assert asyncio.run(ask()) == "a 1"


def test_a_failure_is_told_to_all_and_kept_as_long():
    source = Source()
    source.fails = True
    fresh, wait = fresh_of(source)

    async def ask() -> None:
        for _ in range(3):
            with pytest.raises(ConnectionError):
                await fresh.get("a")
        source.fails = False
        wait(2)
        assert await fresh.get("a") == "a 2"

    asyncio.run(ask())


def test_only_the_last_keys_are_kept():
    source = Source()
    fresh, _ = fresh_of(source, most=2)

    async def ask() -> None:
        for key in "abcab":
            await fresh.get(key)

    asyncio.run(ask())

    assert source.asked == list("abcab")
    assert len(fresh._loads) == 2


def test_what_is_under_way_is_never_forgotten_and_a_queue_of_it_does_not_grow():
    source = Source()
    fresh, _ = fresh_of(source, most=2)
    source.opened.clear()

    async def ask() -> list[str]:
        waiting = [asyncio.create_task(fresh.get(key)) for key in "ab"]
        await asyncio.sleep(0)
        with pytest.raises(TooManyLoads):
            await fresh.get("c")
        waiting.append(asyncio.create_task(fresh.get("a")))
        await asyncio.sleep(0)
        source.opened.set()
        told = await asyncio.gather(*waiting)
        return [*told, await fresh.get("c")]

    told = asyncio.run(ask())

    assert sorted(source.asked) == ["a", "b", "c"]
    assert told[0] == told[2]
    assert told[3] == "c 3"
