import anyio
import pytest

from app.rooms.visit import together


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

    async def visit() -> None:
        with pytest.raises(ValueError, match="first"):
            await together(guest.stay(), fail(), guest.stay())

    anyio.run(visit)
    assert guest.left


@pytest.mark.parametrize("fails", [True, False])
def test_a_scope_that_is_cancelled_meanwhile_knows_its_own_cancellation(*, fails: bool) -> None:
    guest = Guest()

    async def visit() -> bool:
        with anyio.move_on_after(0.02) as scope:
            await together(guest.stay(), *([fail()] if fails else []))
        return scope.cancelled_caught

    assert anyio.run(visit)
    assert guest.left
