"""Say what to do next."""

from pathlib import Path

Path(__file__).unlink()  # cookiecutter runs a copy of this, which it would leave behind
print({{ _message_after_copy | python }})
