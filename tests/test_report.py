import pytest

from lib.app.report import Report
from lib.base.text import NAMES_SHOWN
from lib.campaign.outcome import Outcome
from lib.campaign.state import CampaignState


def report(*statuses: str) -> Report:
    state = CampaignState("k")
    made = Report("this run", {"k": state}, seconds=2.0)
    state.settle(Outcome("x", "of another run", "failed", run="another"))
    for number, status in enumerate(statuses):
        reason = "" if status == "sent" else f"{status} because"
        state.settle(Outcome(f"u{number}", f"Ana {number}", status, reason, run="this run"))  # type: ignore[arg-type]
    return made


@pytest.mark.parametrize(
    ("statuses", "code"),
    [(["sent"], 0), (["sent", "skipped"], 0), ([], 0), (["failed"], 1), (["unknown"], 1), (["sent", "pending"], 1)],
)
def test_the_exit_code_is_0_when_everyone_was_sent_to_or_left_out_by_a_rule(statuses: list[str], code: int) -> None:
    assert report(*statuses).exit_code == code


def test_the_summary_groups_by_outcome_and_reason_with_names() -> None:
    made = report("sent", "failed", "failed", "skipped")
    made.notes.append("remark")
    assert list(made.summary()) == [
        "Notified 1 of 4 users in 2.0 s",
        "  sent         1   TagoIO accepted it",
        "  skipped      1   left out by a rule",
        "             skipped because: Ana 3",
        "  failed       2   not told",
        "             failed because: Ana 1, Ana 2",
        "  note: remark",
    ]


def test_an_escalation_is_told_from_a_round() -> None:
    state = CampaignState("k")
    made = Report("this run", {"k": state}, seconds=2.0)
    assert next(made.summary()) == "Notified nobody: there was nobody to tell, in 2.0 s"
    for number in range(4):
        state.settle(Outcome(f"u{number}", "", "sent", step=1, run="this run"))
    assert next(made.summary()) == "Notified 4 of 4 users by escalation, step 1, in 2.0 s"
    state.settle(Outcome("u9", "", "sent", run="this run"))
    assert next(made.summary()) == "Notified 5 of 5 users, 4 of them by escalation, in 2.0 s"


def test_many_names_are_cut_with_their_number() -> None:
    assert list(report(*["failed"] * (NAMES_SHOWN + 5)).summary())[-1].endswith("and 5 more")


def test_the_figures_are_those_of_the_log_line() -> None:
    assert report("sent", "pending").figures() == {
        "sent": 1, "fallback": 0, "skipped": 0, "held": 0, "failed": 0, "unknown": 0, "pending": 1, "seconds": 2.0,
    }  # fmt: skip
