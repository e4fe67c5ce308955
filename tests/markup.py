"""Reads a page as a browser would: what of it is code in the wrong place, and what its text is."""

from __future__ import annotations

from html.parser import HTMLParser

# Elements without an end tag.
_VOID = {"meta", "link", "img", "input", "br", "hr", "path", "circle"}


class Page(HTMLParser):
    """One parsed page. `inline` lists what the strict Content-Security-Policy would refuse."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.inline: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(html)

    @property
    def text(self) -> str:
        """What a person reads, with single spaces."""
        return " ".join(" ".join(self.texts).split())

    def links(self) -> list[str]:
        """Where the links lead."""
        return [attributes["href"] for name, attributes in self.elements if name == "a" and "href" in attributes]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag == "style" or (tag == "script" and not attributes.get("src")):
            self.inline.append(f"<{tag}>")
        self.inline += [f"{tag}: {name}" for name in attributes if name == "style" or name.startswith("on")]
        self.inline += [f"{tag}: {value}" for value in attributes.values() if value.lower().startswith("javascript:")]
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if "script" not in self._open and "style" not in self._open:
            self.texts.append(data)
