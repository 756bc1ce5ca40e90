"""A sandbox in a process of its own, so that its processor time is not the client's."""

import contextlib
import multiprocessing
import ssl
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import trustme

from lib.tools.sandbox.seed import seed_analysis
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.trouble import Trouble

TAGS = [{"key": "group", "value": "all"}]
OLDER = "From before"  # one in each inbox: a list that has never shown anything proves nothing


@dataclass
class Stats:
    """`received` counts the notifications of each user who has any."""

    received: Counter[str]
    refused: int
    posts: int
    connections: int


@dataclass
class Remote:
    """What the client's side knows of the server."""

    api: str
    token: str
    analysis_token: str
    journal_token: str
    users: list[str]
    certificate: str
    pipe: Any

    def trouble(self, **fields: Any) -> None:
        """New trouble, and nobody told yet."""
        self.pipe.send(fields)
        self.pipe.recv()

    def stats(self) -> Stats:
        self.pipe.send(None)
        stats: Stats = self.pipe.recv()
        return stats


@contextlib.contextmanager
def remote_sandbox(users: int, *, tls: bool = False) -> Iterator[Remote]:
    ours, theirs = multiprocessing.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        process = multiprocessing.get_context("spawn").Process(
            target=_serve, args=(theirs, users, tls, folder), daemon=True
        )
        process.start()
        about = ours.recv()
        try:
            yield Remote(**about, pipe=ours)
        finally:
            process.terminate()
            process.join()


def _serve(pipe: Connection, users: int, tls: bool, folder: str) -> None:
    sandbox = Sandbox()
    ids = [
        sandbox.store.add_user({"name": f"User {n}", "email": f"{n}@example.com", "active": True, "tags": TAGS})["id"]
        for n in range(users)
    ]
    sandbox.store.limits["push_notification"] = 10**9
    analysis = seed_analysis(sandbox.store, {})
    context, certificate = None, ""
    if tls:
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        certificate = str(Path(folder) / "ca.pem")
        authority.cert_pem.write_to_path(certificate)
    with sandbox.running(ssl=context):
        from lib.tools.sandbox.store import Identity

        pipe.send(
            {
                "api": sandbox.api,
                "token": sandbox.store.profile_token,
                "analysis_token": sandbox.store.token_for(Identity("analysis", str(analysis["id"]))),
                "journal_token": sandbox.store.add_device({"name": "journal"})[1],
                "users": ids,
                "certificate": certificate,
            }
        )
        while True:
            asked = pipe.recv()
            if asked is None:
                notes = [note for note in list(sandbox.store.notifications.values()) if note["title"] != OLDER]
                received = Counter(note["run_user"] for note in notes)
                posts = sum(method == "POST" and path.startswith("/run/notif") for method, path in sandbox.store.log)
                pipe.send(Stats(received, sandbox.trouble.refused, posts, sandbox.trouble.connections))
                continue
            sandbox.store.notifications.clear()
            sandbox.store.inboxes.clear()
            _fill_inboxes(sandbox, ids)
            sandbox.store.log.clear()
            fresh = Trouble(**asked)
            sandbox.trouble.__dict__.update(fresh.__dict__)
            pipe.send("done")


def _fill_inboxes(sandbox: Sandbox, users: list[str]) -> None:
    for user in users:
        note = sandbox.store.notify({"run_user": user, "title": OLDER, "message": "m"})
        note["created_at"] = "2026-01-01T00:00:00.000Z"
