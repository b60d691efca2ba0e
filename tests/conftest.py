"""Hypothesis profiles: the default one repeats itself, so that `main` is green or red for everybody
alike; the long one (SIMSWARM_LONG=1) looks further, with other examples at every run."""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

# a suite started in the background inherits an ignored SIGINT, and so would every process it starts
signal.signal(signal.SIGINT, signal.default_int_handler)

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile(
    "default", deadline=None, derandomize=True, print_blob=True, suppress_health_check=_SLOW
)
settings.register_profile(
    "long", deadline=None, print_blob=True, max_examples=1000, suppress_health_check=_SLOW
)
settings.load_profile("long" if os.environ.get("SIMSWARM_LONG") else "default")
