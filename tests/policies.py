"""A scanner that knows the policies of platforms, in an environment of its own.

checkov wants another `packaging` than pytest does, so the two cannot be installed together.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tests.projects import check

CHECKOV = "checkov==3.3.30"


def scan(folder: Path, framework: str) -> dict[str, Any]:
    """Scan the files of a folder, and give the report; its findings are for the caller to judge."""
    printed = check(
        *("uv", "tool", "run", "--quiet", "--python", sys.executable, "--from", CHECKOV),
        *("checkov", "--directory", ".", "--framework", framework),
        *("--skip-download", "--soft-fail", "--compact", "--quiet", "--output", "json"),
        cwd=folder,
    )
    report: dict[str, Any] = json.loads(printed)
    return report


def findings(report: dict[str, Any]) -> list[str]:
    """Name what is against a policy and was not argued where it stands."""
    return [
        f"{finding['check_id']} {finding['check_name']}: {finding['file_path']} {finding['resource']}"
        for finding in report["results"]["failed_checks"]
    ]
