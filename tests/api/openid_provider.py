"""A real OpenID provider (canaille) on loopback, in a process of its own: `… openid_provider.py PORT REDIRECT_URI`.

Three people, each in a group of their own, and one client.
"""

from __future__ import annotations

import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

PASSWORD = "correct horse battery"
SECRET = "the secret of tokgate at the provider"
CLIENT = "tokgate"


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def serve(port: int, redirect_uri: str) -> None:
    from canaille import create_app
    from joserfc.jwk import RSAKey

    key = RSAKey.generate_key(2048)
    app = create_app(
        {
            "SECRET_KEY": "of this process alone",
            "SERVER_NAME": f"127.0.0.1:{port}",
            "PREFERRED_URL_SCHEME": "http",
            "CANAILLE": {"DATABASE": "memory", "SMTP": None, "LOGGING": None},
            "CANAILLE_OIDC": {"ACTIVE_JWKS": [key.as_dict(private=True)]},
        },
        env_file=None,
    )
    with app.app_context():
        _furnish(app, redirect_uri)
    server = make_server("127.0.0.1", port, app, handler_class=Quiet)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    server.serve_forever()


def _furnish(app: object, redirect_uri: str) -> None:
    from canaille.app import models
    from canaille.backends import Backend

    backend = Backend.instance
    people = {}
    for name, given in (("anna", "Anna"), ("bert", "Bert"), ("carl", "Carl")):
        people[name] = models.User(
            user_name=name,
            display_name=name,
            formatted_name=f"{given} Example",
            given_name=given,
            family_name="Example",
            emails=[f"{name}@example.test"],
            password=PASSWORD,
        )
        backend.save(people[name])
    for group, members in (("tokgate-admins", ["anna"]), ("berlin-helpdesk", ["bert"]), ("strangers", ["carl"])):
        backend.save(models.Group(display_name=group, members=[people[name] for name in members]))
    client = models.Client(
        client_id=CLIENT,
        client_secret=SECRET,
        client_name=CLIENT,
        client_uri="http://127.0.0.1",
        redirect_uris=[redirect_uri],
        post_logout_redirect_uris=[redirect_uri.replace("/auth/oidc/callback", "/login")],
        grant_types=["authorization_code"],
        response_types=["code"],
        scope=["openid", "profile", "email", "groups"],
        token_endpoint_auth_method="client_secret_basic",
    )
    backend.save(client)
    client.audience = [client]
    backend.save(client)


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2])
