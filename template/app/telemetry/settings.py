"""Where traces go, and who may read the metrics."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, field_validator

from app.environment import Environment, ServiceSettings

MINIMUM_TOKEN_LENGTH = 32


def require_http(endpoint: str) -> str:
    """Refuse an address that OTLP over HTTP cannot be sent to."""
    if endpoint:
        try:
            url = urlsplit(endpoint)
            known = url.scheme in {"http", "https"} and url.hostname and url.port != 0
        except ValueError:
            known = False
        if not known:
            raise ValueError("must look like http://collector:4318")
    return endpoint


Endpoint = Annotated[str, AfterValidator(require_http)]


class TelemetrySettings(ServiceSettings):
    """The names that begin with OTEL are OpenTelemetry's; its library reads the others itself."""

    metrics_token: SecretStr = SecretStr("")
    otel_exporter_otlp_endpoint: Endpoint = ""
    otel_exporter_otlp_traces_endpoint: Endpoint = ""
    otel_exporter_otlp_protocol: str = Field(default="http/protobuf", validate_default=False)
    otel_sdk_disabled: bool = False
    otel_service_name: str = ""

    @field_validator("metrics_token")
    @classmethod
    def require_long_token(cls, token: SecretStr) -> SecretStr:
        """Refuse a token that can be guessed."""
        if token and len(token.get_secret_value()) < MINIMUM_TOKEN_LENGTH:
            message = f"must have at least {MINIMUM_TOKEN_LENGTH} characters"
            raise ValueError(message)
        return token

    @field_validator("otel_exporter_otlp_protocol")
    @classmethod
    def require_known_protocol(cls, protocol: str) -> str:
        """Refuse a protocol that the service does not speak."""
        if protocol != "http/protobuf":
            raise ValueError("must be http/protobuf, which collectors take on port 4318")
        return protocol

    @property
    def traces_endpoint(self) -> str:
        """Where traces are sent to; empty for nowhere."""
        if self.otel_sdk_disabled:
            return ""
        if self.otel_exporter_otlp_traces_endpoint or not self.otel_exporter_otlp_endpoint:
            return self.otel_exporter_otlp_traces_endpoint
        return self.otel_exporter_otlp_endpoint.rstrip("/") + "/v1/traces"

    @property
    def metrics_enabled(self) -> bool:
        """Whether metrics are kept and served: once deployed, only to who knows the token."""
        return bool(self.metrics_token) or self.environment in {
            Environment.LOCAL,
            Environment.TEST,
        }
