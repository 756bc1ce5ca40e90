"""Secrets in the sandbox: values that nobody can read back, and that a policy grants to an Analysis by a tag (D
secrets.md; C whl Secrets.py). That a key is taken once is a guess (U), as are the texts of the refusals."""

from aiohttp import web

from lib.tools.sandbox.app import answered, body, number_of, store_of
from lib.tools.sandbox.listing import read_fields, read_filters
from lib.tools.sandbox.records import found_in, profile_only
from lib.tools.sandbox.refusal import Refusal
from lib.tools.sandbox.store import Record, new_id

routes = web.RouteTableDef()

LONGEST = 2048  # characters, D secrets.md
HIDDEN = "value"


@routes.get("/secrets")
async def list_secrets(request: web.Request) -> web.Response:
    profile_only(request)
    page, amount = number_of(request, "page", 1), number_of(request, "amount", 20)
    wanted = read_filters(request).get("tags") or []
    found = [each for each in store_of(request).kept_secrets.values() if all(tag in each["tags"] for tag in wanted)]
    found.sort(key=lambda each: str(each["key"]))
    fields = [field for field in dict.fromkeys(["id", *(read_fields(request) or ["key"])]) if field != HIDDEN]
    listed = found[(page - 1) * amount : page * amount]
    return answered([{name: each[name] for name in fields if name in each} for each in listed])


@routes.post("/secrets")
async def create_secret(request: web.Request) -> web.Response:
    profile_only(request)
    store, given = store_of(request), body(request)
    for name in ("key", HIDDEN):
        if not given.get(name):
            raise Refusal(400, f"{name}: Required")
    if any(each["key"] == given["key"] for each in store.kept_secrets.values()):
        raise Refusal(400, "Secret key already in use")
    secret = {"id": new_id(), "tags": [], "created_at": store.now(), **_checked(given)}
    store.kept_secrets[secret["id"]] = secret
    return answered({"id": secret["id"]})


@routes.get("/secrets/{id}")
async def secret_info(request: web.Request) -> web.Response:
    profile_only(request)
    secret = found_in(store_of(request).kept_secrets, request, "Secret")
    shown = {name: value for name, value in secret.items() if name != HIDDEN}
    return answered({**shown, "value_length": len(secret[HIDDEN])})


@routes.put("/secrets/{id}")
async def edit_secret(request: web.Request) -> web.Response:
    profile_only(request)
    secret = found_in(store_of(request).kept_secrets, request, "Secret")
    secret.update({name: value for name, value in _checked(body(request)).items() if name in (HIDDEN, "tags")})
    return answered("Successfully Updated")


@routes.delete("/secrets/{id}")
async def delete_secret(request: web.Request) -> web.Response:
    profile_only(request)
    del store_of(request).kept_secrets[found_in(store_of(request).kept_secrets, request, "Secret")["id"]]
    return answered("Successfully Removed")


def _checked(given: Record) -> Record:
    if len(str(given.get(HIDDEN, ""))) > LONGEST:
        raise Refusal(400, f"{HIDDEN}: String must contain at most {LONGEST} character(s)")
    return {**given, "tags": given.get("tags") or []}
