"""A Debian of its own in a folder, for Pythons that this machine does not have."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.projects import check, run
from tests.services import need

RELEASE = "forky"
PACKAGES = ("ca-certificates", "git", "make", "python3.14", "python3.14-venv")
CONFIGURATION = ("/etc/pip.conf", "/etc/uv", "/etc/ssl/certs/ca-certificates.crt")
"""How this machine reaches package indexes."""

REACH = ("CURL_CA_BUNDLE", "NO_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "SSL_CERT_FILE")
"""The variables that say so, beside those of pip and of uv's indexes."""

# the mounts are seen by this command alone, and end with it, whatever ends it
MOUNT = 'mount -t proc proc "$0/proc"; mount --rbind /dev "$0/dev"; exec chroot "$0" "$@"'


@dataclass
class Debian:
    """A folder with a system of its own, on this kernel and this network."""

    root: Path

    def command(self, *words: str, **environment: str) -> list[str]:
        """Give the command that runs `words` in there; it becomes their process."""
        reach = {
            name: value
            for name, value in os.environ.items()
            if name.upper() in REACH or name.startswith(("PIP_", "UV_INDEX", "UV_DEFAULT_INDEX"))
        }
        variables = {"HOME": "/root", "PATH": "/usr/local/bin:/usr/sbin:/usr/bin", **reach}
        variables |= {"UV_PYTHON_DOWNLOADS": "never", **environment}
        return [
            *("env", "--ignore-environment"),
            *(f"{name}={value}" for name, value in variables.items()),
            *("unshare", "--mount", "--propagation", "private"),
            *("sh", "-ec", MOUNT, str(self.root), *words),
        ]

    def check(self, *words: str, **environment: str) -> str:
        """Run a command in there, which must succeed, and return what it printed."""
        return check(*self.command(*words, **environment), cwd=self.root)

    def has_package(self, name: str) -> bool:
        """Tell whether the release has a package of this name."""
        return run(*self.command("apt-cache", "show", name), cwd=self.root).returncode == 0

    def install(self, *packages: str) -> None:
        """Install packages of the release."""
        self.check("apt-get", "install", "-qq", "--no-install-recommends", *packages)


@contextmanager
def debian() -> Iterator[Debian]:
    """Install the release that comes next into a folder, and remove it at the end."""
    reason = "needs root on Debian, with debootstrap: apt-get install debootstrap"
    need(os.geteuid() == 0 and shutil.which("debootstrap") and shutil.which("apt-get"), reason)
    reason = "needs the right to mount, which this container has not: docker run --privileged"
    need(run("unshare", "--mount", "true", cwd=Path.cwd()).returncode == 0, reason)
    targets = ("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages")
    mirror = next(
        line
        for line in check(*targets, cwd=Path.cwd()).splitlines()
        if line.rstrip("/").endswith("/debian")
    )
    with tempfile.TemporaryDirectory(prefix="debian-") as folder:
        check(
            *("unshare", "--mount", "--propagation", "private"),
            *("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}"),
            # a script for this release by name comes with newer versions of debootstrap only
            *(RELEASE, folder, mirror, "/usr/share/debootstrap/scripts/sid"),
            cwd=Path.cwd(),
        )
        system = Debian(Path(folder))
        for each in map(Path, CONFIGURATION):
            if each.is_dir():
                shutil.copytree(each, system.root / each.relative_to("/"), dirs_exist_ok=True)
            elif each.exists():
                shutil.copy(each, system.root / each.relative_to("/"))
        # a mirror's list of a release in testing may be older than a week
        lists = system.root / "etc" / "apt" / "apt.conf.d" / "old-lists"
        lists.write_text('Acquire::Check-Valid-Until "false";\n', "utf-8")
        system.check("apt-get", "update", "-qq")
        yield system
