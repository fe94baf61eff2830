"""Write what follows from copier.yml: cookiecutter.json, and the questions in answers.jinja.

Usage: python scripts/sync_cookiecutter.py [--check]
With --check nothing is written; the exit status is 1 when a file is stale.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from hooks.engine import choices, default_of, is_asked, load_config  # noqa: E402

QUESTIONS = re.compile(r"^# \{% set questions = .* %\}$", re.MULTILINE)


def cookiecutter_config(config: dict[str, Any]) -> dict[str, Any]:
    """Translate copier's questions and settings into cookiecutter's."""
    questions = {name: value for name, value in config.items() if not name.startswith("_")}
    result: dict[str, Any] = {}
    prompts: dict[str, Any] = {}
    for name, question in questions.items():
        if question.get("secret"):
            continue
        if not is_asked(question):
            result[f"__{name}"] = question["default"]
            continue
        default = default_of(name)
        if question.get("choices"):
            labels = choices(question)
            result[name] = sorted(labels.values(), key=lambda value: value != default)
            prompts[name] = {"__prompt__": question["help"]}
            prompts[name] |= {value: label for label, value in labels.items()}
        else:
            result[name] = default
            prompts[name] = question["help"]
    options = dict(config["_envops"])
    # cookiecutter sets these two itself, to the same values
    del options["keep_trailing_newline"], options["undefined"]
    return result | {
        "__prompts__": prompts,
        "_extensions": ["hooks.engine.CopierDialect", "hooks.engine.UserText"],
        "_jinja2_env_vars": options,
    }


def questions_line(config: dict[str, Any]) -> str:
    """Write the questions, each with the answers to choose from, for Jinja to read."""
    values: dict[str, list[Any]] = {}
    for name, question in config.items():
        if not name.startswith("_") and is_asked(question):
            is_bool = question["type"] == "bool"
            values[name] = [True, False] if is_bool else list(choices(question).values())
    return f"# {{% set questions = {json.dumps(values)} %}}"


def main() -> int:
    """Write the files, or check them."""
    config = load_config()
    answers = (REPOSITORY / "answers.jinja").read_text("utf-8")
    files = {
        "cookiecutter.json": json.dumps(cookiecutter_config(config), indent=2, ensure_ascii=False)
        + "\n",
        "answers.jinja": QUESTIONS.sub(lambda _: questions_line(config), answers),
    }
    for name, text in files.items():
        file = REPOSITORY / name
        if file.read_text("utf-8") == text:
            continue
        if "--check" in sys.argv[1:]:
            print(f"{name} is stale: run make sync")
            return 1
        file.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
