"""Which tests a mutant of a module meets: those that import it and have no sandbox, and these besides."""

from tests.simulation.mutation import ROOT

MODULES: dict[str, tuple[str, ...]] = {
    "lib.campaign.lease": (),
    "lib.campaign.key": (),
    "lib.campaign.outcome": ("tests/test_state.py",),
    "lib.campaign.courtesy": (),
    "lib.campaign.rows": (
        "tests/test_next_steps.py",
        "tests/test_state.py",
    ),
    "lib.campaign.alarm": (),
    "lib.campaign.next_steps": (),
    "lib.campaign.fold": ("tests/test_next_steps.py", "tests/test_state.py"),
    "lib.campaign.state": ("tests/test_next_steps.py",),
    "lib.base.duration": ("tests/test_duration.py",),
    "lib.base.text": (),
    "lib.message.address": ("tests/test_user.py", "tests/test_audience.py"),
    "lib.message.alarm": ("tests/test_document.py", "tests/test_content.py"),
    "lib.message.content": (),
    "lib.message.document": (),
    "lib.message.escalation": (),
    "lib.message.icon": ("tests/test_notification.py",),
    "lib.message.mistake": (),
    "lib.message.notification": ("tests/test_notification.py",),
    "lib.message.placeholders": (),
    "lib.message.trigger": ("tests/test_trigger.py",),
    "lib.message.user": ("tests/test_user.py", "tests/test_placeholders.py"),
    "lib.delivery.window": (),
    "lib.delivery.delivery": (),
    "lib.app.settings": ("tests/test_settings.py",),
}


def files_for(module: str) -> tuple[str, ...]:
    found = []
    for path in sorted((ROOT / "tests").glob("test_*.py")):
        text = path.read_text()
        if f"from {module} import" in text and "from lib.tools." not in text:
            found.append(f"tests/{path.name}")
    named = [name for name in MODULES.get(module, ()) if (ROOT / name).exists()]
    return tuple(dict.fromkeys([*found, *named]))
