"""The service."""

API_PREFIX = "/api/v1"
