"""One client: what it says, what it is sent, and when it is let go."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from fastapi import WebSocket, WebSocketDisconnect
from pydantic import ValidationError

from app.rooms.closing import CloseCode, ClosingError
from app.rooms.schemas import CLIENT_MESSAGE, Error, Ping, Say
from app.rooms.settings import RoomsSettings

FAREWELL_SECONDS = 3
"""For how long a client may take its time with what is left in its queue, and with the close."""

BURST_SECONDS = 2
PING = Ping().model_dump_json()


class Connection:
    """A socket with a bounded queue in front, so that nobody waits for a slow client."""

    def __init__(self, websocket: WebSocket, settings: RoomsSettings) -> None:
        self.websocket = websocket
        self.settings = settings
        self.queue: asyncio.Queue[str] = asyncio.Queue(settings.rooms_queue_size)
        self.ending: asyncio.Future[ClosingError] = asyncio.get_running_loop().create_future()
        self.queued = self.written = 0
        self.wrote = asyncio.Event()
        self.heard = False
        self.pace = Pace(settings.rooms_messages_per_second)

    def send(self, text: str) -> None:
        """Queue the text, without waiting; let the client go if its queue is full."""
        if self.ending.done():
            return
        try:
            self.queue.put_nowait(text)
        except asyncio.QueueFull:
            self.end(CloseCode.TRY_AGAIN_LATER, "The client reads too slowly.")
        else:
            self.queued += 1

    def end(self, code: CloseCode, reason: str) -> None:
        """Let the client go; the first reason counts."""
        if not self.ending.done():
            self.ending.set_result(ClosingError(code, reason))

    async def listen(self, say: Callable[[str], None]) -> None:
        """Pass on what the client says, at a bearable pace.

        Raises:
            ClosingError: the client does not keep to the protocol.
            WebSocketDisconnect: the client has left.
        """
        while True:
            await self.pace.wait()
            text = await self.read()
            self.heard = True
            self.interpret(text, say)
            await self.catch_up()

    async def catch_up(self) -> None:
        """Wait until the client has been sent what is queued now, its own words among that.

        So a room that is too busy slows down those who speak, and no queue overflows for it.
        """
        goal = self.queued
        while self.written < goal:
            self.wrote.clear()
            await self.wrote.wait()

    async def read(self) -> str:
        """Wait for the next message; only text of a bearable size will do."""
        message = await self.websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"])
        text: str | None = message.get("text")
        if text is None:
            raise ClosingError(CloseCode.UNSUPPORTED_DATA, "Messages are text.")
        if len(text.encode()) > self.settings.rooms_max_message_bytes:
            raise ClosingError(CloseCode.TOO_BIG, "The message is too big.")
        return text

    def interpret(self, text: str, say: Callable[[str], None]) -> None:
        """Do what the client asks for, or tell it why not."""
        try:
            message = CLIENT_MESSAGE.validate_json(text)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
            if fault["type"] == "json_invalid":
                raise ClosingError(CloseCode.INVALID_DATA, "Messages are JSON.") from None
            place = "".join(f"/{part}" for part in fault["loc"])
            self.send(Error(detail=f"{fault['msg']} (#{place})").model_dump_json())
            return
        if isinstance(message, Say):
            say(message.text)

    async def write(self) -> None:
        """Send what is queued, in order, as fast as the client takes it."""
        while True:
            text = await self.queue.get()
            await self.websocket.send_text(text)
            self.queue.task_done()
            self.written += 1
            self.wrote.set()

    async def notice_silence(self) -> None:
        """Ask a silent client whether it is there; let it go when it does not answer."""
        asked = False
        while True:
            self.heard = False
            await asyncio.sleep(self.settings.rooms_heartbeat_seconds)
            if self.heard:
                asked = False
            elif asked:
                raise ClosingError(CloseCode.TIMEOUT, "The client does not answer.")
            else:
                self.send(PING)
                asked = True

    async def wait_for_end(self) -> None:
        """Give the client what is queued for it already, then let it go."""
        closing = await self.ending
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self.queue.join()
        raise closing

    async def close(self, closing: ClosingError) -> None:
        """Tell the client why it is let go, if it still listens."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self.websocket.close(closing.code, closing.reason)


class Pace:
    """Read so many messages a second, after a burst; the rest waits with the sender."""

    def __init__(self, per_second: float) -> None:
        self.interval = 1 / per_second
        self.next_at = 0.0

    async def wait(self) -> None:
        """Wait for the turn of the next message."""
        now = time.monotonic()
        if self.next_at > now + BURST_SECONDS:
            await asyncio.sleep(self.next_at - now - BURST_SECONDS)
        self.next_at = max(self.next_at, now) + self.interval
