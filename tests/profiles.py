"""How many examples the property tests draw.

`HYPOTHESIS_PROFILE=thorough` draws ten times more, and other ones each time; `brief` draws the
first few, where a run on another Python draws the rest. Importing the module chooses the profile.
"""

import os

from hypothesis import HealthCheck, settings

EXAMPLES = 100

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "ci")

settings.register_profile(
    "ci",
    derandomize=True,
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("brief", settings.get_profile("ci"), max_examples=EXAMPLES // 4)
settings.register_profile(
    "thorough",
    settings.get_profile("ci"),
    derandomize=False,
    max_examples=10 * EXAMPLES,
    print_blob=True,
)
settings.load_profile(PROFILE)


def draws(share: float) -> settings:
    """For a test whose examples are expensive: a share of the usual number."""
    return settings(max_examples=int(settings.get_profile(PROFILE).max_examples * share))
