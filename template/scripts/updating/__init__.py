"""The parts of `make update`, which scripts/update.py calls in their order."""
