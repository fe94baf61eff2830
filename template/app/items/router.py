"""Items over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from app import API_PREFIX
# {% if jwt_auth %}
from app.auth.dependencies import CurrentUser
# {% endif %}
from app.database.paging import Page, Slice
from app.database.session import Session
from app.items.models import Item
from app.items.schemas import ItemIn, ItemOut, ItemPatch, ItemSearch
from app.items.service import ItemService
from app.problems import problem_responses

router = APIRouter(
    prefix=f"{API_PREFIX}/items",
    tags=["items"],
    responses=problem_responses(
        # {% if jwt_auth %}
        401,
        # {% endif %}
        503,
    ),
)


async def get_items(
    session: Session,
    # {% if jwt_auth %}
    user: CurrentUser,
    # {% endif %}
) -> ItemService:
    """Find the items that the caller may see."""
    return ItemService(
        session,
        # {% if jwt_auth %}
        owner_id=user.id,
        # {% endif %}
    )


Items = Annotated[ItemService, Depends(get_items)]


@router.get("", response_model=Page[ItemOut])
async def list_items(search: Annotated[ItemSearch, Query()], items: Items) -> Slice[Item]:
    """List items, page by page."""
    return await items.search(search)


@router.post("", status_code=201, response_model=ItemOut, responses=problem_responses(409))
async def create_item(values: ItemIn, items: Items, response: Response) -> Item:
    """Create an item; its name must be new."""
    item = await items.create(values)
    response.headers["Location"] = f"{router.prefix}/{item.id}"
    return item


@router.get("/{item_id}", response_model=ItemOut)
async def read_item(item_id: UUID, items: Items) -> Item:
    """Read an item."""
    return await items.get(item_id)


@router.put("/{item_id}", response_model=ItemOut, responses=problem_responses(409))
async def replace_item(item_id: UUID, values: ItemIn, items: Items) -> Item:
    """Replace an item; what is left out gets its default."""
    return await items.change(item_id, values)


@router.patch("/{item_id}", response_model=ItemOut, responses=problem_responses(409))
async def patch_item(item_id: UUID, patch: ItemPatch, items: Items) -> Item:
    """Change the parts of an item that are given."""
    return await items.change(item_id, patch)


@router.delete("/{item_id}", status_code=204)
async def delete_item(item_id: UUID, items: Items) -> None:
    """Delete an item."""
    await items.delete(item_id)
