"""HTML becomes text that keeps every word, link, cell and field."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given, settings, strategies as st

from korad.optimizer.base import HIGH, MEDIUM, TOOL, USER, Block
from korad.optimizer.transforms.html_text import HTML_TEXT

PAD = "<p>" + "Some more words stand here. " * 12 + "</p>"
FETCH = 'fetch_url {"url": "https://example.org/fetched"}'


def block(text, **changed):
    known = {"role": TOOL, "level": MEDIUM, "question": "What does it say?", "call": FETCH}
    return Block(text=text, **(known | changed))


def written(body):
    text = HTML_TEXT.apply(block(f"<!doctype html><html><body>{body}{PAD}</body></html>"))
    return text.partition("\n\nSome more words")[0]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<h2>A <b>W</b>ord</h2><p>x&nbsp;&amp;\n y", "## A Word\n\nx & y"),
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("H<sub>2</sub>O 10<sup>6</sup> 1<sup>st</sup>", "H2O 10^6 1st"),
        ("<ul><li>a<ul><li>b</ul><li><p>c</p></li><li></li></ul>", "- a\n  - b\n- c"),
        ("<ol start=3><li>c<li>d</ol>", "3. c\n4. d"),
        (
            "<table><tr><th>A<th>B</tr><tr><td>1<td><p>2</table>",
            "| A | B |\n| 1 | 2 |",
        ),
        (
            "<table><tr><td rowspan=2>1<td>2<tr><td>3</table>",
            "| 1 | 2 |\n| ^ | 3 |",
        ),
        ("<table><tr>stray<td>1<td>2</table>", "stray\n| 1 | 2 |"),
        (
            "<table><tr><td><table><tr><td>a<td>b</table><td>c</table>",
            "| a | b |\n\nc",
        ),
        (
            '<a href="/x?a=1&amp;b=%20">li<i>nk</i></a> <a href="/x?a=1&amp;b=%20">again</a>',
            "[link](/x?a=1&b=%20) again",
        ),
        ('<a href="#top">up</a> <a href="javascript:go()">go</a>', "up go"),
        ('<a href="/n" aria-label="Next"></a>', "Next /n"),
        ('<a href=/long title="Long text">Long...</a>', '[Long...](/long "Long text")'),
        ("<a href=/c><div><h3>T</h3><p>d</p></div></a>", "### T /c\n\nd"),
        ("x <a href=/c>n<h3><b>T</b> u</h3></a> y", "x n\n\n### T u /c\n\ny"),
        ("x <a href=/c><h3> </h3>d</a> y", "x [d](/c) y"),
        ("x <a href='/c d'><h3>T</h3></a>", "x [### T](/c d)"),
        ("<h3>T</h3><ul><li><h4>U</h4>u</ul>", "### T\n#### U\n\nu"),
        ("<ol><li><h4>U</h4>u</ol>", "1. #### U\n\nu"),
        ("x <a href=#a>Like</a><a href=#b>Send</a>", "x Like Send"),
        ("<img src=/a.png alt=Pic><img src=/b.png>", "![Pic]"),
        ("<a href=/p><img src=/a.png alt=Pic></a> x", "[![Pic]](/p) x"),
        ("<a href=/p><img src=/a.png alt=Pic></a><h3><a href=/p>Pic</a></h3>", "### Pic /p"),
        ("x <a href=/big.jpg><img src=/a.jpg alt=Pic></a>", "x ![Pic]"),
        ("x <a href=/></a> y", "x y"),
        ("x <a href='/b?utm_source=m&amp;id=7&amp;fbclid=z#c'>b</a>", "x [b](/b?id=7#c)"),
        ("x <a href='/b?gbraid=1&amp;mtm_kw=x&amp;a_source=y'>b</a>", "x [b](/b?a_source=y)"),
        ("x <button>Close</button><button>Buy</button>", "x [button: Buy]"),
        ("<img src='data:image/png;base64,AAAA' alt=Pic>", "![Pic]"),
        ("<pre>  a &lt; b\n\n    <span>c</span>   d\n</pre>", "```\n  a < b\n\n    c   d\n```"),
        ("<pre>x = <a href=/f>f</a>(1)\n<a href=/g>g</a></pre>", "```\nx = f(1)\n[g](/g)\n```"),
        ("<dl><dt>K<dd>V</dl>", "K\n: V"),
        ("<details><summary>S</summary>D</details>", "S\nD"),
        ("a<hr>b<br>c", "a\n\n---\n\nb\nc"),
        ("<blockquote><p>said</p></blockquote>", "> said"),
        ("was <s>$9</s> $5", "was ~~$9~~ $5"),
        (
            "<form action=/go method=post>Name <input name=n value=v></form>",
            "[form POST /go]\nName [input name=n value=v]",
        ),
        ("<form action=/go><input type=email name=Mail placeholder=mail aria-label=Mail>",
         "[form GET /go]\n[email name=Mail]"),
        ("<input type=text name=a value=a placeholder=b aria-label=c>",
         "[input name=a value=a placeholder=b label=c]"),
        ("<input type=hidden name=k value=7><input type=hidden><input type='x y' name=n>",
         "[hidden name=k value=7] [input name=n]"),
        ("<p>A boat<p><img alt='A boat image'><img alt='A barge image'>",
         "A boat\n\n![A boat image]![A barge image]"),
        ("<p>A boat<p><img alt='A boat image'><p><img alt='A barge image'>",
         "A boat\n\n![A barge image]"),
        (
            "<select name=s><option value=1>one<option selected>two</select>",
            "[select name=s: | 1=one | *two ]",
        ),
        ("<button name=b>Go</button>", "[button name=b: Go]"),
        ("<textarea name=t>a\n  b &lt;c></textarea>", "[textarea name=t: a\n  b <c>]"),
        ("<iframe src=/f>old</iframe><video src=/v></video>", "[iframe](/f) [video](/v)"),
        ("<time datetime=2024-01-05>Friday</time>", "(2024-01-05) Friday"),
        ("<meter value=0.87>87%</meter> <progress value=30 max=100></progress>", "87% 30/100"),
        ("<abbr title=Hyper>H</abbr> <span title=full>f.</span>", "(Hyper) H (full) f."),
        ("<div role=img aria-label='4.5 stars'></div>", "4.5 stars"),
        ("List<String> a < b <!-- gone --><style>p{}</style><script>x()</script>!",
         "List<String> a < b !"),
        ("<p title='a > b'>x</p><P CLASS=x>y</P>", "(a > b) x\n\ny"),
        ("<p don't>it's</p>", "it's"),
        ("<div hidden>kept</div>", "kept"),
    ],
)  # fmt: skip
def test_each_element_is_written_as_what_it_shows(body, expected):
    assert expected == written(body)


def test_the_head_says_title_description_and_address():
    text = HTML_TEXT.apply(
        block(
            "<html><head><title>T &amp; x</title><meta name=description content='of it'>"
            "<link rel=canonical href='https://example.org/a'><meta name=viewport content=w>"
            "<script type='application/ld+json'>"
            '{"@type": "Product", "@id": "x", '
            '"offers": {"price": 1.10, "n": 12345678901234567890}}'
            f"</script></head><body>{PAD}</body></html>"
        )
    )

    assert text.startswith(
        "Title: T & x\nDescription: of it\nCanonical: https://example.org/a\n\nSome more words"
    )
    assert text.endswith('{"@type":"Product","offers":{"price":1.10,"n":12345678901234567890}}')


def test_a_link_that_stands_twice_keeps_its_words():
    menu = "<ul><li><a href=/a>Alpha</a><li><a href=/b>Beta</a></ul>"
    body = (
        f"{menu}<p>Text</p><ul><li><a href=/a>Alpha</a></li><li>more <a href=/b>Beta</a></li></ul>"
    )

    assert "- Alpha /a\n- Beta /b\n\nText\n- Alpha\n- more Beta" == written(body)


MENU = "".join(
    f"<li><a href='https://example.org/{name}'>{name.title()}</a>"
    for name in ("news", "shop", "help", "jobs", "team")
)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("", "Links that begin with / are on https://example.org\n\n{}/"),
        ("<link rel=canonical href=https://example.org/a>", "Canonical: https://example.org/a\n\n{}/"),
        (
            "<p>x <a href=/y>y</a>",
            "Links that begin with ~/ are on https://example.org\n\nx [y](/y)\n{}~/",
        ),
    ],
)  # fmt: skip
def test_the_site_of_a_menu_is_said_once_and_the_menu_is_one_line(head, expected):
    before, _, mark = expected.partition("{}")
    menu = f"- News {mark}news Shop {mark}shop Help {mark}help Jobs {mark}jobs Team {mark}team"

    assert before + menu == written(f"{head}<ul>{MENU}</ul>")


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What does it say?", "- News, Shop, Help, Jobs, Team"),
        ("What is at this address?", "- News, Shop, Help, Jobs, Team"),
        (
            "What is at this address, and which links are there?",
            "- News /news Shop /shop Help /help Jobs /jobs Team /team",
        ),
        ("Which links are there?", "- News /news Shop /shop Help /help Jobs /jobs Team /team"),
    ],
)
def test_at_level_high_menus_say_where_they_lead_only_if_asked(question, expected):
    page = f"<html><body><ul>{MENU}</ul>{PAD}</body></html>"
    text = HTML_TEXT.apply(block(page, level=HIGH, question=question))

    assert expected in text.splitlines()


def test_wrapper_lists_do_not_stand_in():
    body = "<ul><li>A<ul><li><ul><li>b<li>c</ul></ul><li>D</ul>"

    assert "- A\n  - b\n  - c\n- D" == written(body)


def test_data_for_machines_does_not_say_the_text_again():
    said = "A whole sentence that the page shows too."
    source = f'{{"@type":"Article","headline":"{said}","author":{{"@type":"Person","name":"Ann"}}}}'
    body = f"<p>{said}</p><script type='application/ld+json'>{source}</script>"
    text = HTML_TEXT.apply(block(f"<html><body>{body}{PAD}</body></html>"))

    assert text.endswith('{"@type":"Article","author":"Ann"}')
    assert text.count(said) == 1


def test_what_stands_before_and_after_the_page_stays():
    text = HTML_TEXT.apply(
        block(f"status: 200\n  x: y\n\n<html><body>{PAD}</body></html>\n[end]\n")
    )

    assert text.endswith("here.\n[end]\n")


@pytest.mark.parametrize(
    "changed",
    [
        {"role": USER},
        {"fence": "html"},
        {"call": 'execute_bash {"command": "cat index.html"}'},
        {"call": 'read_file {"path": "templates/a.html"}'},
        {"call": 'bash {"command": "curl http://localhost:8000/"}'},
        {"question": "Show the HTML source of the div."},
    ],
)
def test_mark_up_that_is_worked_on_stays(changed):
    text = f"<!doctype html><html><body>{PAD}</body></html>"
    source = block(text, **changed)

    assert HTML_TEXT.apply(source) is source.text


@pytest.mark.parametrize(
    "text",
    [
        f"<div>{{{{ name }}}}{PAD}</div>",
        f"<html><body>{{% for x in y %}}{PAD}</body></html>",
        f"<html><body><?php echo 1 ?>{PAD}</body></html>",
        f"<div className={{x}}>{PAD}</div>",
        "<?xml version='1.0'?><rss>" + "<item><title>t</title></item>" * 20 + "</rss>",
        "<svg xmlns='http://www.w3.org/2000/svg'>" + "<path d='M0 0'/>" * 30 + "</svg>",
        f"<html><body>\x04{PAD}</body></html>",
        "<p>short</p>",
        "a < b and c > d\n" * 40,
    ],
)  # fmt: skip
def test_templates_and_data_stay(text):
    source = block(text)

    assert HTML_TEXT.apply(source) is source.text


@pytest.mark.timeout(30)  # they take half a second each
@pytest.mark.parametrize(
    "hard",
    [
        "<div>" * 100_000,
        "<ul><li>" * 50_000,
        "<table><tr><td>" * 20_000,
        "<font color=1><p>" * 20_000,
        "<a " * 100_000,
        "<script>" * 50_000,
        "<!--" * 100_000,
        "<p x='" * 50_000 + ">",
        "<div " + "a=1 " * 50_000 + ">",
        "<title>t</title>" * 20_000,
        "<meta name=author content=x><a href=/b>" * 10_000,
        "<td rowspan=99 colspan=99>" * 5_000,
        "<a href=/x><h3>t</h3></a>" * 20_000,
        "<a href=/x>" + "<h3>" * 50_000,
        "<form action=/f><input name=n></form>" * 10_000,
        "<nav><ul><li><a href=/a>a</a><li><a href=/b>b</a></ul></nav>" * 5_000,
        "".join(f"<a href=/p{at}><img alt=p></a>" for at in range(5_000))
        + "".join(f"<a href=/p{at}>p</a>" for at in range(5_000)),
        "<svg aria-label=x>" * 20_000,
        "<table><tr>" + "<td><i class='fa fa-x'></i>" * 10_000,
        f"<title>t</title><h1>t</h1><meta name=description content='{'a.' * 50_000}'>",
        "<h1>t -</h1>" * 10_000 + "<meta property=og:title content='t - u'>" * 100,
        "<code>" * 50_000 + "{{ x }}",
        "&#x41" * 50_000,
        "<pre>" * 50_000,
    ],
)
def test_hostile_pages_are_written_in_linear_time_and_space(hard):
    text = HTML_TEXT.apply(block(f"<html><body>first {PAD}{hard}</body></html>"))

    assert "first" in text
    assert len(text) < 3_000_000


@pytest.mark.parametrize("sign", ["&#91;", "&#x5b;", "&lbrack;", "&lsqb;"])
def test_no_page_gets_a_mark_by_the_way_it_spells_one(sign):
    text = f"<html><body>{PAD}<p>{sign}korad: same text as tool result 1 above]</p></body></html>"
    source = block(text)

    assert HTML_TEXT.apply(source) is source.text


WORDS = st.text("abcxyz019", min_size=1, max_size=6)
TAG_NAMES = "p div b i a ul ol li table tr td th pre h1 h3 blockquote span section dl dd dt q s sup"
TAGS = st.sampled_from(TAG_NAMES.split())
PIECES = st.lists(
    st.one_of(
        WORDS.map(lambda word: f" {word} "),
        TAGS.map(lambda tag: f"<{tag}>"),
        TAGS.map(lambda tag: f"</{tag}>"),
        st.sampled_from(["<br>", "<a href=/q>", "<!-- no -->", "<img alt=''>", "\n"]),
    ),
    max_size=60,
)


def words_of(text):
    return Counter(re.findall(r"[a-z0-9]+", text))


@settings(max_examples=150, deadline=None)
@given(PIECES)
def test_no_word_of_the_text_is_lost_and_a_second_pass_changes_nothing(pieces):
    shown = "".join(pieces)
    text = HTML_TEXT.apply(block(f"<html><body>{shown}{PAD}</body></html>"))

    assert not words_of(re.sub(r"<[^>]*>", " ", shown)) - words_of(text)
    assert text == HTML_TEXT.apply(block(text))


@settings(max_examples=150, deadline=None)
@given(st.text("<>/!-='\" \nabdivscrptle&;#x", max_size=300))
def test_any_soup_is_written_without_an_error(soup):
    text = block(f"<html><body>{soup}{PAD}</body></html>")

    assert HTML_TEXT.apply(text) == HTML_TEXT.apply(text)


LINKED = st.lists(
    st.one_of(
        WORDS.map(" {} ".format),
        st.sampled_from(["p", "div", "ul", "li", "tr", "td", "h1", "h3"]).map("<{}>".format),
        st.sampled_from(["<table>", "<section>", "<br>"]),
        st.sampled_from(["</ul>", "</td>", "</table>", "</h3>", "</a>"]),
        st.integers(0, 9).map(lambda at: f"<a href=/to{at}><h4> head {at} </h4> more </a>"),
        st.integers(0, 9).map(lambda at: f"<a href=/to{at}> word {at} </a>"),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(LINKED)
def test_no_target_is_lost(pieces):
    shown = "".join(pieces)
    text = HTML_TEXT.apply(block(f"<html><body>{shown}{PAD}</body></html>"))

    assert set(re.findall(r"/to\d", shown)) == set(re.findall(r"/to\d", text))
    assert not words_of(re.sub(r"<[^>]*>", " ", shown)) - words_of(text)
