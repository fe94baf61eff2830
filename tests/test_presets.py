"""The files of answers in presets/ are accepted by copier, and the minimal service is minimal."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.projects import BIN, check, generate, snapshot
from tests.questions import QUESTIONS, REPOSITORY, preset

PRESETS = sorted(file.stem for file in (REPOSITORY / "presets").iterdir())


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_writes_what_its_answers_write(template: Path, tmp_path: Path, name: str) -> None:
    answers = preset(name)
    assert answers.keys() <= QUESTIONS.keys()
    file = f"--data-file={REPOSITORY / 'presets' / name}.yml"
    check(BIN / "copier", "copy", "--defaults", file, template, "my-service", cwd=tmp_path)
    expected = snapshot(generate("cookiecutter", template, tmp_path / "cookiecutter", answers))
    written = snapshot(tmp_path / "my-service")
    assert written.keys() == expected.keys()
    del written[".copier-answers.yml"], expected[".copier-answers.yml"]
    assert written == expected


def test_the_readme_lists_all_of_the_minimal_service(template: Path, tmp_path: Path) -> None:
    project = generate("copier", template, tmp_path, preset("minimal"))
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    [sentence, files] = re.findall(
        r"(?s)The minimal service is no more than this, on (.*?):\n\n```text\n(.*?)```", readme
    )[0]
    assert set(files.split()) == snapshot(project).keys()
    content = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    dependencies = {re.split("[>=]", each)[0] for each in content["project"]["dependencies"]}
    assert {name.lower() for name in re.split(r",\s+|\s+and\s+", sentence)} == dependencies
