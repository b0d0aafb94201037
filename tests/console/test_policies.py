from __future__ import annotations

from tests.console.visiting import SignIn

from interlock.node import Node


async def test_who_may_read_policies_sees_who_may_what_and_nobody_else_does(sign_in: SignIn, node: Node) -> None:
    auditor = await sign_in("aud", ("auditor",))
    page = await auditor.http.get("/console/policies")
    assert page.status_code == 200
    assert node.authority.digest in page.text
    assert "nobody-decides-what-they-handed-in" in page.text
    row = page.text.partition("<code>queue.settle</code>")[2].partition("</tr>")[0]
    assert row.count(">may<") == 1
    assert 'title="leads-lead"' in row
    assert "<td>review, admin</td>" in row
    reviewer = await sign_in("ana", ("reviewer",))
    assert (await reviewer.http.get("/console/policies")).status_code == 403
