"""Tell a caller who has the answer already that it is still the same (RFC 9110, section 13)."""

import re
from hashlib import sha256

OPAQUE_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def tag_of(body: bytes) -> str:
    """Make a strong entity tag: other bytes have another."""
    return f'"{sha256(body).hexdigest()[:32]}"'


def matches(condition: str, tag: str) -> bool:
    """Whether `If-None-Match` names the tag; `W/` makes no difference here (section 8.8.3.2)."""
    return condition.strip() == "*" or tag in OPAQUE_TAG.findall(condition)
