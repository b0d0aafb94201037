"""Canaille, a provider of OpenID Connect, with a client and two people, in an environment of its own: see provider.py.

Its arguments are the port and where it sends people back to. It keeps everything in memory.
"""
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import sys

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend
from canaille.oidc.jose import make_default_rsa_jwk
from werkzeug.serving import make_server

PORT, BACK = int(sys.argv[1]), sys.argv[2]
CLIENT, SECRET, PASSWORD = "interlock", "known to both", "correct horse battery"


def main() -> None:
    """Serve until the process is ended."""
    key = make_default_rsa_jwk()
    app = create_app(
        config={
            "SECRET_KEY": "a test's",
            "TESTING": False,
            "CANAILLE": {"DATABASE": "memory", "ACL": {"DEFAULT": {"PERMISSIONS": ["edit_self", "use_oidc"]}}},
            "CANAILLE_OIDC": {"ACTIVE_JWKS": [key.as_dict(private=True)]},
        }
    )
    with app.app_context(), Backend.instance.session():
        people = [
            models.User(
                user_name=name, family_name=name.title(), given_name=name.title(), formatted_name=name.title(),
                emails=[f"{name}@example.com"], password=PASSWORD,
            )
            for name in ("ana", "ben")
        ]  # fmt: skip
        for person in people:
            Backend.instance.save(person)
        Backend.instance.save(models.Group(display_name="payables", members=[people[0]]))
        client = models.Client(
            client_id=CLIENT, client_secret=SECRET, client_name=CLIENT, redirect_uris=[BACK],
            client_uri="http://127.0.0.1", scope=["openid", "profile", "email", "groups"],
            grant_types=["authorization_code"], response_types=["code"],
            token_endpoint_auth_method="client_secret_basic",  # noqa: S106 - a method
        )  # fmt: skip
        Backend.instance.save(client)
        client.audience = [client]
        Backend.instance.save(client)
    make_server("127.0.0.1", PORT, app, threaded=True).serve_forever()


if __name__ == "__main__":
    main()
