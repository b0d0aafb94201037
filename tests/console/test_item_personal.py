"""The page of a review whose personal data stand hidden, and are shown for a purpose."""

from __future__ import annotations

import json
import re
from contextlib import AsyncExitStack
from html import unescape

import pytest
from tests.console.visiting import signed_in
from tests.pg.privacy.world import ADA, Payroll, flow, master_key, settings_of
from tests.pg.stage import Stage

from interlock.api.serve import serving
from interlock.cases.registry import Registry
from interlock.cases.submit import submit
from interlock.console.app import create_site
from interlock.node import open_node


async def test_whoever_was_shown_the_personal_data_can_approve_from_that_page(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with master_key(monkeypatch), Payroll() as payroll:
        async with (
            open_node(settings_of(database_url, payroll.url), registry=Registry([flow()])) as node,
            serving(create_site(node), "127.0.0.1", 0) as url,
            Stage(node) as on,
            AsyncExitStack() as stack,
        ):
            await on.work()
            raised, data = node.registry.all[0], json.dumps({**ADA, "salary": "6217.43"}).encode()
            await submit(node.writer, node.tenant, raised, key="k", data=data, levels=node.levels)
            (review,) = await on.wait_for_reviews()
            ana = await signed_in(stack, node, url, "ana", ("reviewer", "lead", "admin"))
            at = f"/console/reviews/{review.id}"
            seen = (await ana.http.post(f"{at}/personal", data={"purpose": "payroll"})).text
            assert ADA["email"] in seen
            shown = re.search(r'name="shown" value="([^"]+)"', seen)
            assert shown is not None
            sent = {
                "resolution": "approve",
                "reason_approve": "as_proposed",
                "then": "stay",
                "shown": unescape(shown[1]),
            }
            form = dict(re.findall(r'<input[^>]* name="(output:[^"]+)"[^>]* value="([^"]*)"', seen))
            assert "(personal)" in form.values()
            sent.update({name: unescape(value) for name, value in form.items()})
            for name, options in re.findall(r'<select[^>]* name="(output:[^"]+)".*?>(.*?)</select>', seen, re.DOTALL):
                sent[name] = "".join(re.findall(r'value="([^"]*)" selected', options))
            for name, text in re.findall(
                r'<textarea[^>]* name="(output:[^"]+)".*?>\n(.*?)</textarea>', seen, re.DOTALL
            ):
                sent[name] = unescape(text)
            assert (await ana.http.post(f"{at}/decide", data=sent)).status_code == 303
