"""A plug-in of pytest for the trials: few examples, the same each time."""

from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "mutants", derandomize=True, max_examples=15, deadline=None, database=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
