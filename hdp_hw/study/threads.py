"""Threads that share work out."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def threads(n: int) -> Iterator[ThreadPoolExecutor]:
    """Executor of ``n`` threads. An error cancels what has not begun; an interruption does not wait for the rest."""
    pool, wait = ThreadPoolExecutor(n), True
    try:
        yield pool
    except KeyboardInterrupt:
        wait = False
        raise
    finally:
        pool.shutdown(wait, cancel_futures=True)
