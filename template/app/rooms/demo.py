"""A page on which people talk in a room; it is there where the documentation is."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from secure import ContentSecurityPolicy

PAGE_PATH = "/rooms"
FOLDER = Path(__file__).with_name("page")


def add_demo(app: FastAPI) -> None:
    """Serve the page, and allow it its own files and this service, and nothing else."""
    policy = (
        ContentSecurityPolicy()
        .default_src("'none'")
        .base_uri("'none'")
        .connect_src("'self'")
        .form_action("'none'")
        .frame_ancestors("'none'")
        .script_src("'self'")
        .style_src("'self'")
    )

    @app.get(PAGE_PATH, include_in_schema=False)
    async def read_page() -> FileResponse:
        headers = {policy.header_name: policy.header_value}
        return FileResponse(FOLDER / "index.html", headers=headers)

    app.mount(f"{PAGE_PATH}/files", StaticFiles(directory=FOLDER), name="rooms-files")
