"""What a page says in its content stays, however often it says it."""

from __future__ import annotations

import pytest

from korad.optimizer.base import MEDIUM, TOOL, Block
from korad.optimizer.transforms.html_text import HTML_TEXT

PAD = "<p>" + "Some more words stand here. " * 12 + "</p>"
FETCH = 'fetch_url {"url": "https://example.org/fetched"}'


def written(body):
    page = f"<!doctype html><html><head><title>T</title></head><body>{body}{PAD}</body></html>"
    text = HTML_TEXT.apply(Block(text=page, role=TOOL, level=MEDIUM, question="", call=FETCH))
    return text.removeprefix("Title: T\n\n").partition("\n\nSome more words")[0]


def items(*words, name="ul"):
    return f"<{name}>{''.join(f'<li>{word}</li>' for word in words)}</{name}>"


def link(name):
    return f"<a href=/{name.lower()}>{name}</a>"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            (
                f"<h3>Pro</h3>{items('SSO', 'Log', 'API')}<a href=/b>Buy</a>"
                f"<h3>Max</h3>{items('SSO', 'Log', 'API')}<a href=/b>Buy</a>"
            ),
            "### Pro\n- SSO\n- Log\n- API\nBuy /b\n\n### Max\n- SSO\n- Log\n- API\nBuy",
        ),
        (
            (
                f"<h3>Cancel?</h3>{items('Yes', 'Any time', 'No fee')}"
                f"<h3>Move?</h3>{items('No fee', 'Yes', 'Any time')}"
            ),
            "### Cancel?\n- Yes\n- Any time\n- No fee\n\n### Move?\n- No fee\n- Yes\n- Any time",
        ),
        (
            (
                f"<h3>Linux</h3>{items('Get', 'Make', 'Run', name='ol')}"
                f"<h3>Mac</h3>{items('Get', 'Make', 'Run', name='ol')}"
            ),
            "### Linux\n1. Get\n2. Make\n3. Run\n\n### Mac\n1. Get\n2. Make\n3. Run",
        ),
        (
            (
                f"<h2>Library</h2>{items('Mon 9-17', 'Tue 9-17', 'Wed closed')}"
                f"<h2>Pool</h2>{items('Mon 9-17', 'Tue 9-17', 'Wed closed')}"
            ),
            (
                "## Library\n- Mon 9-17\n- Tue 9-17\n- Wed closed\n\n"
                "## Pool\n- Mon 9-17\n- Tue 9-17\n- Wed closed"
            ),
        ),
        (
            (
                f"<h2>Pancakes</h2>{items('Flour', 'Milk', 'Eggs', 'Salt')}"
                f"<h2>Crepes</h2>{items('Milk', 'Eggs', 'Flour')}"
            ),
            "## Pancakes\n- Flour\n- Milk\n- Eggs\n- Salt\n\n## Crepes\n- Milk\n- Eggs\n- Flour",
        ),
        (
            (
                "<ul class=plans><li>Basic<li>$9<li>Pro<li>$19</ul><h2>Yearly</h2>"
                "<ul class=plans><li>Basic<li>$9<li>Pro<li>$19</ul>"
            ),
            "- Basic\n- $9\n- Pro\n- $19\n\n## Yearly\n- Basic\n- $9\n- Pro\n- $19",
        ),
        (
            (
                f"<article><h2>One</h2><p>{link('Ann')}<p>x</article>"
                f"<article><h2>Two</h2><p>{link('Ann')}<p>y</article>"
            ),
            "## One\n\nAnn /ann\n\nx\n\n## Two\n\nAnn\n\ny",
        ),
        (
            f"<h3>Bees</h3>{link('Science')}<h3>Fly</h3>{link('Travel')}<h3>Stars</h3>{link('Science')}",
            "### Bees\n\nScience /science\n\n### Fly\n\nTravel /travel\n\n### Stars\n\nScience",
        ),
        (
            (
                f"<h3>Admins</h3><p>{link('Ann')}<p>{link('Bob')}<p>{link('Cy')}<p>{link('Di')}"
                f"<h3>Banned</h3><p>{link('Ann')}<p>{link('Bob')}<p>{link('Cy')}<p>{link('Di')}"
            ),
            (
                "### Admins\n\nAnn /ann\n\nBob /bob\n\nCy /cy\n\nDi /di\n\n"
                "### Banned\n\nAnn\n\nBob\n\nCy\n\nDi"
            ),
        ),
        (
            (
                f"<h2>Int:</h2><p>{link('Open')}<br>{link('Read')}<br>{link('Close')}"
                f"<h2>Safe:</h2><p>{link('Close')}<br>{link('Open')}<br>{link('Read')}"
            ),
            "## Int:\n\nOpen /open\nRead /read\nClose /close\n\n## Safe:\n\nClose\nOpen\nRead",
        ),
        (
            (
                f"<h2>Best</h2>{items(*map(link, ('Lamp', 'Tent', 'Drone')))}"
                f"<h2>Recalled</h2>{items(*map(link, ('Lamp', 'Tent', 'Drone')))}"
            ),
            (
                "## Best\n- Lamp /lamp\n- Tent /tent\n- Drone /drone\n\n"
                "## Recalled\n- Lamp\n- Tent\n- Drone"
            ),
        ),
        (
            "Linux" + items("x86", "arm", "mips") + "BSD" + items("x86", "arm", "mips"),
            "Linux\n- x86\n- arm\n- mips\nBSD\n- x86\n- arm\n- mips",
        ),
        (
            "<h2>Best</h2><a href=/k><img alt=Kettle></a><h2>All</h2><p><a href=/k>Kettle</a>",
            "## Best\n\n![Kettle]\n\n## All\n\nKettle /k",
        ),
        (
            "<h2>Best</h2><img alt=Kettle><h2>All</h2><p>Kettle",
            "## Best\n\n![Kettle]\n\n## All\n\nKettle",
        ),
        ("<p><img alt=Star><img alt=Star>", "![Star]![Star]"),
        (
            "<table><tr><td>A<td><img alt=yes><tr><td>B<td><img alt=yes></table>",
            "| A | ![yes] |\n| B | ![yes] |",
        ),
        (
            "<table><tr><td>1<td><button>Close</button><tr><td>2<td><button>Close</button></table>",
            "| 1 | [button: Close] |\n| 2 | [button: Close] |",
        ),
    ],
    ids=[
        *("cards", "questions", "steps", "hours", "ingredients", "prices", "author", "tags"),
        *("people", "functions", "products", "nested", "linked pictures", "pictures", "stars"),
        *("icons", "buttons"),
    ],
)
def test_what_stood_before_stands_again(body, expected):
    assert expected == written(body)


