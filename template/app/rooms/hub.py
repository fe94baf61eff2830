"""All connections of this process, and the rooms that they are in."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from fastapi import FastAPI

from app.redis import create_client
from app.rooms.backplane import Backplane
from app.rooms.closing import CloseCode, ClosingError
from app.rooms.connection import FAREWELL_SECONDS, Connection
from app.rooms.schemas import Joined, Left, Member, Said, ServerMessage, Welcome
from app.settings import Settings

PRESENCE_LIMIT = 50
"""In a bigger room nobody is told who comes and goes: n members would be told n times, each."""


class Hub:
    """Passes on what is said in a room to everybody in it."""

    def __init__(self, max_connections: int) -> None:
        self.max_connections = max_connections
        self.admitted = 0
        self.connections: set[Connection] = set()
        self.rooms: dict[str, set[Connection]] = {}
        self.backplane: Backplane | None = None
        self.stopping = False
        self.gone = asyncio.Event()

    @contextmanager
    def presence(self, connection: Connection) -> Iterator[None]:
        """Know of the connection until it is closed."""
        self.connections.add(connection)
        try:
            yield
        finally:
            self.connections.remove(connection)
            self.gone.set()

    @contextmanager
    def admission(self) -> Iterator[None]:
        """Let one more connection in.

        Raises:
            ClosingError: the process is full, or about to stop.
        """
        if self.stopping:
            raise ClosingError(CloseCode.SERVICE_RESTART, "The service restarts.")
        if self.admitted >= self.max_connections:
            raise ClosingError(CloseCode.TRY_AGAIN_LATER, "The service is full.")
        self.admitted += 1
        try:
            yield
        finally:
            self.admitted -= 1

    @asynccontextmanager
    async def membership(
        self, room: str, member: Member, connection: Connection
    ) -> AsyncIterator[None]:
        """Let the connection hear the room, from its welcome on."""
        async with self.follow(room):
            self.tell_presence(room, Joined(member=member))
            self.rooms.setdefault(room, set()).add(connection)
            connection.send(Welcome(room=room, member=member).model_dump_json())
            try:
                yield
            finally:
                self.rooms[room].remove(connection)
                if not self.rooms[room]:
                    del self.rooms[room]
                self.tell_presence(room, Left(member=member))

    @asynccontextmanager
    async def follow(self, room: str) -> AsyncIterator[None]:
        """Hear from the other processes what is said in the room."""
        if self.backplane is None:
            yield
            return
        async with self.backplane.follow(room):
            yield

    def tell_presence(self, room: str, message: Joined | Left) -> None:
        """Tell who comes and goes, unless there are too many."""
        if len(self.rooms.get(room, ())) < PRESENCE_LIMIT:
            self.tell(room, message)

    def say(self, room: str, member: Member, text: str) -> None:
        """Say something to everybody in the room."""
        self.tell(room, Said(member=member, text=text))

    def tell(self, room: str, message: ServerMessage) -> None:
        """Write the message once, for everybody in the room, wherever they are."""
        text = message.model_dump_json()
        self.deliver(room, text)
        if self.backplane is not None:
            self.backplane.publish(room, text)

    def deliver(self, room: str, text: str) -> None:
        """Queue the text for everybody in the room who is connected to this process."""
        for connection in self.rooms.get(room, ()):
            connection.send(text)

    async def close(self) -> None:
        """Send everybody away, to come back when the service has restarted."""
        self.stopping = True
        leaving = self.connections.copy()
        for connection in leaving:
            connection.end(CloseCode.SERVICE_RESTART, "The service restarts.")
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * FAREWELL_SECONDS + 1):
                while leaving & self.connections:
                    self.gone.clear()
                    await self.gone.wait()


@asynccontextmanager
async def open_rooms(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    """Open the rooms of this process, and connect them with those of others through Redis."""
    hub = Hub(settings.rooms_max_connections)
    app.state.hub = hub
    app.state.readiness.before_stop.append(hub.close)
    if not settings.redis_url:
        yield
        return
    async with create_client(settings) as redis:
        hub.backplane = Backplane(redis, settings.redis_namespace, hub.deliver)
        app.state.readiness.optional.discard("redis")
        async with hub.backplane.connected():
            yield
