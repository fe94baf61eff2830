"""Keep the answers of a router or a route."""

from fastapi import Depends, FastAPI, Request, Response, params

# {% if jwt_auth %}
from app.auth.dependencies import CurrentUser
# {% endif %}
from app.cache.answers import Shelf
from app.cache.middleware import Turn
from app.database.session import READING_METHODS, Session


class FoundAnswer(Exception):  # noqa: N818  no error: it ends a request early
    """The answer is at hand."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.body = body


def cached(collection: str) -> params.Depends:
    """Keep what is read here for its owner, until something is written here by the same owner.

    Put it on a router that reads and writes: `include_router(router, dependencies=[cached("x")])`.
    Of an answer, JSON with the status 200, the body is kept, which may depend on the owner and on
    the URL, and on nothing else.
    """

    async def look_up(
        request: Request,
        session: Session,
        # {% if jwt_auth %}
        user: CurrentUser,
        # {% endif %}
    ) -> None:
        turn = Turn(
            answers=request.app.state.answers,
            shelf=Shelf(
                collection,
                # {% if jwt_auth %}
                owner=str(user.id),
                # {% endif %}
            ),
            url=f"{request.url.path}?{request.url.query}",
            reads=request.method in READING_METHODS,
        )
        request.state.turn = turn
        if turn.reads:
            # The transaction that has found the owner may see what was before a write that the
            # version knows of; what is read after this is read in another.
            await session.commit()
            turn.version, body = await turn.answers.find(turn.shelf, turn.url)
            if body is not None:
                turn.found = True
                raise FoundAnswer(body)

    dependency: params.Depends = Depends(look_up)
    return dependency


def add_cache(app: FastAPI) -> None:
    """Answer with what is found."""
    app.exception_handler(FoundAnswer)(handle_found_answer)


async def handle_found_answer(_request: Request, found: FoundAnswer) -> Response:
    """Answer as the route has done before."""
    return Response(found.body, media_type="application/json")
