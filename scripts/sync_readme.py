"""Write the table of options in README.md from copier.yml.

Usage: python scripts/sync_readme.py [--check]
With --check nothing is written; the exit status is 1 when the table is stale.
"""

import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from hooks.engine import choices, default_of, is_asked, load_config  # noqa: E402

BEGIN, END = "<!-- options: written by `make sync` -->\n", "<!-- end of options -->"


def options_table(config: dict[str, Any]) -> str:
    """Describe each question, in the order in which it is asked."""
    rows = ["| option | answers | default | what it asks |", "| --- | --- | --- | --- |"]
    for name, question in config.items():
        if not name.startswith("_") and is_asked(question):
            cells = (f"`{name}`", answers(question), default(name), question["help"])
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def answers(question: dict[str, Any]) -> str:
    """List the answers to choose from."""
    if question["type"] == "bool":
        return "yes, no"
    return ", ".join(f"`{value}`" for value in choices(question).values()) or "text"


def default(name: str) -> str:
    """Show the default as a person would say it."""
    value = default_of(name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if "{{" in value:
        return "from the name"
    return f"`{value}`" if value else ""


def main() -> int:
    """Write the table, or check it."""
    config = load_config()
    readme = REPOSITORY / "README.md"
    text = readme.read_text("utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    expected = before + BEGIN + options_table(config) + END + after
    if "--check" in sys.argv[1:]:
        if text == expected:
            return 0
        print("The table of options in README.md is stale: run make sync")
        return 1
    readme.write_text(expected, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
