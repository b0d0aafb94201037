"""What an exception's page shows of what it is about; correcting from it and going on; which ways fit a group."""

from __future__ import annotations

import json
import re
from contextlib import AsyncExitStack
from html import unescape

import msgspec
import pytest
from tests.console.visiting import signed_in
from tests.pg.privacy.world import ADA, CLEAR, Payroll, flow, master_key, settings_of
from tests.pg.stage import Stage

from interlock.api.serve import serving
from interlock.cases.registry import Registry
from interlock.cases.store import CaseState
from interlock.cases.submit import submit
from interlock.console.app import create_site
from interlock.node import open_node
from interlock.privacy.token import MARKER


async def test_an_exception_shows_what_it_is_about_is_corrected_in_its_form_and_leads_to_the_next(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with master_key(monkeypatch), Payroll(status=422) as payroll:
        async with (
            open_node(settings_of(database_url, payroll.url), registry=Registry([flow()])) as node,
            serving(create_site(node), "127.0.0.1", 0) as url,
            Stage(node) as on,
            AsyncExitStack() as stack,
        ):
            await on.work()
            raised = node.registry.all[0]
            cases = [
                (await submit(
                    node.writer, node.tenant, raised, key=key, data=json.dumps(ADA).encode(), levels=node.levels
                )).case_id
                for key in ("k1", "k2")
            ]  # fmt: skip
            for case in cases:
                await on.until(case, CaseState.EXCEPTION)
            raised_of = {(await on.record(case)).exceptions[0].id: case for case in cases}
            cases = [raised_of[one] for one in sorted(raised_of)]  # the oldest first
            first, second = [(await on.record(case)).exceptions[0] for case in cases]
            ana, at = await signed_in(stack, node, url, "ana"), f"/console/exceptions/{first.id}"

            group = unescape((await ana.http.get(f"/console/exceptions/groups/{first.fingerprint}")).text)
            for said in ("Try again: 2 of 2", "Correct the input: 2 of 2", f'href="{at}">Begin with', "in doubt"):
                assert said in group, said
            assert re.search(r'value="took_effect" disabled[^>]*>It took effect: 0 of 2', group)
            assert not re.search(r'value="retry" disabled', group)

            page = unescape((await ana.http.get(at)).text)
            for said in (
                "What it is about", "<dd>k1</dd>", "The decision behind it", "proposed by rules:approve-raise@1",
                "It went by itself", "What the action asks for", "Dear (personal)!", "It was sent once, last 20",
                f"under the key {node.tenant.hex}/raises/tell/k1", "decide approve (step 0): done",
                '<kbd aria-hidden="true">1</kbd>', '<kbd aria-hidden="true">Ctrl Enter</kbd>',
            ):  # fmt: skip
                assert said in page, said
            assert not [one for one in (*CLEAR, MARKER, 'start="0"') if one in page]

            fields = dict(re.findall(r'<input[^>]* name="(output:[^"]+)"[^>]* value="([^"]*)"', page))
            assert (fields["output:/grade"], fields["output:/email"]) == ("7", "(personal)")
            sent = {"way": "correct", "why": "misread", "then": "next", **fields}
            same = await ana.http.post(at, data=sent)
            assert (same.status_code, "nothing is changed" in same.text) == (422, True)
            wrong = await ana.http.post(at, data={**sent, "output:/grade": "x7"})
            assert (wrong.status_code, 'value="x7"' in wrong.text) == (422, True)
            forged = await ana.http.post(at, data={**sent, "output:/name": "(personal) (personal)"})
            assert (forged.status_code, "stands where none was" in forged.text) == (422, True)

            gone = await ana.http.post(at, data={**sent, "output:/grade": "8"})
            assert (gone.status_code, gone.headers["Location"].partition("?")[0]) == (
                303, f"/console/exceptions/{second.id}"
            )  # fmt: skip
            again = (await on.record(cases[0])).case
            before, now = (msgspec.json.decode(one.input) for one in ((await on.record(cases[1])).case, again))
            assert (again.run, now["grade"], MARKER in now["email"]) == (2, 8, True)
            assert now["email"] == before["email"], "the corrected input holds the same person's tokens"

            bo = await signed_in(stack, node, url, "bo")
            held = (await bo.http.get(f"/console/exceptions/{second.id}")).text
            assert re.search(r'data-refuses="1 2 [^"]*ctrl\+enter">ana works on it', held)
