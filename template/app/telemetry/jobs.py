"""Let the work of a job be part of the trace of the request that has submitted it."""

from contextlib import AsyncExitStack
from typing import Any

from opentelemetry import context, propagate, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind, StatusCode, Tracer
from taskiq import TaskiqMessage, TaskiqMiddleware, TaskiqResult

from app.settings import Settings
# {% if database != 'none' %}
from app.telemetry.database import trace_statements
# {% endif %}
from app.telemetry.tracing import create_provider, sending


class JobTraces(TaskiqMiddleware):
    """Give each attempt at a job a span, below that of the request.

    Taskiq has a middleware for this, too. Its spans end only if the queue takes the job, and go on
    to be current in the request if it does not.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.tracer: Tracer | None = None
        self.stack = AsyncExitStack()

    async def startup(self) -> None:
        """Get ready to make spans, if jobs run in this process."""
        provider: TracerProvider | None = None
        if self.broker.is_worker_process and self.settings.traces_endpoint:
            provider = create_provider(self.settings)
            await self.stack.enter_async_context(sending(provider, self.settings))
            # {% if database != 'none' %}
            trace_statements(self.broker.state.engine.sync_engine, provider)
            # {% endif %}
        elif not self.settings.redis_url:
            provider = self.broker.state.provider
        if provider:
            self.tracer = provider.get_tracer(__name__)

    async def shutdown(self) -> None:
        """Send what is left."""
        await self.stack.aclose()

    def pre_send(self, message: TaskiqMessage) -> TaskiqMessage:
        """Write down which span the job comes from (W3C Trace Context)."""
        propagate.inject(message.labels)
        return message

    def pre_execute(self, message: TaskiqMessage) -> TaskiqMessage:
        """Begin a span; each attempt runs in a context of its own, which ends with it."""
        if self.tracer:
            origin = propagate.extract(message.labels)
            span = self.tracer.start_span(
                f"job {message.task_name}",
                context=origin,
                kind=SpanKind.CONSUMER,
                attributes={
                    "messaging.system": "taskiq",
                    "messaging.operation.type": "process",
                    "messaging.destination.name": message.task_name,
                    "messaging.message.id": message.task_id,
                },
            )
            context.attach(trace.set_span_in_context(span, origin))
        return message

    def post_execute(self, message: TaskiqMessage, result: TaskiqResult[Any]) -> None:  # noqa: ARG002
        """End the span, with the error if there was one."""
        if self.tracer:
            span = trace.get_current_span()
            if result.error:
                span.record_exception(result.error)
                span.set_status(StatusCode.ERROR)
            span.end()
