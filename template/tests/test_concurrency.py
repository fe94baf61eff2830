import asyncio

import anyio
import pytest

from app import concurrency
from app.concurrency import end, together


async def fail() -> None:
    raise ValueError("first")


class Guest:
    """Somebody who takes leave slowly."""

    left = False

    async def stay(self) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            await anyio.sleep(0.05)
            self.left = True


def test_the_first_failure_ends_the_others_and_is_raised() -> None:
    guest = Guest()

    async def meet() -> None:
        with pytest.raises(ValueError, match="first"):
            await together(guest.stay(), fail(), guest.stay())

    anyio.run(meet)
    assert guest.left


@pytest.mark.parametrize("fails", [True, False])
def test_a_scope_that_is_cancelled_meanwhile_knows_its_own_cancellation(*, fails: bool) -> None:
    guest = Guest()

    async def meet() -> bool:
        with anyio.move_on_after(0.02) as scope:
            await together(guest.stay(), *([fail()] if fails else []))
        return scope.cancelled_caught

    assert anyio.run(meet)
    assert guest.left


def test_a_task_that_swallows_its_cancellation_ends_nevertheless(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(concurrency, "PATIENCE_SECONDS", 0.01)
    swallowed = 0

    async def stay() -> None:
        nonlocal swallowed
        while swallowed < 3:
            try:
                await anyio.sleep_forever()
            except asyncio.CancelledError:
                swallowed += 1
        await anyio.sleep_forever()

    async def leave() -> None:
        task = asyncio.create_task(stay())
        await asyncio.sleep(0)
        await end(task)
        assert task.cancelled()

    asyncio.run(leave())
    assert swallowed == 3
