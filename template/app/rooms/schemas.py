"""What is said between a client and the service: JSON objects, told apart by their `type`."""

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, Field, TypeAdapter


def printable(text: str) -> str:
    """Refuse control characters and marks that change how the text around them is read."""
    if not text.isprintable() or text != text.strip():
        raise ValueError("must be printable, without spaces around it")
    return text


RoomName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Name = Annotated[str, Query(min_length=1, max_length=40), AfterValidator(printable)]


class Member(BaseModel):
    """Somebody in a room; the name is what they call themselves."""

    id: UUID
    name: str


class Say(BaseModel):
    """Client: say something to everybody in the room."""

    type: Literal["say"]
    text: str = Field(min_length=1, max_length=4000)


class Pong(BaseModel):
    """Client: still there."""

    type: Literal["pong"]


ClientMessage = Annotated[Say | Pong, Field(discriminator="type")]
CLIENT_MESSAGE: TypeAdapter[Say | Pong] = TypeAdapter(ClientMessage)


class Welcome(BaseModel):
    """Service: you are in, and this is you."""

    type: Literal["welcome"] = "welcome"
    room: str
    member: Member


class Joined(BaseModel):
    """Service: somebody else came."""

    type: Literal["joined"] = "joined"
    member: Member


class Left(BaseModel):
    """Service: somebody else went."""

    type: Literal["left"] = "left"
    member: Member


class Said(BaseModel):
    """Service: somebody, perhaps you, said something."""

    type: Literal["said"] = "said"
    member: Member
    text: str
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))


class Error(BaseModel):
    """Service: what you sent was not understood; it was dropped."""

    type: Literal["error"] = "error"
    detail: str


class Ping(BaseModel):
    """Service: are you still there?"""

    type: Literal["ping"] = "ping"


ServerMessage = Welcome | Joined | Left | Said | Error | Ping
