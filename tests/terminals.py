"""A person at a terminal of 80 columns and 24 lines: what they see, and what they type."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pexpect
import pyte

DOWN, ENTER, SPACE, BACKSPACE, CTRL_C = "\x1b[B", "\r", " ", "\x7f", "\x03"


class Screen(pyte.HistoryScreen):
    """A screen that answers the questions which programs ask their terminal."""

    def __init__(self, columns: int, lines: int, reply: Callable[[str], object]) -> None:
        """Send replies by `reply`."""
        super().__init__(columns, lines, history=1000)
        self.reply = reply

    def write_process_input(self, data: str) -> None:
        """Send where the cursor is, for example."""
        self.reply(data)


class Terminal:
    """A program in a pseudo-terminal."""

    def __init__(self, command: list[str], cwd: Path, environment: dict[str, str]) -> None:
        """Start the program."""
        self.program = pexpect.spawn(
            command[0],
            command[1:],
            cwd=str(cwd),
            env={**os.environ, "TERM": "xterm", **environment},
            dimensions=(24, 80),
            encoding="utf-8",
            codec_errors="replace",
        )
        self.screen = Screen(80, 24, self.program.send)
        self.stream = pyte.Stream(self.screen)
        self.ended = False

    def lines(self) -> list[str]:
        """Return what the screen shows now, without blanks at the ends of lines."""
        return [line.rstrip() for line in self.screen.display]

    def text(self) -> str:
        """Return all that was shown, that which has left the screen included, in one line."""
        top = ["".join(line[x].data for x in range(80)) for line in self.screen.history.top]
        return " ".join(" ".join([*top, *self.screen.display]).split())

    def type(self, keys: str) -> None:
        """Type."""
        self.program.send(keys)

    def wait(self, seen: Callable[[list[str]], bool], seconds: float = 60) -> None:
        """Wait until the screen shows something and is drawn to its end, or the program has ended.

        A screen may arrive in pieces, in which a list has no pointer or a line half its text.

        Raises:
            AssertionError: the time is over, or the program has ended without showing it.
        """
        deadline = monotonic() + seconds
        while self.read(0.02) or not seen(self.lines()):
            assert not self.ended, "\n".join(["The program has ended:", *self.lines()])
            assert monotonic() < deadline, "\n".join(["It does not show:", *self.lines()])

    def wait_for(self, text: str) -> None:
        """Wait until the screen shows a text, over several lines if it is long."""
        self.wait(lambda lines: text in " ".join(" ".join(lines).split()))

    def wait_for_line(self, text: str) -> None:
        """Wait until one line of the screen shows all of a text."""
        self.wait(lambda lines: any(text in line for line in lines))

    def read(self, seconds: float) -> bool:
        """Show what the program has written, and return whether it was anything."""
        try:
            self.stream.feed(self.program.read_nonblocking(65536, timeout=seconds))
        except pexpect.TIMEOUT:
            return False
        except pexpect.EOF:
            self.ended = True
            return False
        return True

    def end(self, seconds: float = 120) -> int:
        """Wait until the program has ended, and return its exit status."""
        deadline = monotonic() + seconds
        while not self.ended:
            assert monotonic() < deadline, "\n".join(["It does not end:", *self.lines()])
            self.read(1)
        self.program.wait()
        status = self.program.exitstatus
        return -(self.program.signalstatus or 0) if status is None else int(status)


@contextmanager
def at_terminal(command: list[str], cwd: Path, **environment: str) -> Iterator[Terminal]:
    """Run a program at a terminal; end it if the test ends first."""
    terminal = Terminal(command, cwd, environment)
    try:
        yield terminal
    finally:
        if terminal.program.isalive():
            terminal.program.kill(signal.SIGKILL)
        terminal.program.close()
