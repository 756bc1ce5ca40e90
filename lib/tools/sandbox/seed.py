"""A dozen believable users of a TagoRUN, so that there is somebody to notify."""

from lib.tools.sandbox.store import Record, Store

# name, timezone, language, company, active, tags
PEOPLE = [
    ("Ana Souza", "America/Sao_Paulo", "pt-BR", "Polar Foods", True, "group=maintenance site=recife"),
    ("Ben Carter", "America/New_York", "en-US", "Polar Foods", True, "group=maintenance site=albany"),
    ("Chloé Martin", "Europe/Paris", "fr", "Froid & Fils", True, "group=maintenance"),
    ("Daniel Weber", "Europe/Berlin", "de", "Kühlhaus Weber", True, "group=maintenance role=supervisor"),
    ("Emi Tanaka", "Asia/Tokyo", "ja", "Hokkai Reizō", True, "group=maintenance"),
    ("Femi Okafor", "Africa/Lagos", "en", "Lagos Cold Chain", True, "group=maintenance"),
    ("Grace Lim", "Asia/Singapore", "en", "Harbour Cold", False, "group=maintenance"),
    ("Hugo Silva", "America/Sao_Paulo", "pt", "Polar Foods", True, "group=maintenance role=supervisor"),
    ("Ingrid Dahl", "Europe/Oslo", "nb", "Fjordfrys", True, "group=office"),
    ("Jon O'Neil", "America/Chicago", "en-US", "Polar Foods", True, "group=office role=manager"),
    ("Kavya Rao", "Asia/Kolkata", "en-IN", "Himalaya Dairy", True, "group=office"),
    ("Luca Bianchi", "Europe/Rome", "it", "Gelato Bianchi", True, "group=office"),
]
TAG_KEY, TAG_VALUE = "group", "maintenance"
PASSWORD = "sandbox"
DEVELOPER = "developer@example.com"  # whose account it is


def seed_users(store: Store) -> None:
    for number, (name, timezone, language, company, active, tags) in enumerate(PEOPLE):
        store.add_user(
            {
                "name": name, "email": f"{name.split()[0].lower().replace('é', 'e')}@example.com", "timezone": timezone,
                "language": language, "company": company, "active": active, "password": PASSWORD,
                "phone": f"+1555010{number:04d}",
                "last_login": None if name == "Emi Tanaka" else store.now(),
                "tags": [dict(zip(("key", "value"), tag.split("="), strict=True)) for tag in tags.split()],
            }
        )  # fmt: skip


ALLOWED = ["access", "create_notification", "access_notification", "edit_notification"]


def seed_analysis(store: Store, variables: dict[str, str], *, with_policy: bool = True, **more: object) -> Record:
    """An Analysis as a developer has it after the set-up: its variables, and a policy for its own token."""
    listed = [{"key": key, "value": value} for key, value in variables.items()]
    analysis = store.add_analysis({"name": "Notify", "runtime": "python-rt2025", "variables": listed, **more})
    if with_policy:
        store.policies["seeded"] = {
            "id": "seeded", "name": "notify", "active": True, "tags": [],
            "targets": [["analysis", "id", analysis["id"]]],
            "permissions": [
                {"effect": "allow", "action": ALLOWED, "resource": ["run_user"]},
                {"effect": "allow", "action": ["access_profile"], "resource": ["account"]},
                {"effect": "allow", "action": ["access"], "resource": ["device"]},
            ],
        }  # fmt: skip
    return analysis
