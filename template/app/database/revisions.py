"""How migrations name what models are made of, so that they hold on each database."""

import re
from typing import Any, Literal

from alembic.autogenerate.api import AutogenContext
from sqlalchemy import ARRAY, JSON, DefaultClause, Enum, String
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.sql.expression import False_, True_
from sqlalchemy.sql.functions import now
from sqlalchemy.types import TypeDecorator, TypeEngine

from app.database.settings import DRIVERS

DIALECTS = sorted({driver.partition("+")[0] for driver in DRIVERS.values()})
# Types that Alembic finds in one database, and that another does not know.
NAMES_OF_ONE_DATABASE = {"BLOB", "BYTEA", "DATETIME", "DOUBLE", "INTERVAL"}
# Alembic would write these in the words of the database that it is connected to.
PORTABLE_DEFAULTS: dict[type, str] = {
    True_: "sa.true()",
    False_: "sa.false()",
    now: "sa.func.now()",
}


def render_item(kind: str, item: object, context: AutogenContext) -> str | Literal[False]:
    """Write revisions that hold on each database, and do without the code of the service."""
    if kind == "server_default" and isinstance(item, DefaultClause):
        return PORTABLE_DEFAULTS.get(type(item.arg), False)
    if kind == "type" and isinstance(item, TypeEngine):
        return render_type(item, context)
    return False


def render_type(type_: TypeEngine[Any], context: AutogenContext) -> str:
    """Write a type as it is stored, with a variant for a database that stores another."""
    common = find_stored_type(type_, "default")
    text = render_stored_type(common, context)
    for name in DIALECTS:
        stored = find_stored_type(type_, name)
        if repr(stored) != repr(common):
            text += f".with_variant({render_stored_type(stored, context)}, {name!r})"
    return text


def find_stored_type(type_: TypeEngine[Any], dialect_name: str) -> TypeEngine[Any]:
    """Find what a database stores a type as, in the terms of SQLAlchemy and not of a driver."""
    plain, dialect = DefaultDialect(), DefaultDialect()
    dialect.name = dialect_name
    if repr(type_.dialect_impl(dialect)) != repr(type_.dialect_impl(plain)):
        type_ = type_.dialect_impl(dialect)
    if isinstance(type_, TypeDecorator) and not of_sqlalchemy(type_):
        return find_stored_type(type_.load_dialect_impl(dialect), dialect_name)
    if isinstance(type_, Enum) and not type_.native_enum:
        return String(type_.length)
    if isinstance(type_, ARRAY) and dialect_name == "sqlite":
        return JSON()
    return type_.as_generic() if type(type_).__name__ in NAMES_OF_ONE_DATABASE else type_


def render_stored_type(type_: TypeEngine[Any], context: AutogenContext) -> str:
    """Write a type with the module that it comes from, which the revision then imports."""
    module = type(type_).__module__
    if not of_sqlalchemy(type_):
        context.imports.add(f"import {module}")
    elif module.startswith("sqlalchemy.dialects."):
        module = module.split(".")[2]
        context.imports.add(f"from sqlalchemy.dialects import {module}")
    else:
        module = "sa"
    text = re.sub(r"(?<=_type=)(?=[A-Z])", "sa.", repr(type_))
    if isinstance(type_, ARRAY):
        text = text.replace(repr(type_.item_type), render_type(type_.item_type, context), 1)
    return f"{module}.{text}"


def of_sqlalchemy(type_: TypeEngine[Any]) -> bool:
    """Tell a type of the library's from one of yours."""
    return type(type_).__module__.startswith("sqlalchemy.")
