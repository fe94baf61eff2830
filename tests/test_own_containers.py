"""Services and volumes that an owner adds to compose.yaml stay when the template's come and go."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.projects import change_answers, commit_all, expect_no_conflict
from tests.questions import Answers
from tests.rendering import write

pytestmark = pytest.mark.slow

NOTHING: Answers = {
    "database": "none",
    **dict.fromkeys(("jwt_auth", "rate_limiting", "background_tasks", "caching"), False),
}
ALL: Answers = {**NOTHING, "database": "postgresql", "background_tasks": True}
STEPS = [
    (NOTHING, ALL),
    ({**ALL, "database": "sqlite"}, ALL),
    *(
        pytest.param((before, after), marks=pytest.mark.proof)
        for before, after in [
            (NOTHING, {**NOTHING, "database": "postgresql"}),
            (NOTHING, {**NOTHING, "database": "sqlite", "caching": True}),
            (NOTHING, {**NOTHING, "rate_limiting": True}),
            (NOTHING, {**NOTHING, "background_tasks": True}),
            ({**ALL, "background_tasks": False}, ALL),
            ({**ALL, "database": "none"}, ALL),
        ]
    ),
]


def name(answers: Answers) -> str:
    """Name a project by what it has."""
    return "-".join(
        str(answers[each]) if each == "database" else each for each in answers if answers[each]
    )


def stack(project: Path) -> dict[str, Any]:
    """Read compose.yaml."""
    services: dict[str, Any] = yaml.safe_load((project / "compose.yaml").read_text("utf-8"))
    return services


@pytest.mark.parametrize("backwards", [False, True], ids=["come", "go"])
@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{name(step[0])}_{name(step[1])}")
def test_own_containers_stay_when_those_of_the_template_come_and_go(
    template: Path, tmp_path: Path, step: tuple[Answers, Answers], *, backwards: bool
) -> None:
    before, after = reversed(step) if backwards else step
    project = write(template, tmp_path / "project", before)
    expected = stack(write(template, tmp_path / "fresh", after))
    compose = project / "compose.yaml"
    service = "  # your own below\n  mail:\n    image: axllent/mailpit\n    volumes:\n      - mail:/data\n"
    services, volumes = compose.read_text("utf-8").split("\nvolumes:\n")
    services = services.replace("  # your own below\n", service)
    volumes = volumes.replace("  # your own below\n", "  # your own below\n  mail:\n")
    compose.write_text(f"{services}\nvolumes:\n{volumes}", "utf-8")
    commit_all(project)

    change_answers(project, **after)

    expect_no_conflict(project)
    expected["services"]["mail"] = {"image": "axllent/mailpit", "volumes": ["mail:/data"]}
    expected["volumes"]["mail"] = None
    assert stack(project) == expected
