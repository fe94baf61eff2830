"""One's own account, and all accounts for administrators."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app import API_PREFIX
from app.auth.dependencies import CurrentAdmin, CurrentPasswordHasher, CurrentUser
from app.database.paging import Page, Paging, Slice
from app.database.session import Session
# {% if rate_limiting %}
from app.limits.logins import limit_password_changes
# {% endif %}
from app.problems import problem_responses
from app.users import service
from app.users.models import User
from app.users.schemas import PasswordChange, UserOut, UserUpdate

router = APIRouter(
    prefix=f"{API_PREFIX}/users", tags=["users"], responses=problem_responses(401, 503)
)


@router.get("/me", response_model=UserOut)
async def read_me(user: CurrentUser) -> User:
    """Tell who is logged in."""
    return user


@router.post(
    "/me/password",
    status_code=204,
    # {% if rate_limiting %}
    dependencies=[limit_password_changes],
    # {% endif %}
    responses=problem_responses(403),
)
async def change_my_password(
    change: PasswordChange, user: CurrentUser, session: Session, hasher: CurrentPasswordHasher
) -> None:
    """Change the password, and end all logins; log in again with the new one."""
    await service.change_password(
        session,
        hasher,
        user,
        current=change.current_password.get_secret_value(),
        new=change.new_password.get_secret_value(),
    )


@router.delete("/me", status_code=204)
async def deactivate_me(user: CurrentUser, session: Session) -> None:
    """Close the account, and end all logins; an administrator can open it again."""
    await service.set_active(session, user.id, active=False)


@router.get("", response_model=Page[UserOut], responses=problem_responses(403))
async def list_users(
    _admin: CurrentAdmin, session: Session, paging: Annotated[Paging, Query()]
) -> Slice[User]:
    """List all users, oldest first. Needs the scope `admin`."""
    return await service.list_users(session, paging)


@router.patch("/{user_id:uuid}", response_model=UserOut, responses=problem_responses(403, 404))
async def update_user(
    user_id: UUID, change: UserUpdate, _admin: CurrentAdmin, session: Session
) -> User:
    """Shut a user out at once, or let the user in again. Needs the scope `admin`."""
    return await service.set_active(session, user_id, active=change.is_active)
