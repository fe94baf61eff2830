"""What tasks may ask for in their signatures."""

from typing import Annotated, cast
# {% if jwt_auth %}
from uuid import UUID
# {% endif %}

# {% if database != 'none' %}
from sqlalchemy.ext.asyncio import AsyncEngine
# {% endif %}
from taskiq import Context, TaskiqDepends

from app.jobs.broker import JobBroker

CurrentContext = Annotated[Context, TaskiqDepends()]


def get_broker(context: CurrentContext) -> JobBroker:
    """Find the broker that has delivered the job."""
    return cast(JobBroker, context.broker)


Broker = Annotated[JobBroker, TaskiqDepends(get_broker)]
# {% if database != 'none' %}


def get_engine(context: CurrentContext) -> AsyncEngine:
    """Find the engine of the process; `open_session(engine)` begins a unit of work."""
    engine: AsyncEngine = context.state.engine
    return engine


Engine = Annotated[AsyncEngine, TaskiqDepends(get_engine)]
# {% endif %}
# {% if jwt_auth %}


def get_owner_id(context: CurrentContext) -> UUID:
    """Find out who has submitted the job."""
    return UUID(context.message.labels["owner"])


OwnerId = Annotated[UUID, TaskiqDepends(get_owner_id)]
# {% endif %}
