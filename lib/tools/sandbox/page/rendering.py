"""The page as HTML: all that it shows, rendered here on the server."""

import secrets
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lib.base.text import plain
from lib.tools.plot import drawn_steps
from lib.tools.sandbox.analysis_form import MAX_VARIABLES
from lib.tools.sandbox.page.alarms import alarms_of, clock_of
from lib.tools.sandbox.page.board import board_of
from lib.tools.sandbox.page.days import day_with
from lib.tools.sandbox.page.desk import DESK, Desk
from lib.tools.sandbox.page.figures import course, now_at
from lib.tools.sandbox.page.journal import journal_of
from lib.tools.sandbox.page.names import direction_of, name_of
from lib.tools.sandbox.page.plain import SCRIPT
from lib.tools.sandbox.page.presets import PRESETS
from lib.tools.sandbox.page.runs import failure_of, run_view
from lib.tools.sandbox.page.variables import variables_of, version_of
from lib.tools.sandbox.page.view import phone, pushed
from lib.tools.sandbox.trouble import KINDS, PLANS
from lib.tools.sandbox.unknowns import UNKNOWNS

RUNS_SHOWN = 12
USERS_SHOWN = 300
SPARE_ROWS = 3  # empty rows of the variables
INSTANCE = secrets.token_hex(4)  # another after a restart
TABS = {
    "run": "Run",
    "variables": "Variables",
    "trouble": "Trouble",
    "clients": "Other clients",
    "delivery": "Delivery",
}
KEPT = ("user", "other", "run", "tab", "analysis")  # what an address of the page may say

templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip
templates.filters |= {"pushed": pushed, "name": name_of, "direction": direction_of, "clock": clock_of}


def linked(request: web.Request, **changes: object) -> str:
    """The address of the page as it is shown, with changes."""
    query = {name: str(request.query.get(name, "")) for name in KEPT}
    query |= {name: str(value) for name, value in changes.items()}
    text = urlencode({name: value for name, value in query.items() if value})
    return f"/?{text}" if text else "/"


def rendered(
    request: web.Request, *, wrong: str = "", status: int = 200, variables: list[dict[str, str]] | None = None
) -> web.Response:
    desk = request.app[DESK]
    runs = list(desk.sandbox.runner.runs)
    number, tab = request.query.get("run", ""), request.query.get("tab", "")
    run = next((run for run in runs if str(run.number) == number), runs[-1] if runs else None)
    days = desk.days()
    day = day_with(days, run)
    chosen = desk.chosen(request.query.get("analysis", ""))
    own_variables = variables_of(chosen)
    newest = next(iter(days[-1:]), None)
    steps = course(desk.store.events)
    content = templates.get_template("page.html").render(
        instance=INSTANCE,
        desk=desk,
        wrong=wrong,
        link=lambda **changes: linked(request, **changes),
        tabs=TABS,
        tab=tab if tab in TABS else "run",
        people=list(desk.store.users.values())[:USERS_SHOWN],
        phones=[phone(desk.store, each, runs) for each in _shown(desk, request)],
        alarms=alarms_of(desk.store, desk.journal_of(day) if day else journal_of(desk.store, chosen)),
        is_telling=any(not each.ended for each in runs),
        board=board_of(desk, day) if day else None,
        is_newest_day=day is not None and runs[-1] in day.runs,
        analyses=list(desk.store.analyses.values()),
        chosen=chosen,
        failure=failure_of(desk.store, newest.runs, desk.beside.get(newest.number, "")) if newest else None,
        presets=PRESETS,
        script=SCRIPT.read_text(encoding="utf-8"),
        runs=[run_view(desk.store, run, whole=False) for run in runs[: -RUNS_SHOWN - 1 : -1]],
        run=run_view(desk.store, run) if run else None,
        figures=now_at(steps),
        plot=_plot(desk, steps),
        variables=own_variables if variables is None else variables,
        version=version_of(chosen),
        spare=range(min(SPARE_ROWS, MAX_VARIABLES - len(own_variables))),
        quota=desk.switches.quota_left,
        clock=desk.clock,
        switches=desk.switches,
        trouble=desk.sandbox.trouble,
        faults=[] if desk.switches.preset else desk.sandbox.trouble.faults,
        unknowns=UNKNOWNS.values(),
        facts=desk.store.facts,
        kinds=KINDS,
        plans=PLANS,
    )
    return web.Response(text=plain(content), content_type="text/html", status=status)


def _plot(desk: Desk, steps: dict[str, list[tuple[float, int]]]) -> str:
    began = min((moments[0][0] for moments in steps.values() if moments), default=0.0)
    return drawn_steps(steps, desk.store.clock(), "number", f"{datetime.fromtimestamp(began):%H:%M:%S}")


def _shown(desk: Desk, request: web.Request) -> list[str]:
    """The users of the two phones: those asked for, else the first; never the same one twice."""
    users = list(desk.store.users)
    found: list[str] = []
    for name in ("user", "other"):
        wanted = request.query.get(name, "")
        left = [each for each in users if each not in found]
        found += [wanted] if wanted in left else left[:1]
    return found
