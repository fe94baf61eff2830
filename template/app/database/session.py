"""One transaction a request."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def open_session(engine: AsyncEngine, *, read_only: bool = False) -> AsyncSession:
    """Begin a unit of work, for requests and for everything else; the caller commits.

    `read_only` is a hint that spares SQLite the lock for writing.
    """
    if read_only:
        engine = engine.execution_options(read_only=True)
    return AsyncSession(engine, expire_on_commit=False)


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    """Commit what the request has done before it is answered; any error undoes it."""
    engine: AsyncEngine = request.app.state.engine
    async with open_session(engine, read_only=request.method in READING_METHODS) as session:
        yield session
        await session.commit()


# With the default scope, the commit would come after the response.
Session = Annotated[AsyncSession, Depends(get_session, scope="function")]
