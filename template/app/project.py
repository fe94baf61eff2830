"""What the service is called, which `project.json` beside this file says."""

import json
from pathlib import Path

PROJECT: dict[str, str] = json.loads(
    Path(__file__).with_name("project.json").read_text(encoding="utf-8")
)
