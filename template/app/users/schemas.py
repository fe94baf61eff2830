"""What crosses the wire about users."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StrictBool

from app.auth.passwords import NewPassword

MAX_EMAIL_LENGTH = 254


def normalise_email(text: str) -> str:
    """Write an address in the one form in which it is stored and looked up.

    Raises:
        ValueError: it is no e-mail address.
    """
    if len(text) > MAX_EMAIL_LENGTH:
        raise ValueError(f"must have at most {MAX_EMAIL_LENGTH} characters")
    try:
        return validate_email(text, check_deliverability=False).normalized.lower()
    except EmailNotValidError as error:
        raise ValueError("must be an e-mail address") from error


Email = Annotated[
    str,
    Field(examples=["jo@example.com"], json_schema_extra={"format": "email"}),
    AfterValidator(normalise_email),
]


class Registration(BaseModel):
    """Who wants an account."""

    email: Email
    password: NewPassword


class PasswordChange(BaseModel):
    """Proof of the old password, and the new one."""

    current_password: Annotated[SecretStr, Field(examples=["the password until now"])]
    new_password: NewPassword


class UserUpdate(BaseModel):
    """What an administrator may change."""

    is_active: StrictBool


class UserOut(BaseModel):
    """A user, as the user and administrators see them."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str
    scope: str
    is_active: bool
    created_at: datetime
