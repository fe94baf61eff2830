"""What the two versions of the template and a project become together, without a repository."""

from collections.abc import Callable
from difflib import SequenceMatcher
from pathlib import Path
from random import Random

import pytest
from updating.combine import combine
from updating.files import ANSWERS, File, Files
from updating.merge import Merged, merge_lines

from hooks.engine import find_faults
from tests.edited import CHANGES, keeps_docker, label, make_edits, row
from tests.projects import check, snapshot
from tests.questions import CHOICES, REPOSITORY, Answers, all_defaults, default_answers
from tests.rendering import save, write
from tests.updates import LABEL, files_of, rendered, snapshot_of, update_in_memory

ROUNDS = 24


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a row of the table in docs/updating.md, or write it: `pytest --write-docs -n 0`."""
    page = REPOSITORY / "docs" / "updating.md"

    def record(label: str, row: str) -> None:
        line = f"| {label} | {row} |\n"
        lines = page.read_text("utf-8").splitlines(keepends=True)
        if request.config.getoption("--write-docs"):
            others = [each for each in lines if not each.startswith(f"| {label} | ")]
            others.insert(others.index("<!-- end of the table -->\n"), line)
            page.write_text("".join(others), "utf-8")
        else:
            assert line in lines, "docs/updating.md is stale: make options"

    return record


def expect_nothing_lost(merged: Merged) -> Files:
    """Expect neither a conflict nor a loss, and return the files."""
    assert not merged.conflicts
    assert not merged.losses
    return merged.files


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_an_option_changes_and_changes_back_in_a_project_that_has_been_edited(
    template: Path,
    tmp_path: Path,
    before: Answers,
    after: Answers,
    record: Callable[[str, str], None],
) -> None:
    project = write(template, tmp_path, before)
    edits = make_edits(project, docker=keeps_docker(before, after))
    edited = snapshot(project)
    old, new = rendered(template, before), rendered(template, after)

    there = expect_nothing_lost(update_in_memory(old, files_of(edited), new))
    for name, text in edits.items():
        assert text in (there[name].text or ""), name
    record(label(before, after), row(edited, snapshot_of(there), edits))
    save(snapshot_of(there), tmp_path / "there")
    check("ruff", "check", "--no-cache", cwd=tmp_path / "there")
    back = expect_nothing_lost(update_in_memory(new, there, old))

    assert others(back, {}) == others(files_of(edited), {})


class Edit:
    """One line of a file that its owner has inserted, replaced or deleted."""

    def __init__(self, old: File, new: File, random: Random) -> None:
        """Choose a line, and what becomes of it."""
        self.old, self.new = old.lines, new.lines
        self.kind = random.choice(["insert", "replace", "delete"])
        # a line that is there twice cannot be told from its twin
        places = [
            place
            for place, line in enumerate(self.old)
            if self.old.count(line) == 1 and self.new.count(line) <= 1
        ]
        self.place = random.choice(places)
        self.line = self.old[self.place]
        self.mine = f"mine {random.random()}\n"

    @property
    def yours(self) -> File:
        """The file of the old version, edited."""
        return File("100644", "".join(self.edited(self.old)).encode())

    def edited(self, lines: list[str]) -> list[str]:
        """Edit lines that have the chosen one, or leave them as they are."""
        instead = {"insert": [self.mine, self.line], "replace": [self.mine], "delete": []}
        return [
            new for each in lines for new in (instead[self.kind] if each == self.line else [each])
        ]

    def is_in(self, merged: File) -> bool:
        """Whether a file is the new version with the edit, once and where it belongs."""
        if self.kind == "insert" and self.line not in self.new:
            return sorted(merged.lines) == sorted([*self.new, self.mine])
        return merged.lines == self.edited(self.new)

    @property
    def touches(self) -> bool:
        """Whether the template has changed the same line, or inserted at the same point."""
        start, end = self.place, self.place + (self.kind != "insert")
        return any(
            (first < end and start < last) or start == end == first == last
            for tag, first, last, _, _ in SequenceMatcher(
                None, self.old, self.new, autojunk=False
            ).get_opcodes()
            if tag != "equal"
        )


def texts_of_both(old: Files, new: Files) -> list[str]:
    """List the files that the template changes, save the one of the answers."""
    changed = [name for name in old.keys() & new.keys() if old[name] != new[name]]
    return sorted(name for name in changed if name != ANSWERS and new[name].text is not None)


PAIRS = [pair for change in CHANGES for pair in (change, change[::-1])]


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_a_line_that_was_edited_anywhere_stays_and_the_rest_is_new(
    template: Path, before: Answers, after: Answers
) -> None:
    old, new = rendered(template, before), rendered(template, after)
    random = Random(f"{before} {after}")  # noqa: S311
    for _ in range(ROUNDS):
        edits = {name: Edit(old[name], new[name], random) for name in texts_of_both(old, new)}

        merged = update_in_memory(old, old | {n: edit.yours for n, edit in edits.items()}, new)

        for name, edit in edits.items():
            if name in merged.conflicts:
                assert edit.touches, name
                assert edit.kind == "delete" or edit.mine in merged.files[name].lines
            else:
                assert edit.is_in(merged.files[name]), name
        assert others(merged.files, edits) == others(new, edits)


def others(files: Files, edits: dict[str, Edit]) -> Files:
    """Leave out what was edited, and migrations, which stay."""
    return {
        name: file
        for name, file in files.items()
        if name not in edits and not name.startswith("migrations/")
    }


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_files_that_were_deleted_stay_deleted_and_those_that_were_moved_are_followed(
    template: Path, before: Answers, after: Answers
) -> None:
    old, new = rendered(template, before), rendered(template, after)
    changed = [name for name in texts_of_both(old, new) if len(old[name].lines) > 5]

    deleted = update_in_memory(old, without(old, changed), new)
    assert not deleted.files.keys() & set(changed)
    assert deleted.notes[: len(changed)] == [
        f"{name}: left out, you deleted it" for name in changed
    ]

    moved = {f"my/{name.replace('/', '_')}": old[name] for name in changed}
    merged = update_in_memory(old, without(old, changed) | moved, new)
    assert not merged.conflicts
    for name in changed:
        assert merged.files[f"my/{name.replace('/', '_')}"] == new[name]
    assert not merged.files.keys() & set(changed)


def without(files: Files, names: list[str]) -> Files:
    """Leave out files."""
    return {name: file for name, file in files.items() if name not in names}


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_the_edits_of_files_that_go_are_listed(
    template: Path, before: Answers, after: Answers
) -> None:
    old, new = rendered(template, before), rendered(template, after)
    gone = [name for name in old.keys() - new.keys() if not name.startswith("migrations/versions")]
    edited = {name: File("100644", b"mine\n") for name in gone}

    merged = update_in_memory(old, old | edited, new)

    assert merged.losses == sorted(f"{name}: deleted, with your edits" for name in gone)
    assert not update_in_memory(old, old, new).losses


def test_options_that_change_one_after_another_lead_to_a_fresh_project(template: Path) -> None:
    random = Random("groundwork")  # noqa: S311  # the same walk each time
    answers = default_answers()
    yours = old = rendered(template, answers)
    for _ in range(100):
        accepted = [
            {**answers, name: value}
            for name, values in CHOICES.items()
            for value in values
            if value != answers[name]
            and not any(find_faults({**all_defaults(), **answers, name: value}))
        ]
        answers = random.choice(accepted)
        new = rendered(template, answers)
        yours = update_in_memory(old, yours, new).files
        assert others(yours, {}) == others(new, {}), answers
        old = new


OLD = ["one\n", "two\n", "three\n", "four\n"]


@pytest.mark.parametrize(
    ("yours", "new", "merged"),
    [
        ("one TWO three four", "one two THREE four", "one TWO THREE four"),
        ("one 1 two three four", "one TWO three four", "one 1 TWO three four"),
        ("one two 2 three four", "one TWO three four", "one TWO 2 three four"),
        ("one 1 two three four", "two three four", "1 two three four"),
        ("one TWO three four", "one TWO three four", "one TWO three four"),
        ("one 1 two three four", "one 1 two three four", "one 1 two three four"),
        ("two three four", "one two three", "two three"),
    ],
)
def test_changes_that_only_touch_or_are_the_same_are_merged(
    yours: str, new: str, merged: str
) -> None:
    words = [[f"{word}\n" for word in side.split()] for side in (yours, new, merged)]
    assert merge_lines(OLD, words[0], words[1], LABEL) == (words[2], False)


@pytest.mark.parametrize(
    ("yours", "new", "between"),
    [
        ("one MY three four", "one TWO three four", ("MY", "TWO")),
        ("one my two three four", "one new two three four", ("my", "new")),
        ("one three four", "one TWO three four", ("", "TWO")),
        ("one two", "one two three", ("", "three")),
        ("one same my two three four", "one same two three four", ("my", "")),
    ],
)
def test_the_same_lines_or_the_same_point_conflict_with_names_of_both_sides(
    yours: str, new: str, between: tuple[str, str]
) -> None:
    words = [[f"{word}\n" for word in side.split()] for side in (yours, new)]
    lines, conflict = merge_lines(OLD, words[0], words[1], LABEL)
    left, right = ("".join(f"{word}\n" for word in side.split()) for side in between)
    assert conflict
    assert f"<<<<<<< yours\n{left}=======\n{right}>>>>>>> {LABEL}\n" in "".join(lines)


def text(content: str, mode: str = "100644") -> File:
    """Make a file."""
    return File(mode, content.encode())


def test_line_ends_modes_links_and_bytes_of_yours_stay() -> None:
    old = {"a": text("1\n2\n3\n"), "b": text("1\n"), "c": text("\0"), "d": text("1\n")}
    yours = {
        "a": text("1\r\n2\r\n4\r\n", "100755"),
        "b": File("120000", b"a"),
        "c": text("\0mine"),
        "d": text("1\nmine"),
    }
    new = {"a": text("0\n2\n3\n"), "b": text("2\n"), "c": text("\0new"), "d": text("0\n1\n")}
    merged = update_in_memory(old, yours, new)
    assert merged.files == {
        "a": text("0\r\n2\r\n4\r\n", "100755"),
        "b": yours["b"],
        "c": yours["c"],
        "d": text("0\n1\nmine"),
    }
    assert [note.partition(":")[0] for note in merged.notes] == ["b", "c"]


def test_paths_that_the_template_moves_take_your_edits_along() -> None:
    body = "".join(f"line {number}\n" for number in range(20))
    old = {"app/a.py": text(body), "app/b.py": text(f"{body}b\n")}
    own = text("from app.a import line\n")
    yours = {"app/a.py": text(f"mine\n{body}"), "app/b.py": text(f"{body}b\n"), "c.py": own}
    new = {"app/core/a.py": text(f"{body}new\n"), "app/core/x/b.py": text(f"{body}b\n")}
    moved = {"app/a.py": "app/core/a.py", "app/b.py": "app/y.py", "app/y.py": "app/core/x/b.py"}

    merged = update_in_memory(old, yours, new, moved)

    assert merged.files == {
        "app/core/a.py": text(f"mine\n{body}new\n"),
        "app/core/x/b.py": text(f"{body}b\n"),
        "c.py": own,
    }
    assert merged.losses == ["c.py:1: imports app.a.line, which is removed"]
    assert merged.notes == ["app/a.py: moved to app/core/a.py, with your edits"]
    # what the owner has moved before is followed from there
    yours = {"mine/a.py": text(f"mine\n{body}"), "app/b.py": text(f"{body}b\n")}
    merged = update_in_memory(old, yours, new, moved)
    assert merged.files["mine/a.py"] == text(f"mine\n{body}new\n")
    assert "app/core/a.py" not in merged.files


def test_new_files_follow_a_folder_that_you_moved_and_stay_out_of_one_that_you_deleted() -> None:
    body = "".join(f"line {number}\n" for number in range(20))
    old = {"items/a.py": text(body), "items/__init__.py": text(""), "m.py": text("m")}
    new = old | {"items/new.py": text("new"), "items/deep/new.py": text("deep")}

    moved = {"goods/a.py": text(body), "goods/__init__.py": text(""), "m.py": text("m")}
    assert update_in_memory(old, moved, new).files["goods/new.py"] == text("new")

    # but another feature may come to a folder of which all features are gone
    old |= {"deploy/kubernetes/a.yml": text(body)}
    new |= {"deploy/kubernetes/a.yml": text(body), "deploy/aws/a.yml": text("aws")}
    merged = update_in_memory(old, {"m.py": text("m")}, new)
    assert merged.files == {"m.py": text("m"), "deploy/aws/a.yml": text("aws")}
    assert merged.notes == [
        "items/deep/new.py: left out, you deleted what the template had in items",
        "items/new.py: left out, you deleted what the template had in items",
    ]


def test_files_and_folders_of_yours_are_not_replaced_by_new_ones() -> None:
    yours = {"app/cors": text("a file"), "limits/mine.py": text("mine")}
    new = {"app/cors/__init__.py": text(""), "limits": text("new"), "app/mine.py": text("new")}
    merged = combine(({}, yours, new), {}, {"app/mine.py"}, LABEL)
    assert merged.files == yours
    assert merged.notes == [
        "app/cors/__init__.py: left out, app/cors is a file of yours",
        "app/mine.py: left out, a file that is not in git is there",
        "limits: left out, it is a folder of yours",
    ]


OWN = {
    "app/shop/views.py": text(
        "from app.users.models import User\nfrom app import limits\nimport app.cache.store\n"
        "from ..auth import CurrentUser, forget\nfrom app.shop import models\n"
    ),
    "app/shop/models.py": text(
        'class Shop(Base):\n    __tablename__ = "shops"\n\n'
        '    owner = mapped_column(ForeignKey("users.id"))\n'
    ),
}


def test_lines_of_yours_that_use_what_goes_are_listed() -> None:
    template = {
        "app/users/models.py": text('class User(Base):\n    __tablename__ = "users"\n'),
        "app/limits/__init__.py": text(""),
        "app/cache/store.py": text(""),
        "app/auth.py": text("CurrentUser = 1\n\n\ndef forget() -> None: ...\n"),
    }
    new = {"app/auth.py": text("def forget() -> None: ...\n")}
    assert update_in_memory(template, template | OWN, new).losses == [
        "app/shop/models.py:4: refers to a table that is dropped",
        "app/shop/views.py:1: imports app.users.models.User, which is removed",
        "app/shop/views.py:2: imports app.limits, which is removed",
        "app/shop/views.py:3: imports app.cache.store, which is removed",
        "app/shop/views.py:4: imports app.auth.CurrentUser, which is removed",
    ]


def test_tables_of_yours_that_belong_to_nobody_are_listed_when_there_are_users() -> None:
    goods = text('class Good(Base):\n    __tablename__ = "goods"\n')
    new = {"app/users/models.py": text('class User(Base):\n    __tablename__ = "users"\n')}
    merged = update_in_memory({}, {**OWN, "app/goods.py": goods}, new)
    assert merged.notes == [
        "app/goods.py: goods has no owner yet, a column that refers to users.id"
    ]
