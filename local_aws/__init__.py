"""The AWS that `make demo`, docker compose and the tests talk to: moto, completed.

Never imported by plugins/ or dags/: production code does not know whether its endpoint is real.
"""
