"""What can be wrong with a request about users."""

from app.problems import ProblemError


class UserNotFoundError(ProblemError):
    """There is no such user."""

    def __init__(self) -> None:
        super().__init__(404, "There is no such user.")


class WrongPasswordError(ProblemError):
    """The password that is to be replaced is not the right one."""

    def __init__(self) -> None:
        super().__init__(403, "The current password is wrong.")