def test_a_picture_for_readers_without_scripts_is_given_once():
    assert "![Pic]" == written("<img data-src=x alt=Pic><noscript><img src=x alt=Pic></noscript>")


NAMES = ("News", "Shop", "Help", "Jobs")
MENU = items(*map(link, NAMES))
LINE = "- News /news Shop /shop Help /help Jobs /jobs"
REVERSED = "- Jobs\n- Help\n- Shop\n- News"
ITEMS = "- News\n- Shop\n- Help\n- Jobs"


@pytest.mark.parametrize(
    "second",
    [
        f"<footer>{MENU}</footer>",
        f"<nav>{MENU}</nav>",
        f"<div>{MENU.replace('<ul>', '<ul class=mobile-menu>')}</div>",
    ],
)
def test_a_menu_of_the_frame_is_given_once(second):
    assert f"{LINE}\n\ntext" == written(f"<nav>{MENU}</nav><p>text</p>{second}")


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (f"<main>{MENU}</main>", ITEMS),
        (f"<article><nav>{MENU}</nav></article>", ITEMS),
        (MENU, ITEMS),
        (f"<aside>{MENU}</aside>", ITEMS),
        (f"<footer><h4>Site</h4>{MENU}</footer>", f"\n#### Site\n{ITEMS}"),
        (
            f"<footer>{items(*map(link, (*NAMES, 'Team')))}</footer>",
            f"{ITEMS}\n- Team /team",
        ),
        (f"<footer>{items(*map(link, reversed(NAMES)))}</footer>", REVERSED),
        (f"<footer>{items(*NAMES)}</footer>", ITEMS),
    ],
    ids=["main", "article", "no frame", "aside", "heading", "one more", "other order", "no links"],
)
def test_a_list_that_is_no_such_menu_stays(second, expected):
    assert f"{LINE}\n\ntext\n{expected}" == written(f"<nav>{MENU}</nav><p>text</p>{second}")
