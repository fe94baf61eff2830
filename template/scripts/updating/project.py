"""The project: its last commit, and the only place that writes to it."""

from io import BytesIO
from pathlib import Path

from updating.files import ANSWERS, Answers, File, Files, read_answers
from updating.git import Git, RefusedError
from updating.merge import Merged

LARGEST = 2_000_000


class Project:
    """A folder of a git repository, and the files of its last commit."""

    def __init__(self, folder: Path, workspace: Path, variables: dict[str, str]) -> None:
        """Read the last commit.

        Raises:
            RefusedError: it is in no repository, without a commit, or no project of a template.
        """
        self.folder, self.workspace = folder, workspace
        here = Git(folder, variables)
        self.prefix = here.text("rev-parse", "--show-prefix")
        self.git = Git(Path(here.text("rev-parse", "--show-toplevel")), variables)
        if not self.git.succeeds("rev-parse", "--verify", "--quiet", f"HEAD:{self.prefix}"):
            raise RefusedError("An update starts from a commit: git add . && git commit.")
        self.files = self.read_commit()
        if ANSWERS not in self.files:
            raise RefusedError(f"{ANSWERS} is not in the last commit: it names the template.")
        self.answers: Answers = read_answers(self.files)

    def refuse_changes(self) -> None:
        """Refuse to go on with work in the folder that is in no commit.

        Raises:
            RefusedError: with the list of it.
        """
        status = ("status", "--porcelain", "--untracked-files=normal", "--", self.prefix or ".")
        if changes := self.git.text(*status):
            raise RefusedError(f"Commit or stash your work first:\n{changes}")

    def read_commit(self) -> Files:
        """Read the files of the last commit; those that are very large count as binary."""
        listing = self.git.text("ls-tree", "-r", "-l", "-z", "--full-tree", f"HEAD:{self.prefix}")
        files: Files = {}
        small: dict[str, str] = {}
        for entry in filter(None, listing.split("\0")):
            about, _, path = entry.partition("\t")
            mode, kind, name, size = about.split()
            if kind == "blob":
                files[path] = File(mode, f"\0{name}".encode())
                small |= {path: name} if int(size) <= LARGEST else {}
        names = "\n".join(small.values()).encode()
        stream = BytesIO(self.git.run("cat-file", "--batch", data=names))
        for path in small:
            length = int(stream.readline().split()[2])
            files[path] = File(files[path].mode, stream.read(length))
            stream.readline()
        return files

    def find_untracked(self, paths: set[str]) -> set[str]:
        """Find the paths at which there is a file that is in no commit."""
        return {path for path in paths - self.files.keys() if (self.folder / path).is_file()}

    def leave_hidden(self, merged: Merged) -> None:
        """Leave files alone that git is told not to look at."""
        listing = self.git.text("ls-files", "-v", "-z", "--", self.prefix or ".")
        for entry in filter(None, listing.split("\0")):
            tag, path = entry[0], entry[2:].removeprefix(self.prefix)
            if tag == "H" or merged.files.get(path) == self.files.get(path):
                continue
            reason = "outside your sparse checkout" if tag in "Ss" else "assumed to be unchanged"
            merged.notes.append(f"{path}: left alone, it is {reason}")
            merged.files[path] = self.files[path]

    def store(self, files: Files) -> str:
        """Write a tree that has these files into the object store; return its name."""
        changed = [path for path in files if self.files.get(path) != files[path]]
        sources = [self.workspace / f"blob{number}" for number in range(len(changed))]
        for path, source in zip(changed, sources, strict=True):
            source.write_bytes(files[path].content)
        listing = "".join(f"{source}\n" for source in sources).encode()
        command = ("hash-object", "-w", "--no-filters", "--stdin-paths")
        blobs = self.git.run(*command, data=listing).decode().split()
        nothing = "0" * len(self.git.text("rev-parse", "HEAD"))
        entries = [f"0 {nothing}\t{self.prefix}{path}" for path in self.files.keys() - files.keys()]
        for path, blob in zip(changed, blobs, strict=True):
            entries.append(f"{files[path].mode} {blob}\t{self.prefix}{path}")
        index = {**self.git.variables, "GIT_INDEX_FILE": str(self.workspace / "index")}
        aside = Git(self.git.folder, index)
        data = "".join(f"{entry}\0" for entry in entries).encode("utf-8", "surrogateescape")
        aside.run("read-tree", "HEAD")
        aside.run("update-index", "-z", "--index-info", data=data)
        return aside.text("write-tree")

    def diff(self, tree: str) -> str:
        """Show how a tree differs from the last commit."""
        command = ("diff-tree", "-p", "--no-ext-diff", "--no-textconv", "--no-color", "HEAD", tree)
        return self.git.run(*command).decode(errors="replace")

    def check_out(self, tree: str, added: set[str]) -> list[str]:
        """Bring the files of a tree into the folder, uncommitted; return notes on them."""
        self.git.run("read-tree", "-m", "-u", "HEAD", tree)
        self.git.run("reset", "--quiet", "--", self.prefix or ".")
        others = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard")
        ignored = self.git.text(*others, "--", self.prefix or ".").split("\0")
        paths = sorted(added & {path.removeprefix(self.prefix) for path in ignored})
        return [f"{path}: new, but git ignores it: git add --force {path}" for path in paths]
