"""Content parts as Anthropic's content blocks.

A text of nothing but white space becomes no block: Anthropic answers 400 to it.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable

from korad.errors import invalid_messages, unsupported_parameter
from korad.providers.anthropic_shapes import Json, cache_control_of

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
)
_IMAGE_TYPES = frozenset(("image/png", "image/jpeg", "image/gif", "image/webp"))
_MAGIC_CHARS = 24
"""Base64 characters looked at: 18 bytes, past the twelve that name a WebP."""


def user_blocks(content: object, where: str) -> list[Json]:
    """Return the blocks of a user or tool message's `content`: text, images, documents."""
    return _blocks(content, where, _USER_PARTS)


def text_blocks(content: object, where: str) -> list[Json]:
    """Return the blocks of a system or assistant message's `content`: text and refusals."""
    return _blocks(content, where, _TEXT_PARTS)


def text_block(text: str) -> list[Json]:
    """Return the block of `text`, no block for a blank one."""
    if not text or text.isspace():
        return []
    return [{"type": "text", "text": text}]


_PartReader = Callable[[Json, str], list[Json]]


def _blocks(content: object, where: str, readers: dict[str, _PartReader]) -> list[Json]:
    where = f"{where}.content"
    if content is None:
        return []
    if isinstance(content, str):
        return text_block(content)
    if not isinstance(content, list):
        raise invalid_messages("'content' must be a string or an array of parts.", where)
    blocks: list[Json] = []
    for number, part in enumerate(content):
        place = f"{where}[{number}]"
        if isinstance(part, str):
            blocks += text_block(part)
            continue
        if not isinstance(part, dict):
            raise invalid_messages("A content part must be an object with a 'type'.", place)
        read = readers.get(str(part.get("type")))
        if read is None:
            raise invalid_messages("This content part is not accepted here.", f"{place}.type")
        marker = cache_control_of(part, place)
        for block in read(part, place):
            block.update(marker)
            blocks.append(block)
    return blocks


def _text(part: Json, place: str) -> list[Json]:
    return text_block(_string(part, "text", place))


def _refusal(part: Json, place: str) -> list[Json]:
    return text_block(_string(part, "refusal", place))


def _image(part: Json, place: str) -> list[Json]:
    url = _string(_object(part, "image_url", place), "url", f"{place}.image_url")
    place = f"{place}.image_url.url"
    if url[:8].lower() == "https://":
        return [{"type": "image", "source": {"type": "url", "url": url}}]
    if url[:5].lower() != "data:":
        raise unsupported_parameter("An image must be a data: or an https: URL.", place)
    declared, data = _data_url(url, place)
    media_type = _image_type(data) or declared
    if media_type not in _IMAGE_TYPES:
        raise unsupported_parameter("An image must be PNG, JPEG, GIF or WebP.", place)
    source = {"type": "base64", "media_type": media_type, "data": data}
    return [{"type": "image", "source": source}]


def _file(part: Json, place: str) -> list[Json]:
    file = _object(part, "file", place)
    place = f"{place}.file"
    if file.get("file_id") is not None:
        raise unsupported_parameter(
            "Files by id are unknown to this provider; send 'file_data'.", f"{place}.file_id"
        )
    data = _string(file, "file_data", place)
    place = f"{place}.file_data"
    if data[:5].lower() == "data:":
        _, data = _data_url(data, place)
    if not _first_bytes(data).startswith(b"%PDF-"):
        raise unsupported_parameter("A file must be a PDF document.", place)
    block: Json = {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": data},
    }
    name = file.get("filename")
    if isinstance(name, str) and name:
        block["title"] = name
    return [block]


def _audio(_part: Json, place: str) -> list[Json]:
    raise unsupported_parameter("This provider takes no audio.", f"{place}.input_audio")


def _data_url(url: str, place: str) -> tuple[str, str]:
    """Return media type (lower case) and base64 text of a data: URL."""
    head, comma, data = url[5:].partition(",")
    media_type, *attributes = head.lower().split(";")
    if not comma or not data or "base64" not in attributes:
        raise invalid_messages("The data: URL must carry base64.", place)
    return media_type.strip(), data


def _image_type(data: str) -> str | None:
    """Return the media type that the first bytes tell: clients' labels are often wrong."""
    start = _first_bytes(data)
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _MAGIC if start.startswith(magic)), None)


def _first_bytes(data: str) -> bytes:
    head = data[:_MAGIC_CHARS]
    try:
        return binascii.a2b_base64(head[: len(head) // 4 * 4])
    except (binascii.Error, ValueError):
        return b""


def _object(holder: Json, name: str, place: str) -> Json:
    value = holder.get(name)
    if not isinstance(value, dict):
        raise invalid_messages(f"'{name}' must be an object.", f"{place}.{name}")
    return value


def _string(holder: Json, name: str, place: str) -> str:
    value = holder.get(name)
    if not isinstance(value, str):
        raise invalid_messages(f"'{name}' must be a string.", f"{place}.{name}")
    return value


_TEXT_PARTS: dict[str, _PartReader] = {"text": _text, "refusal": _refusal}
_USER_PARTS: dict[str, _PartReader] = {
    "text": _text,
    "image_url": _image,
    "file": _file,
    "input_audio": _audio,
}
