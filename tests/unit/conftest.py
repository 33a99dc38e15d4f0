"""Properties run the same examples everywhere: a failure on one machine is a failure on all."""

from hypothesis import settings

settings.register_profile("same_everywhere", deadline=None, derandomize=True)
settings.load_profile("same_everywhere")
