"""The elements of an OFX file, in both of its notations, as a flat list. Pure.

OFX 1.x is SGML whose leaves need no end tags; OFX 2.x is XML. The body of both is the same list of elements without
attributes, so one small reader serves both; no library does that under a licence and in a state that we could build on
(ofxtools is under the GPL; ofxparse has had no release since 2021). There are no entities beside those of XML and
numbered characters, so nothing can grow and nothing is fetched. Source: Open Financial Exchange 1.6 and 2.3, chapters 2
and 11.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from interlock.errors import StatementUnreadable
from interlock.packs.reconciliation.statements.source import decoded, marked_encoding

_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9_.]{0,63})\s*/?>")
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&nbsp;": " ", "&amp;": "&"}
_ENTITY = re.compile("|".join([*_ENTITIES, "&#[0-9]{1,7};", "&#[xX][0-9A-Fa-f]{1,6};"]))
_SURROGATES = range(0xD800, 0xE000)
_BEYOND = 0x110000
_CDATA, _CDATA_END = "<![CDATA[", "]]>"
_HEADER = re.compile(r"(?im)^\s*([A-Z]+):([A-Z0-9.\-]+)\s*$")
_XML_ENCODING = re.compile(rb"""<\?xml[^>]{0,200}encoding=["']([A-Za-z0-9._\-]{1,40})["']""")
_HEAD = 2_000


class Mark(msgspec.Struct, frozen=True):
    """One tag.

    Attributes:
        name: In capitals.
        text: What follows it up to the next tag, without white space around it.
        ends: Whether it is an end tag.
        start: Where it begins in the text.
        end: Where what follows it ends.
        line: Its line, from 1.
    """

    name: str
    text: str
    ends: bool
    start: int
    end: int
    line: int


def text_of(data: bytes) -> str:
    """The text of an OFX file, by the encoding that it declares.

    Raises:
        StatementUnreadable: it is of another encoding, or declares a document type.
    """
    marked = marked_encoding(data)
    text = decoded(data, marked or _encoding(data))
    if "<!DOCTYPE" in text[:_HEAD].upper() or "<!ENTITY" in text.upper():
        raise StatementUnreadable(
            "the file declares a document type, which a statement never has",
            todo="it may be an attack: ask who sent it before you do anything with it",
        )
    return text


def _encoding(data: bytes) -> str:
    head = data[:_HEAD]
    declared = _XML_ENCODING.search(head)
    if declared:
        return declared.group(1).decode("ascii")
    header = dict(_HEADER.findall(head.partition(b"<")[0].decode("latin-1").upper()))
    if header.get("ENCODING", "").replace("-", "") in {"UTF8", "UNICODE"}:
        return "utf-8"
    charset = header.get("CHARSET", "")
    if charset.isdigit():
        return f"cp{charset}"
    if charset.startswith("ISO-8859-"):
        return charset.lower()
    return "cp1252" if header else "utf-8"


def marks_of(text: str) -> Iterator[Mark]:
    """The tags of a text in order, from ``<OFX>`` to ``</OFX>``.

    Args:
        text: The file.

    Raises:
        StatementUnreadable: one of the two is missing: it is no OFX, or cut off.
    """
    begin = text.upper().find("<OFX>")
    if begin < 0:
        raise StatementUnreadable("the file has no <OFX>", todo="ask who sent it for the OFX file of the account")
    if "</OFX>" not in text[-_HEAD:].upper():
        raise StatementUnreadable(
            "the file ends before </OFX>", where=f"line {text.count(chr(10)) + 1}",
            todo="it was cut off on its way: ask who sent it for the file again",
        )  # fmt: skip
    text = _without_cdata(text)
    last: re.Match[str] | None = None
    line = text.count("\n", 0, begin) + 1
    for match in _TAG.finditer(text, begin):
        if last is not None:
            yield _mark(text, last, match.start(), line)
            line += text.count("\n", last.start(), match.start())
        last = match
    if last is not None:
        yield _mark(text, last, len(text), line)


def _without_cdata(text: str) -> str:
    """A text whose CDATA sections are text with entities; one that never ends stays as it is."""
    pieces: list[str] = []
    place = 0
    while (begin := text.find(_CDATA, place)) >= 0 and (end := text.find(_CDATA_END, begin)) >= 0:
        inner = text[begin + len(_CDATA) : end].replace("&", "&amp;").replace("<", "&lt;")
        pieces += [text[place:begin], inner]
        place = end + len(_CDATA_END)
    return "".join([*pieces, text[place:]]) if pieces else text


def _mark(text: str, match: re.Match[str], end: int, line: int) -> Mark:
    said = text[match.end() : end].strip()
    if "&" in said:
        said = _ENTITY.sub(_meant, said)
    return Mark(match[2].upper(), said, bool(match[1]), match.start(), end, line)


def _meant(found: re.Match[str]) -> str:
    """What an entity stands for; a number that is no character stays as it is."""
    text = found.group()
    if not text.startswith("&#"):
        return _ENTITIES[text]
    digits = text[2:-1]
    place = int(digits[1:], 16) if digits[0] in "xX" else int(digits)
    return chr(place) if place < _BEYOND and place not in _SURROGATES else text
