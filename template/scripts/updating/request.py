"""Read what is asked for, and ask back."""

import os
import re
import sys
from dataclasses import dataclass
from difflib import get_close_matches

from updating.git import RefusedError

YES = {"1", "true", "y", "yes"}
# what stands on make's command line; names in capitals are the Makefile's own
TYPED = re.compile(r"(?:^|(?<!\\) )([a-z]\w*|ARGS):{0,2}=")


@dataclass
class Request:
    """New answers, and what is no answer: to=VERSION, dry=1, outdated=1."""

    answers: dict[str, str]
    to: str
    dry: bool
    outdated: bool

    @classmethod
    def read(cls, arguments: list[str]) -> "Request":
        """Read NAME=VALUE from the arguments, and from make's command line.

        Raises:
            RefusedError: an argument has another form.
        """
        names = TYPED.findall(os.environ.get("MAKEFLAGS", ""))
        pairs = {name: os.environ.pop(name) for name in names if name in os.environ}
        for argument in arguments:
            name, equals, value = argument.partition("=")
            if not equals or not name.isidentifier():
                raise RefusedError(f"Write NAME=VALUE, such as cors=false, not {argument}.")
            pairs[name] = value
        to, dry, outdated = (pairs.pop(name, "") for name in ("to", "dry", "outdated"))
        return cls(pairs, to, dry.lower() in YES, outdated.lower() in YES)

    @property
    def arguments(self) -> list[str]:
        """Write the request as arguments, for other scripts."""
        words = {"to": self.to, "dry": int(self.dry)}
        return [f"{name}={value}" for name, value in {**self.answers, **words}.items()]

    def refuse_unknown(self, questions: list[str]) -> None:
        """Refuse a name that is no question of the template.

        Raises:
            RefusedError: with the nearest name.
        """
        for name in self.answers.keys() - set(questions):
            near = get_close_matches(name, questions, 1, 0)[0]
            known = ", ".join([*questions, "to", "dry"])
            raise RefusedError(f"There is no option {name}. Is it {near}? All options: {known}.")


def say(*lines: str) -> None:
    """Print lines."""
    text = "".join(f"{line}\n" for line in lines)
    sys.stdout.write(text.encode(errors="replace").decode())
    sys.stdout.flush()


def confirm(heading: str, lines: list[str], *, ask: bool = True) -> None:
    """List what happens and ask whether to go on; nothing is asked if there is nothing to list.

    Raises:
        RefusedError: the answer is no, or nobody can answer and YES is not 1.
    """
    if lines:
        say(heading, *(f"  {line}" for line in lines))
    if not lines or not ask or os.environ.get("YES") == "1":
        return
    if not sys.stdin.isatty():
        raise RefusedError("Nobody can answer here: repeat with YES=1 to go on.")
    if input("Continue? [y/N] ").strip().lower() not in YES:
        raise RefusedError("You did not agree.")
