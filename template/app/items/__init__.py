"""Items: a sample of how a part of the service is made; copy it, or remove it."""
