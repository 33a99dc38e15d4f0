"""The AWS that `make demo`, docker compose and the tests talk to: moto, completed.

Never imported by plugins/ or dags/: production code does not know whether its endpoint is real.
"""

import gc

# Python looks for garbage at each 700 new objects: a quarter of what it takes to import moto, or Airflow beside it.
gc.set_threshold(50_000)
