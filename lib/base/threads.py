"""The one loop of worker threads: daemons, so that what hangs keeps no run from ending; watched over from the main
one."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")

TICK = 0.1  # seconds between two looks at the threads


def work_in_threads(
    work: Callable[[], None],
    number: int,
    *,
    tick: Callable[[], object] = lambda: None,
    is_over: Callable[[], bool] = lambda: False,
    on_interrupt: Callable[[], None] | None = None,
) -> bool:
    """Run `work` in so many threads and wait for them, until `is_over`: then they are left behind, and False is
    returned.

    `tick` is called all the time meanwhile; Ctrl-C calls `on_interrupt` and the waiting goes on, or ends it if there is
    none.
    """
    threads = [threading.Thread(target=work, daemon=True) for _ in range(number)]
    for thread in threads:
        thread.start()
    while True:
        try:
            for thread in threads:
                while thread.is_alive():
                    if is_over():
                        return False
                    thread.join(TICK)
                    tick()
            return True
        except KeyboardInterrupt:
            if on_interrupt is None:
                raise
            on_interrupt()


def each_in_threads(
    items: Iterable[Item],
    do: Callable[[Item], None],
    number: int,
    *,
    tick: Callable[[], object] = lambda: None,
    is_over: Callable[[], bool] = lambda: False,
    on_interrupt: Callable[[], None] | None = None,
) -> list[Item]:
    """`do` each, so many at a time; returns those that were not begun when it was over."""
    waiting = deque(items)

    def work() -> None:
        while not is_over():
            try:
                item = waiting.popleft()
            except IndexError:
                return
            do(item)

    if waiting:
        work_in_threads(work, min(number, len(waiting)), tick=tick, is_over=is_over, on_interrupt=on_interrupt)
    return list(waiting)
