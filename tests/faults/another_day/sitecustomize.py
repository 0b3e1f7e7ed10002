"""What Python needs to live with libfaketime 0.9.10: on PYTHONPATH, it is imported before all else.

That library takes the moment until which Python sleeps, by the monotonic clock, for one of the clock that it changes,
and so every `time.sleep` ends in EINVAL. A select with nothing to wait for sleeps as long, and tells of no moment.
"""

import select
import time
from typing import SupportsIndex


def sleep(seconds: float | SupportsIndex, /) -> None:
    select.select([], [], [], float(seconds))


time.sleep = sleep
