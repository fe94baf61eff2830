"""What can be wrong with a request for an item."""

from app.problems import ProblemError


class ItemNotFoundError(ProblemError):
    """There is no such item, or not for this caller."""

    def __init__(self) -> None:
        super().__init__(404, "There is no such item.")
