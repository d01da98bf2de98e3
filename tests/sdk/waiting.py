"""Waiting for conditions. Nothing here waits for a time: the limit only turns a hang into a failure."""

import time

LIMIT = 60.0


def until(condition, what, limit=LIMIT):
    """Returns the first true result of `condition`; fails with `what` after `limit` seconds."""
    end = time.monotonic() + limit
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit:.0f} s: {what() if callable(what) else what}")
        time.sleep(0.02)
