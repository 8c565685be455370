"""Encoded and minified runs give way to notes; what may be used again stays."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given, settings, strategies as st

from korad.optimizer.base import HIGH, TOOL, USER, Block
from korad.optimizer.transforms.blobs import BLOBS


def octets(count):
    return hashlib.shake_256(b"sample").digest(count)


def coded(count):
    return base64.b64encode(octets(count)).decode()


MINIFIED = "var a=1;" + "function f(a){return a=>{b();c(1,2)}};" * 80
CSS = ".a{color:red;margin:0}" * 150
PARTS = [coded(300), octets(250).hex(), "word ", "\n", " key: ", MINIFIED]
PEM_BODY = base64.encodebytes(octets(600)).decode()


def apply(text, **changed):
    known = {"role": TOOL, "level": HIGH, "question": "What is new?", "call": "fetch {}"}
    return BLOBS.apply(Block(text=text, **(known | changed)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f'{{"picture": "{coded(900)}", "n": 1.10}}',
            '{"picture": "[korad: 1,200 characters of base64 left out]", "n": 1.10}',
        ),
        (
            f'<img src="data:image/png;base64,{coded(300)}">',
            '<img src="data:image/png;base64,[korad: 400 characters of base64 left out]">',
        ),
        (
            f"-----BEGIN CERTIFICATE-----\n{PEM_BODY}-----END CERTIFICATE-----\n",
            (
                "-----BEGIN CERTIFICATE-----\n[korad: 810 characters of base64 left out]\n"
                "-----END CERTIFICATE-----\n"
            ),
        ),
        (
            f"dump {octets(300).hex()} end",
            "dump [korad: 600 characters of hex left out] end",
        ),
        (
            f"a\n{MINIFIED}\nb",
            (
                f"a\n{MINIFIED[:200]}[korad: {len(MINIFIED) - 300:,} characters of minified code "
                f"left out]{MINIFIED[-100:]}\nb"
            ),
        ),
        (
            CSS,
            (
                f"{CSS[:200]}[korad: {len(CSS) - 300:,} characters of minified code left out]"
                f"{CSS[-100:]}"
            ),
        ),
    ],
)
def test_blobs_give_way_to_notes(text, expected):
    assert expected == apply(text)
    assert expected == apply(expected)
    assert expected == apply(text, role=USER, fence="")


@pytest.mark.parametrize(
    "text",
    [
        f'{{"next_page": "{coded(300)}"}}',
        f"signature: {coded(300)}",
        f"ETag: {coded(300)}",
        f"-----BEGIN RSA PRIVATE KEY-----\n{PEM_BODY}-----END RSA PRIVATE KEY-----\n",
        f"eyJ{coded(200)}.{coded(300)}.{coded(40)}",
        f"https://example.org/?a={coded(300)}",
        "\n".join(octets(32 * n)[-32:].hex() for n in range(1, 30)),
        octets(150).hex(),
        coded(140),
        "tok1 tok2 " * 900,
        "ACGT" * 300,
        "/usr/lib/python3/dist-packages" * 20,
        "A" * 5_000,
        "=" * 5_000,
        "-" * 5_000,
        '{"a":{"b":[1,2,3],"c":"d"}},' * 200,
        "[" + '{"function":"f","n":1},' * 200 + "]",
        "INSERT INTO t VALUES " + "(1,'a b'), " * 400,
        f"--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n-{coded(300)}\n+{coded(600)}\n same\n",
    ],
)
def test_what_may_be_used_again_or_read_stays(text):
    assert text is apply(text)


@pytest.mark.parametrize(
    "changed",
    [
        {"role": USER},
        {"question": "Decode this base64 for me"},
        {"question": "What is in the image?"},
        {"call": 'get_secret {"name": "x"}'},
        {"call": 'bash {"command": "xxd -p file"}'},
    ],
)
def test_a_blob_that_is_asked_for_stays(changed):
    text = f"x {coded(900)}"

    assert text is apply(text, **changed)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=8))
def test_a_second_pass_changes_nothing(pieces):
    once = apply("".join(pieces))

    assert once == apply(once)


@pytest.mark.parametrize("piece", ["a", "[", "\n", "\\n", "abcd\nefg", "aB3" * 66 + ". "])
def test_a_megabyte_of_one_thing_is_not_a_blob(piece):
    text = piece * (1_000_000 // len(piece))

    assert text is apply(text)
