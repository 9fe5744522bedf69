"""What a page refers to, and whether it is well-formed."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_EMPTY = ("meta", "link", "img", "br", "input")


class Outline(HTMLParser):
    """Collects a page's links and text, and checks that every tag is closed in turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.open: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.ids: list[str] = []
        self.feed(html)

    @property
    def text(self) -> str:
        """The page's text, white space folded."""
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag and what it refers to."""
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "data", "srcset")]
        if tag not in _EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag that closes itself."""
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the tag that was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note text, but not the style sheet's."""
        if "style" not in self.open:
            self.words.append(data)


def check_self_contained(html: str) -> Outline:
    """Return the page's outline; fails unless it is well-formed and needs nothing beside itself."""
    outline = Outline(html)
    assert outline.open == []
    assert all(link.startswith(("data:", "#")) for link in outline.links)
    assert all(link[1:] in outline.ids for link in outline.links if link.startswith("#"))
    assert len(set(outline.ids)) == len(outline.ids)
    assert not re.search(r"https?://|@import|url\(|<script", html)
    assert 'name="viewport"' in html and "prefers-color-scheme: dark" in html
    return outline
