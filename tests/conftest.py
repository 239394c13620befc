"""Settings that every test shares.

Hypothesis is deterministic in CI and exploring on a laptop; a deadline would only measure the machine.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("laptop", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("laptop"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "laptop")
