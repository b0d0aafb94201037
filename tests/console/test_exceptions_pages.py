"""The pages of exceptions: by cause, one cause, one exception; resolving one and all, what it would do shown first."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from pathlib import Path

from tests.console.visiting import signed_in, site
from tests.pg.stage import Stage, declared

from interlock.cases.case import Case
from interlock.cases.registry import Registry
from interlock.cases.store import CaseState

SCRIPT = '"><img src=x onerror=alert(1)><script>alert(2)</script>'


class Broken(Exception):
    """What the workflow trips over."""


async def trip(case: Case) -> str:
    """Fail, with what the case says."""
    raise Broken(f"cannot go on with {case.input['customer']}")


async def test_exceptions_are_grouped_shown_in_words_and_resolved_together(database_url: str, tmp_path: Path) -> None:
    registry = Registry([declared(trip, tmp_path)])
    async with site(database_url, registry) as (node, url), Stage(node) as on, AsyncExitStack() as stack:
        await on.work()
        cases = [await on.submit(key=f"k{n}", customer=SCRIPT) for n in range(3)]
        for case in cases:
            await on.until(case, CaseState.EXCEPTION)
        ana = await signed_in(stack, node, url, "ana")
        groups = (await ana.http.get("/console/exceptions")).text
        assert "<img src=x" not in groups
        assert "3 in 7 days, 3 in the last" in groups
        found = (await on.record(cases[0])).exceptions[0]
        one = (await ana.http.get(f"/console/exceptions/{found.id}")).text
        assert "<img src=x" not in one
        assert "None: nothing went out." in one
        assert "Does not fit: no action is in doubt" in one
        path = f"/console/exceptions/{found.id}"
        unfit = await ana.http.post(path, data={"way": "took_effect", "why": "I looked"})
        assert (unfit.status_code, "took_effect does not fit" in unfit.text) == (400, True)
        broken = await ana.http.post(path, data={"way": "correct", "why": "typo", "value": "{\n x"})
        assert (broken.status_code, "line 2" in broken.text) == (400, True)
        for value in ("NaN", '{"amount": 1e999}', '{"a": 1, "a": 2}', '{"a": "\\ud800"}', "[" * 900 + "]" * 900):
            for way in ("answer", "correct"):
                loose = await ana.http.post(path, data={"way": way, "why": "typo", "value": value})
                assert (loose.status_code, 'class="refused"' in loose.text) == (400, True), (way, value[:20])
        group = f"/console/exceptions/groups/{found.fingerprint}"
        tried = (await ana.http.post(group, data={"way": "abandon", "why": "no use"})).text
        assert "Held against the oldest 3: it fits 3." in tried
        assert len([1 for case in cases if (await on.record(case)).case.state is CaseState.EXCEPTION]) == 3
        late = await on.submit(key="late", customer=SCRIPT)
        await on.until(late, CaseState.EXCEPTION)
        sent = {
            "way": "abandon",
            "why": "no use",
            **dict(re.findall(r'name="(confirmed|newest)" value="([^"]+)"', tried)),
        }
        other = await ana.http.post(group, data={**sent, "way": "retry"})
        assert (other.status_code, "not as it was shown" in other.text, "Resolve all 4" in other.text) == (
            409,
            True,
            True,
        )
        done = await ana.http.post(group, data=sent)
        assert "Abandon the case: 3 of 3" in done.text  # what was shown, and not what came after it
        assert (await on.record(late)).case.state is CaseState.EXCEPTION
        again = await ana.http.post(group, data=sent)
        assert (again.status_code, "not as it was shown" in again.text) == (409, True)
        left = (await ana.http.get(group)).text
        followed_parts = re.findall(r'id="(standing|members)" hx-get="([^"]+)"', left)
        assert (followed_parts, ": 1 case<" in left) == ([("standing", group), ("members", group)], True)
        last = (await ana.http.post(group, data={"way": "abandon", "why": "no use"})).text
        last_sent = {**sent, **dict(re.findall(r'name="(confirmed|newest)" value="([^"]+)"', last))}
        assert "1 of 1" in (await ana.http.post(group, data=last_sent)).text
        followed = await ana.http.get(group, headers={"HX-Request": "true"})
        assert (followed.status_code, "None is open any more" in followed.text) == (200, True)
        assert (await ana.http.get(group)).status_code == 404
        viewer = await signed_in(stack, node, url, "vera", ("viewer",))
        far = await signed_in(stack, node, url, "far", tenant="other")
        assert (await viewer.http.post(path, data={"way": "retry", "why": "x"})).status_code == 403
        assert (await far.http.get(path)).status_code == 404
