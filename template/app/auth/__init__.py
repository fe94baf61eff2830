"""Tell who is calling: passwords, access tokens, refresh tokens, scopes."""
