import pytest
from fastapi.testclient import TestClient

# {% if jwt_auth %}
from tests.auth.accounts import bearer, open_account

# {% endif %}

@pytest.fixture
def client(client: TestClient) -> TestClient:
    """A client that may use items."""
    # {% if jwt_auth %}
    client.headers.update(bearer(open_account(client)))
    # {% endif %}
    return client
