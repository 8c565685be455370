"""Content parts as blocks."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from korad.errors import ClientError
from korad.providers.anthropic_content import text_block, text_blocks, user_blocks

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(20)).decode()
GIF = base64.b64encode(b"GIF89a" + bytes(20)).decode()
WEBP = base64.b64encode(b"RIFF\x10\x00\x00\x00WEBPVP8 " + bytes(20)).decode()
PDF = base64.b64encode(b"%PDF-1.7\n" + bytes(20)).decode()
WHERE = "messages[0]"


def image(url: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, "detail": "high"}}


@pytest.mark.parametrize("content", [None, "", "  \n", [], [{"type": "text", "text": ""}], [" "]])
def test_content_without_words_becomes_no_block(content: Any) -> None:
    assert [] == user_blocks(content, WHERE)


def test_texts_keep_their_white_space_and_order() -> None:
    parts = [{"type": "text", "text": " a "}, "b"]

    assert [{"type": "text", "text": " a "}, {"type": "text", "text": "b"}] == user_blocks(
        parts, WHERE
    )
    assert [{"type": "text", "text": "x"}] == text_block("x")


def test_a_refusal_part_is_text_for_the_assistant_and_refused_for_the_user() -> None:
    parts = [{"type": "refusal", "refusal": "No."}]

    assert [{"type": "text", "text": "No."}] == text_blocks(parts, WHERE)
    with pytest.raises(ClientError) as caught:
        user_blocks(parts, WHERE)
    assert "messages[0].content[0].type" == caught.value.param


@pytest.mark.parametrize(
    ("declared", "data", "expected"),
    [
        ("image/jpg", JPEG, "image/jpeg"),
        ("image/jpg", PNG, "image/png"),
        ("IMAGE/PNG", PNG, "image/png"),
        ("image/png", GIF, "image/gif"),
        ("application/octet-stream", WEBP, "image/webp"),
        ("image/png", "AAAA", "image/png"),
    ],
)
def test_the_media_type_of_a_data_url_follows_the_bytes(
    declared: str, data: str, expected: str
) -> None:
    url = f"data:{declared};base64,{data}"

    assert [
        {
            "type": "image",
            "source": {"type": "base64", "media_type": expected, "data": data},
        }
    ] == user_blocks([image(url)], WHERE)


def test_an_https_image_goes_as_its_url() -> None:
    url = "https://example.org/a.png"

    assert [{"type": "image", "source": {"type": "url", "url": url}}] == user_blocks(
        [image(url)], WHERE
    )


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://example.org/a.png", "unsupported_parameter"),
        ("file:///etc/passwd", "unsupported_parameter"),
        (f"data:image/bmp;base64,{'A' * 32}", "unsupported_parameter"),
        ("data:image/png;base64,", "invalid_messages"),
        ("data:image/png,abc", "invalid_messages"),
    ],
)
def test_other_images_are_refused_with_their_place(url: str, code: str) -> None:
    with pytest.raises(ClientError) as caught:
        user_blocks(["x", image(url)], WHERE)

    assert (400, code, "messages[0].content[1].image_url.url") == (
        caught.value.status,
        caught.value.code,
        caught.value.param,
    )


@pytest.mark.parametrize("data", [PDF, f"data:application/pdf;base64,{PDF}"])
def test_an_inline_pdf_becomes_a_titled_document_without_the_data_url(data: str) -> None:
    part = {"type": "file", "file": {"file_data": data, "filename": "a.pdf"}}

    assert [
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
            "title": "a.pdf",
        }
    ] == user_blocks([part], WHERE)


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "file", "file": {"file_id": "file-1"}}, ".file.file_id"),
        ({"type": "file", "file": {"file_data": PNG}}, ".file.file_data"),
        ({"type": "file", "file": {"file_data": "data:x;base64,%%%%"}}, ".file.file_data"),
        ({"type": "file", "file": {"file_data": "é" * 24}}, ".file.file_data"),
        ({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}, ".input_audio"),
    ],
)
def test_files_by_id_other_files_and_audio_are_unsupported(
    part: dict[str, Any], param: str
) -> None:
    with pytest.raises(ClientError) as caught:
        user_blocks([part], WHERE)

    assert ("unsupported_parameter", f"messages[0].content[0]{param}") == (
        caught.value.code,
        caught.value.param,
    )


@pytest.mark.parametrize(
    ("content", "param"),
    [
        (7, "messages[0].content"),
        ({"type": "text"}, "messages[0].content"),
        ([7], "messages[0].content[0]"),
        ([{"type": "video"}], "messages[0].content[0].type"),
        ([{"type": "text"}], "messages[0].content[0].text"),
        ([{"type": "image_url", "image_url": "x"}], "messages[0].content[0].image_url"),
        ([image(7)], "messages[0].content[0].image_url.url"),
        (
            [{"type": "text", "text": "x", "cache_control": 1}],
            "messages[0].content[0].cache_control",
        ),
    ],
)
def test_wrong_shapes_are_refused_with_their_place(content: Any, param: str) -> None:
    with pytest.raises(ClientError) as caught:
        user_blocks(content, WHERE)

    assert (400, param) == (caught.value.status, caught.value.param)


def test_a_cache_breakpoint_stays_on_its_part() -> None:
    marker = {"type": "ephemeral", "ttl": "1h"}
    parts = [{"type": "text", "text": "x", "cache_control": marker}, {"type": "text", "text": "y"}]

    assert [
        {"type": "text", "text": "x", "cache_control": marker},
        {"type": "text", "text": "y"},
    ] == user_blocks(parts, WHERE)
