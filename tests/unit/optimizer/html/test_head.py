"""The lines above a page say what its text does not."""

from __future__ import annotations

import pytest

from korad.optimizer.html.head import Head

BODY = "# Ferry times\n\nThe ferry leaves daily. [See](/map) the pier.\n\nA picture\n\nIt is free."


def above(body=BODY, **said):
    head = Head(call="")
    for name, content in said.items():
        if name == "title":
            head.title(content)
        else:
            head.take("meta", {"name": name.replace("_", ":", 1), "content": content})
    return head.above(body, "", []).removesuffix(body).strip()


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Ferry times", ""),
        ("Ferry times - Tellin Port", "Title: \u2026 | Tellin Port"),
        ("Ferry times | The ferry | Tellin Port", "Title: \u2026 | Tellin Port"),
        ("\u201cFerry Times\u201d", "Title: \u201cFerry Times\u201d"),
        ("\u201cFerry times\u201d", ""),
        ("The ferry", "Title: The ferry"),
    ],
)
def test_of_the_title_stays_what_the_text_does_not_say(title, expected):
    assert expected == above(title=title)


def test_a_heading_that_is_a_link_is_the_title_too():
    assert above("# Ferry times /ferry\n\nWords", title="Ferry times") == ""


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("The ferry leaves daily. See the pier.It is free.", ""),
        ("The ferry leaves daily. See the\u2026", ""),
        ("The ferry leaves daily. It sinks.", "Description: The ferry leaves daily. It sinks."),
    ],
)
def test_a_description_made_of_the_texts_sentences_goes(description, expected):
    assert expected == above(description=description)


def test_a_change_on_the_day_of_publication_is_no_news():
    first, later, next_day = "2024-01-05T08:00Z", "2024-01-05T09:00Z", "2024-01-06T09:00Z"
    published = f"Published: {first}"

    def of(modified):
        return above(article_published_time=first, article_modified_time=modified)

    assert published == of(later)
    assert f"{published}\nModified: {next_day}" == of(next_day)
    assert f"{published}\nModified: Friday" == of("Friday")


def test_the_address_that_was_fetched_is_not_said_again():
    def above_of(address):
        head = Head('fetch {"url": "https://example.org/ferry"}')
        head.take("link", {"rel": "canonical", "href": address})
        assert head.address == address
        return head.above(BODY, "", [])

    assert BODY == above_of("https://example.org/ferry")
    assert above_of("https://example.org/pier").startswith(
        "Canonical: https://example.org/pier\n\n"
    )
