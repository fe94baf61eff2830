"""Tests see neither the developer's environment nor .env, whatever they import."""

import os

from app.settings import Settings

Settings.model_config["env_file"] = None
for name in list(os.environ):
    if name.lower() in Settings.model_fields:
        del os.environ[name]
os.environ["ENVIRONMENT"] = "test"
# {% if jwt_auth %}
os.environ["AUTH_SECRETS"] = "n3SYxM0rCq9oW5kZ1vTjH7uLdB2gPaFe6QhXiKcRwEt8mJbN"
# {% endif %}
