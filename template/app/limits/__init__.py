"""Limit how often somebody may call: the whole service, a route, a password."""
