"""The same routes with FastAPI, SQLAlchemy and PyJWT alone."""

import os
import uuid
from collections.abc import AsyncIterator
from typing import Annotated

import jwt
from app.items.models import Item
from app.users.models import User
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

app = FastAPI()
engine = create_async_engine(os.environ["DATABASE_URL"].replace("://", "+asyncpg://"))
make_session = async_sessionmaker(engine)


class Note(BaseModel):
    """What someone wants to keep."""

    text: str


class ItemOut(BaseModel):
    """An item."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    name: str
    description: str
    quantity: int


class Page(BaseModel):
    """Some of the items."""

    items: list[ItemOut]
    total: int


class Me(BaseModel):
    """Who asks."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    email: str


async def session() -> AsyncIterator[AsyncSession]:
    """Open a session for one request."""
    async with make_session() as session:
        yield session


Session = Annotated[AsyncSession, Depends(session)]


Token = Annotated[str, Depends(OAuth2PasswordBearer("token"))]


async def user(session: Session, token: Token) -> User:
    """Find the user whose token it is."""
    claims = jwt.decode(token, os.environ["BARE_SECRET"], algorithms=["HS256"])
    if user := await session.get(User, uuid.UUID(claims["sub"])):
        return user
    raise HTTPException(401)


@app.get("/livez")
async def livez() -> dict[str, str]:
    """Answer, to show that the process lives."""
    return {"status": "ok"}


@app.post("/api/v1/notes", status_code=201)
async def add_note(note: Note) -> Note:
    """Give the note back."""
    return note


@app.get("/api/v1/items")
async def list_items(session: Session, user: Annotated[User, Depends(user)]) -> Page:
    """List the caller's items."""
    mine = select(Item).where(Item.owner_id == user.id)
    total = await session.scalar(select(func.count()).select_from(mine.subquery()))
    items = await session.scalars(mine.order_by(Item.created_at).limit(20))
    return Page(items=[ItemOut.model_validate(item) for item in items], total=total or 0)


@app.get("/api/v1/users/me")
async def read_me(user: Annotated[User, Depends(user)]) -> Me:
    """Tell who asks."""
    return Me.model_validate(user)
