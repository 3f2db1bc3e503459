"""How many questions are answered at the same time: no more, in order, and no place is ever lost."""

from __future__ import annotations

import asyncio

import pytest

from rag import Busy, Turnstile


class Crowd:
    """Questions that stay inside until they are let out.

    Attributes:
        inside: Those who are inside now, in the order they came in.
    """

    def __init__(self, turnstile: Turnstile) -> None:
        self.turnstile = turnstile
        self.inside: list[int] = []
        self.tasks: list[asyncio.Task[None]] = []
        self._left: list[asyncio.Event] = []
        self._out: list[asyncio.Event] = []

    async def comes(self) -> int:
        """Another one comes; its number, counted from 0."""
        number = len(self.tasks)
        self._left.append(asyncio.Event())
        self._out.append(asyncio.Event())
        self.tasks.append(asyncio.create_task(self._passes(number)))
        await settled()
        return number

    async def is_done(self, number: int) -> None:
        self._out[number].set()
        await settled()

    async def leaves(self, number: int) -> None:
        self._left[number].set()
        self._out[number].set()
        await settled()

    async def _passes(self, number: int) -> None:
        left = self._left[number]
        async with self.turnstile.passed(left):
            if left.is_set():
                return
            self.inside.append(number)
            try:
                await self._out[number].wait()
            finally:
                self.inside.remove(number)


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_so_many_are_inside_and_the_others_follow_in_the_order_they_came() -> None:
    async def play() -> None:
        crowd = Crowd(Turnstile(at_once=2, waiting=9))
        for _ in range(5):
            await crowd.comes()
        assert crowd.inside == [0, 1]
        assert crowd.turnstile.full
        await crowd.is_done(1)
        assert crowd.inside == [0, 2]
        await crowd.is_done(0)
        assert crowd.inside == [2, 3]
        for number in (2, 3, 4):
            await crowd.is_done(number)
        assert crowd.inside == []
        assert not crowd.turnstile.full
        await asyncio.gather(*crowd.tasks)

    asyncio.run(play())


def test_who_finds_no_room_to_wait_is_told_so_at_once_and_can_come_again() -> None:
    async def play() -> None:
        crowd = Crowd(Turnstile(at_once=1, waiting=1))
        first, second, third = [await crowd.comes() for _ in range(3)]
        with pytest.raises(Busy, match=r"Busy: .* in a moment"):
            await crowd.tasks[third]
        assert crowd.inside == [first]
        await crowd.is_done(first)
        assert crowd.inside == [second]
        fourth = await crowd.comes()
        await crowd.is_done(second)
        assert crowd.inside == [fourth]
        await crowd.is_done(fourth)

    asyncio.run(play())


def test_who_leaves_while_waiting_frees_the_room_and_takes_no_place() -> None:
    async def play() -> None:
        crowd = Crowd(Turnstile(at_once=1, waiting=1))
        first, second = await crowd.comes(), await crowd.comes()
        await crowd.leaves(second)
        assert crowd.tasks[second].done()
        third = await crowd.comes()
        assert not crowd.tasks[third].done(), "there is room to wait again"
        await crowd.is_done(first)
        assert crowd.inside == [third]
        await crowd.is_done(third)
        assert not crowd.turnstile.full

    asyncio.run(play())


@pytest.mark.parametrize("at", ["inside", "waiting", "as it comes in"])
def test_no_place_is_lost_by_those_who_are_cancelled(at: str) -> None:
    async def play() -> None:
        crowd = Crowd(Turnstile(at_once=1, waiting=3))
        first, second, third = [await crowd.comes() for _ in range(3)]
        if at == "as it comes in":
            crowd._out[first].set()
            while crowd.inside == [first]:  # its place is free, and the second has just been given it
                await asyncio.sleep(0)
        cancelled = first if at == "inside" else second
        crowd.tasks[cancelled].cancel()
        await settled()
        for number in (first, second, third):
            await crowd.is_done(number)
        assert crowd.tasks[third].done()
        assert not crowd.tasks[third].cancelled()
        await the_room_is_whole(crowd.turnstile, at_once=1, waiting=3)

    asyncio.run(play())


def test_no_place_is_lost_by_errors() -> None:
    async def play() -> None:
        turnstile = Turnstile(at_once=2, waiting=1)
        for _ in range(5):
            with pytest.raises(ZeroDivisionError):
                async with turnstile.passed(asyncio.Event()):
                    raise ZeroDivisionError
        await the_room_is_whole(turnstile, at_once=2, waiting=1)

    asyncio.run(play())


async def the_room_is_whole(turnstile: Turnstile, *, at_once: int, waiting: int) -> None:
    crowd = Crowd(turnstile)
    for _ in range(at_once + waiting + 1):
        await crowd.comes()
    assert crowd.inside == list(range(at_once))
    assert [task.done() for task in crowd.tasks] == [False] * (at_once + waiting) + [True]
    assert isinstance(crowd.tasks[-1].exception(), Busy)
    for number in range(at_once + waiting):
        await crowd.leaves(number)
