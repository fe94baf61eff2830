"""Write cookiecutter.json from copier.yml: the same questions, order, labels and defaults.

Usage: python scripts/sync_cookiecutter.py [--check]
With --check nothing is written; the exit status is 1 when the file is stale.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parent.parent


def cookiecutter_config(config: dict[str, Any]) -> dict[str, Any]:
    """Translate copier's questions and settings into cookiecutter's."""
    questions = {name: value for name, value in config.items() if not name.startswith("_")}
    result: dict[str, Any] = {}
    prompts: dict[str, Any] = {}
    for name, question in questions.items():
        if question.get("when") is False:
            result[f"__{name}"] = question["default"]
        elif choices := question.get("choices"):
            labels = choices if isinstance(choices, dict) else {value: value for value in choices}
            values = sorted(labels.values(), key=lambda value: value != question["default"])
            result[name] = values
            prompts[name] = {"__prompt__": question["help"]}
            prompts[name] |= {value: label for label, value in labels.items()}
        else:
            result[name] = question["default"]
            prompts[name] = question["help"]
    options = dict(config["_envops"])
    # cookiecutter sets these two itself, to the same values
    del options["keep_trailing_newline"], options["undefined"]
    return result | {
        "__prompts__": prompts,
        "_extensions": ["hooks.engine.CopierDialect", "hooks.engine.UserText"],
        "_jinja2_env_vars": options,
    }


def main() -> int:
    """Write the file, or check it."""
    config = yaml.safe_load((REPOSITORY / "copier.yml").read_text("utf-8"))
    target = REPOSITORY / "cookiecutter.json"
    text = json.dumps(cookiecutter_config(config), indent=2, ensure_ascii=False) + "\n"
    if "--check" in sys.argv[1:]:
        if target.read_text("utf-8") == text:
            return 0
        print("cookiecutter.json is stale: run python scripts/sync_cookiecutter.py")
        return 1
    target.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
