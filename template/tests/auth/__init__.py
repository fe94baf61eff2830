"""Tests of app/auth: what it does, and what it withstands."""
