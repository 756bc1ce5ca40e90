"""A command at a terminal: what is typed, what shows, and how it ends; for tests."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping

from tests.conftest import BARE, ROOT, Ran

PATIENCE = 60.0  # seconds
CTRL_C, CTRL_D = "\x03", "\x04"


def at_terminal(*arguments: str, answers: Mapping[str, str], **env: str) -> Ran:
    """Each answer is typed once the text before it shows; CTRL_C comes as the signal that it is. All that shows stands
    in `out`."""
    ours, its = pty.openpty()
    command = [sys.executable, "-m", *arguments]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**BARE, **env}, stdin=its, stdout=its, stderr=its, start_new_session=True
    )
    os.close(its)
    shown, waiting, until = "", dict(answers), time.monotonic() + PATIENCE
    try:
        while time.monotonic() < until:
            if select.select([ours], [], [], 0.05)[0]:
                try:
                    shown += os.read(ours, 65536).decode(errors="replace")
                except OSError:  # nobody has it open any more
                    break
            for question in [each for each in waiting if each in shown]:
                answer = waiting.pop(question)
                if answer == CTRL_C:
                    time.sleep(0.5)  # the question shows a moment before anybody reads the answer
                    process.send_signal(signal.SIGINT)
                else:
                    os.write(ours, (answer if answer == CTRL_D else f"{answer}\n").encode())
        code = process.wait(10)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return Ran(code, shown.replace("\r\n", "\n"), "")
