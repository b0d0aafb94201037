from __future__ import annotations

import re

import pytest

from interlock.api.trace import begin_trace

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize("version", ["00", "01", "cc"])
def test_a_trace_goes_on_under_a_span_of_its_own(version: str) -> None:
    trace = begin_trace([(b"traceparent", f"{version}-{TRACE}-{SPAN}-01".encode())])

    assert (trace.id, trace.flags) == (TRACE, "01")
    assert trace.span != SPAN
    assert trace.parent == f"00-{TRACE}-{trace.span}-01"


def test_a_later_version_may_say_more() -> None:
    assert begin_trace([(b"traceparent", f"01-{TRACE}-{SPAN}-01-more".encode())]).id == TRACE


@pytest.mark.parametrize(
    "header",
    [
        "",
        "x",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_what_is_malformed_begins_a_new_trace(header: str) -> None:
    trace = begin_trace([(b"traceparent", header.encode())])

    assert trace.id != TRACE
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", trace.parent)


def test_two_headers_begin_a_new_trace() -> None:
    header = (b"traceparent", f"00-{TRACE}-{SPAN}-01".encode())

    assert begin_trace([header, header]).id != TRACE
