# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "tagoio-sdk==5.1.8",
#   "python-dotenv==1.2.4",
#   "structlog==26.1.0",
#   "certifi==2026.10.18",
#   "tzdata==2026.6",
#   "apprise==2.2.0",
# ]
# ///
"""Notify TagoRUN users who carry a tag, with up to four buttons; see README.md.

It runs when you press Run, when an Action triggers it, or on an Action's schedule. Set it up once:

 1. In TagoIO's admin open My Account and select your profile.
 2. Under Tokens create one that never expires, and copy it. (Or leave account_token empty and give this Analysis an
    Access Management policy with Run User: Access, Create, Access and Edit notification.)
 3. Install this as an Analysis (runtime python-rt2025) and open its Environment Variables.
 4. account_token: the token you copied.    5. tag_key, tag_value: a tag that your users have.
 6. No tag yet? Add one in User Management > a user > Tags.       7. dry_run = true shows who would be told what.
 8. Press Save, then Run.                   9. Change `compose` below; make an Action to run it.

Every variable: account_token, tag_key, tag_value, send_to, notification, dry_run, max_recipients, rate_limit,
time_budget, hand_on, delivery_log_token, opt_out_tag, quiet_hours, cooldown, fallback,
remind_after, log_level, region, probed.
"""

import sys
from pathlib import Path

import structlog

from lib.app.console import Console
from lib.app.dispatch import Dispatch
from lib.app.plan import Plan
from lib.app.press_run import PressRun
from lib.app.preview import preview
from lib.app.settings import read_settings
from lib.app.start import start
from lib.base.log import set_up_log
from lib.message.alarm import AllClear
from lib.message.content import Content
from lib.message.notification import Button, Notification
from lib.message.trigger import read_trigger
from lib.tagoio.transport import TagoIO

# ---------------------------------------------------------------------------------------------------- EDIT ME

WARM_ABOVE = 8  # your users are told of a fridge that is warmer, in the unit of its sensor


def compose(trigger, user):
    """The notification for one user, or None to leave this user out. Called for every user, more than once."""
    buttons = []  # four at most; others: page="/dashboards/info/…" (in TagoIO) or link="https://…" for analysis=
    if trigger.analysis_id:  # a run from a laptop has no Analysis that could answer
        buttons = [Button("acknowledge", "Acknowledge", color="green", analysis="this")]
    temperature = trigger.value("temperature")  # a number; None where this run brought none
    if temperature is None and trigger.kind == "manual":  # you pressed Run
        return Notification(
            title="Test of the fridge alarm",
            message=f"{user.name}, this is a test: nothing was measured. When a fridge is warmer than {WARM_ABOVE}, "
            "this says which one and how warm.",
            buttons=buttons,
        )
    if temperature is None:
        return None
    measured = f"{temperature} {trigger.unit('temperature')}".strip()
    if temperature <= WARM_ABOVE:
        return AllClear("temperature", f"Back to normal: {measured}")
    return Notification(
        title=f"{trigger.device_name or 'A fridge'} is warm",
        message=f"{user.name}, it is at {measured}, and more than {WARM_ABOVE} is too warm. Please check the door.",
        buttons=buttons,
        alarm="temperature",  # with a journal one at a time for each fridge, until the AllClear above
    )


def decide(press):
    """What to do when a user pressed a button that runs this Analysis: a lamp to switch, a ticket to open.

    press.user, .button (its id), .label, .at, .seconds_after. The text is added to everybody's copy with the time.
    """
    if press.button == "acknowledge":
        return f"Acknowledged by {press.user.name}"
    return f"{press.label}: {press.user.name}"


# ------------------------------------------------------------------------------------------------- the entrypoint


def notify(context, scope, variables):
    """One run, step by step; the exit code. What has to be fixed first is raised as a SetupError."""
    # What is configured, and why this run happened.
    settings = read_settings(context.environment, variables, context.token)
    set_up_log(settings.log_level, *settings.secrets())
    console, log = Console(context.log), structlog.get_logger()
    trigger = read_trigger(context.environment, scope, context.analysis_id)
    tago = TagoIO(settings.account_token)

    # A pressed button is answered; it never sends another round.
    if trigger.press:
        answer = PressRun(tago, settings, decide)
        code = answer.perform(trigger.press, trigger.analysis_id)
        console.say(answer.lines)
        log.info("press.finished", outcome=answer.outcome, button=trigger.press.button_id)
        return code

    # Who gets what: this run's audience, and what earlier runs left, or what is due as nobody has answered.
    plan = Plan(tago, settings, console, Content(compose, settings.notification, tago.name_of_device))
    plan.make(trigger)
    if settings.dry_run:
        console.say(preview(plan))
        return 0

    # Tell them, and say what became of each.
    plan.check()
    report = Dispatch(plan, trigger, decide).perform()
    console.say(report.summary())
    log.info("run.finished", trigger=trigger.kind, campaigns=plan.keys, **report.figures())
    return report.exit_code


if __name__ == "__main__":
    sys.exit(start(notify, Path(__file__).parent))
