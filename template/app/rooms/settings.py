"""Who may join rooms, and how much of the service they may take."""

import re

from pydantic import Field, field_validator

from app.environment import CommaSeparated, ServiceSettings

ORIGIN = re.compile(
    r"https?://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.IGNORECASE
)


class RoomsSettings(ServiceSettings):
    """What is for each connection, and how many there are in each process."""

    rooms_origins: CommaSeparated = Field(default_factory=list)
    rooms_max_connections: int = Field(default=1000, ge=1)
    rooms_max_message_bytes: int = Field(default=16384, ge=256)
    rooms_messages_per_second: float = Field(default=10, gt=0)
    rooms_queue_size: int = Field(default=1000, ge=10)
    rooms_heartbeat_seconds: float = Field(default=20, gt=0)
    # {% if jwt_auth %}
    rooms_token_check_seconds: float = Field(default=30, gt=0)
    # {% endif %}

    @field_validator("rooms_origins")
    @classmethod
    def require_room_origins(cls, origins: list[str]) -> list[str]:
        """Refuse what no browser sends, and what would let every site in."""
        if not all(ORIGIN.fullmatch(origin) for origin in origins):
            raise ValueError(
                "must list origins such as https://app.example.com:8443, without a path or *"
            )
        return [origin.lower() for origin in origins]
