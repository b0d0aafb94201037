"""The bytes that a statement is read from."""

from __future__ import annotations

from pathlib import Path

from interlock.errors import NotFound, StatementUnreadable

LARGEST = 512 * 1024 * 1024
"""Bytes of one file; the file is in memory as a whole while it is read."""


def bytes_of(data: bytes | Path) -> bytes:
    """The bytes, or those of the file.

    Raises:
        NotFound: no such file, or one that cannot be read.
        StatementUnreadable: it is too large, or empty.
    """
    if isinstance(data, Path):
        try:
            size = data.stat().st_size
            _bound(size)
            data = data.read_bytes()
        except (OSError, ValueError) as cause:
            said = cause.strerror if isinstance(cause, OSError) else "no path"
            raise NotFound(f"the file cannot be read: {said}", where=str(data), todo="see that it is there") from cause
    _bound(len(data))
    if not data.strip(b" \t\r\n\0"):
        raise StatementUnreadable("the file is empty", todo="ask who sent it for the file again")
    return data


def decoded(data: bytes, encoding: str) -> str:
    """Text, without a byte order mark.

    Raises:
        StatementUnreadable: it is not of this encoding; the byte is named.
    """
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as cause:
        byte = data[cause.start : cause.start + 1].hex()
        raise StatementUnreadable(
            f"the text is not {encoding}: byte 0x{byte} at {cause.start:,}: {cause.reason}",
            where=f"line {data.count(10, 0, cause.start) + 1}",
            todo="declare the encoding in which it is written",
        ) from cause
    except (UnicodeError, LookupError) as cause:
        raise StatementUnreadable(
            f"the text is not {encoding}: {str(cause)[:100]}", todo="declare the encoding in which it is written"
        ) from cause


def marked_encoding(data: bytes) -> str:
    """The encoding that a byte order mark says; empty if there is none."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"),
                           (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):  # fmt: skip
        if data.startswith(mark):
            return encoding
    return ""


def plain_word(text: str) -> str:
    """A number of an account without white space and control characters."""
    return "".join(one for one in text if one.isprintable() and not one.isspace())


def one_line_end(text: str) -> str:
    """Text whose lines all end with a line feed, whatever mixture of CR and LF they had."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _bound(size: int) -> None:
    if size > LARGEST:
        raise StatementUnreadable(
            f"the file has {size:,} bytes, and at most {LARGEST:,} are read", todo="have it sent in pieces"
        )
