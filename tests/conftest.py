"""How thorough the property tests are: bounded in CI, deeper on demand (HYPOTHESIS_PROFILE=deep)."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("quick", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("deep", max_examples=2_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

from tests.live.servers import kafka, redis_server  # noqa: E402,F401 - fixtures of every test
from tests.stores import (  # noqa: E402,F401 - the same
    empty_url,
    engine,
    postgresql,
    postgresql_store,
    sqlite_template,
    store,
    template,
    url,
)
