"""How many examples the property tests draw.

`HYPOTHESIS_PROFILE=thorough` draws ten times more, and other ones each time.
Importing the module chooses the profile.
"""

import os

from hypothesis import HealthCheck, settings

EXAMPLES = 100

settings.register_profile(
    "ci",
    derandomize=True,
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "thorough",
    settings.get_profile("ci"),
    derandomize=False,
    max_examples=10 * EXAMPLES,
    print_blob=True,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
