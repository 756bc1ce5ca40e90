"""Which of several runs answers a press, on a device of the sandbox."""

from typing import Any

import pytest

from lib.campaign.rows import PRESS, Row, decision_row
from lib.presses.answer import Answers
from lib.tagoio.inbox import Inbox
from tests.test_journal import KEY, Kept, kept  # noqa: F401  # a fixture

OTHER = "b" * 12


@pytest.mark.parametrize(("claimed_by", "is_mine"), [(["own", "other"], True), (["other"], False), ([], True)])
def test_who_took_a_press_up_first_answers_it(kept: Kept, claimed_by: list[str], is_mine: bool) -> None:  # noqa: F811
    journal = kept.journal()
    device: Any = journal.device
    runs = {"own": journal.run, "other": OTHER}
    about = {"run": journal.run, "user": "u1", "notification": "n1", "button": "ack"}
    device.write([Row(KEY, PRESS, "ack", about)])
    for name in claimed_by:
        device.write([decision_row(KEY, "taken", runs[name], journal.run)])
    state = kept.state()
    answers = Answers(kept.tago.run, Inbox(kept.tago.run), journal, lambda _: None, sleep=kept.slept.append)
    assert answers.is_mine(state, state.presses[journal.run]) is is_mine
