"""Tell what each layer of a service with everything on costs a request, by leaving it out.

Usage: python benchmarks/layers.py
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.projects import clone_template
from tests.questions import preset
from tests.rendering import write
from tests.services import PRODUCTION, add_own_router, install

INSIDE = Path(__file__).with_name("one_request.py")


def main() -> None:
    """Write the project, and time requests inside it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = write(clone_template(folder / "template"), folder, preset("full"))
        install(project)
        add_own_router(project)
        shutil.copy(INSIDE, project)
        subprocess.run(
            [project / ".venv" / "bin" / "python", INSIDE.name],
            cwd=project,
            env={**PRODUCTION, "DATABASE_URL": f"sqlite:///{project}/app.db"},
            stdout=subprocess.DEVNULL,
            check=True,
        )


if __name__ == "__main__":
    main()
