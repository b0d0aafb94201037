"""Days from columns of text. Pure."""

from __future__ import annotations

import polars as pl

from interlock.packs.reconciliation.statements.dialect import ISO, date_pattern


def iso_days(texts: pl.Expr) -> pl.Expr:
    """The days of ISO 8601 dates and moments, as written, in whatever time zone; null for what is none."""
    return days_in(texts, ISO)


def days_in(texts: pl.Expr, dates: str) -> pl.Expr:
    """The days of texts in a declared form; null for what is none. ``%y`` is a year from 2000 to 2099.

    Args:
        texts: A column of text.
        dates: A form, as ``Dialect.dates``.
    """
    pattern = date_pattern(dates)
    groups = texts.str.strip_chars(" \t").str.extract_groups(pattern)
    full = groups.struct.field("Y") if "<Y>" in pattern else pl.lit("20") + groups.struct.field("y")
    iso = pl.concat_str(
        full, pl.lit("-"), groups.struct.field("m").str.zfill(2), pl.lit("-"), groups.struct.field("d").str.zfill(2)
    )
    return iso.str.to_date("%Y-%m-%d", strict=False)
