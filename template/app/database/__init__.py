"""The database: where it is, how it is reached, and one transaction a request."""
