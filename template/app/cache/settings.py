"""For how long answers are kept, and how many."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from app.redis import RedisSettings

HOUR = timedelta(hours=1)


class CacheSettings(RedisSettings):
    """A write ends what is kept at once; the lifetime is for writes that the service misses."""

    cache_lifetime: Annotated[timedelta, Field(gt=timedelta(0), le=HOUR)] = timedelta(minutes=1)
    cache_max_entries: int = Field(default=1000, ge=1)
