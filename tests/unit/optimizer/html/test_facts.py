"""JSON-LD is kept for what only it says."""

from __future__ import annotations

import orjson
import pytest

from korad.optimizer.html.facts import Facts


def left(data, known=(), days=()):
    text = Facts(known, days).of(orjson.dumps(data).decode())
    return orjson.loads(text) if text else None


@pytest.mark.parametrize("name", ["datePublished", "dateModified", "dateCreated"])
def test_a_day_that_the_page_gives_is_not_given_again(name):
    data = {"@type": "Article", "author": "Ann", name: "2024-01-05T09:00:00Z"}

    assert {"@type": "Article", "author": "Ann"} == left(data, days=["2024-01-05"])
    assert data == left(data, days=["2024-01-06"])


def test_of_two_dates_on_one_day_the_first_is_given():
    data = {"datePublished": "2024-01-05T09:00:00Z", "dateModified": "2024-01-05T11:00:00Z"}

    assert {"datePublished": "2024-01-05T09:00:00Z"} == left(data)
    assert data | {"dateModified": "5 Jan"} == left(data | {"dateModified": "5 Jan"})


def test_a_day_given_in_one_script_is_not_given_in_the_next():
    read = Facts((), ()).of
    source = '{"author":"Ann","datePublished":"2024-01-05"}'

    assert source == read(source)
    assert read(source) == '{"author":"Ann"}'


def test_the_first_day_of_all_is_no_date():
    assert left({"@type": "Article", "datePublished": "0001-01-01T00:00:00Z"}) is None


def test_keywords_that_the_page_shows_go():
    data = {"@type": "Article", "keywords": "tide, ferry,pier"}

    assert {"@type": "Article", "keywords": "ferry"} == left(data, known=["tide", "pier"])


def test_a_publisher_that_the_page_names_goes():
    data = {"author": "Ann", "publisher": {"@type": "Organization", "name": "Tide News"}}

    assert {"author": "Ann"} == left(data, known=["Tide News"])
    assert {"author": "Ann", "publisher": "Tide News"} == left(data)


def test_the_name_of_the_page_itself_is_no_fact():
    assert left({"@type": "WebPage", "name": "Tides"}) is None
    assert left({"@graph": [{"@type": "WebPage", "name": "Tides", "inLanguage": "en"}]}) is None


def test_of_a_person_beside_an_article_the_name_is_left():
    article = {"@type": "Article", "wordCount": 90}
    ann = {"@type": ["Person"], "name": "Ann", "description": "Ann has written for twenty years."}

    assert {"@graph": [article, "Ann"]} == left({"@graph": [article, ann]})
    assert {"@graph": [article]} == left({"@graph": [article, ann]}, known=["Ann"])
    assert {"@graph": [ann]} == left({"@graph": [ann]})


def test_a_type_that_says_no_more_than_the_entry_goes():
    data = {
        "@type": "Product",
        "offers": {"@type": "Offer", "price": 3},
        "review": {"@type": "UserReview", "text": "good"},
    }
    shorter = data | {"offers": {"price": 3}}

    assert shorter == left(data)


def test_of_several_things_the_long_descriptions_go():
    event = {"@type": "Event", "startDate": "2024-01-05"}
    told = event | {"description": "A day at the pier." * 10}

    assert [event, event | {"description": "short"}] == left(
        [told, event | {"description": "short"}]
    )
    assert [told] == left([told])
