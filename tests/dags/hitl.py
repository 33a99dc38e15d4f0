"""
Answers the questions of a running DAG to a person (Airflow's human-in-the-loop tasks), as the UI would.

The run is a child process that waits inside the task; the answer goes through the very function of Airflow's public API
(`PATCH …/taskInstances/{task}/-1/hitlDetails`) into the same database. Nothing is faked: a second answer gets its 409.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from demo.progress import LocalAirflow, Step

PATIENCE_S = 60.0
_LOOK_AGAIN_S = 0.1
_AWAITED = ("awaiting_input", "deferred")


@dataclass(frozen=True)
class Question:
    """What a person is asked: all of it is kept in Airflow's database."""

    subject: str
    body: str
    options: list[str]
    params: dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What a person says: the option, and what was typed into the form of the task's own params."""

    option: str
    params: dict[str, Any] = field(default_factory=dict)
    by: str = "hanako"


class People:
    """
    Those who answer the tasks of one Airflow.

    Shape: *database_url* is its `AIRFLOW__DATABASE__SQL_ALCHEMY_CONN`.
    """

    def __init__(self, airflow: LocalAirflow, database_url: str) -> None:
        self.airflow, self.database_url = airflow, database_url
        self.steps: list[Step] = []
        self.asked: dict[str, Question] = {}

    def run(
        self, dag_id: str, conf: dict[str, Any], run_id: str, answers: Mapping[str, Callable[[Question], Answer]]
    ) -> str:
        """
        Run the DAG and return the state of the run; each task of *answers* is answered once it waits.

        Shape: the functions of *answers* are called while the task waits, so that a test may do there what a person
        does before answering. `steps` and `asked` hold what happened.
        """
        self.steps, self.asked = [], {}

        def on_step(step: Step) -> None:
            self.steps.append(step)
            if step.state == "started" and step.task_id in answers:
                self._answer(dag_id, run_id, step.task_id, answers[step.task_id])

        return self.airflow.run_dag(dag_id, conf, run_id, on_step)

    def rows(self, query: str) -> list[Any]:
        """Return what Airflow's own database answers."""
        engine = create_engine(self.database_url)
        try:
            with engine.connect() as connection:
                return list(connection.execute(text(query)))
        finally:
            engine.dispose()

    def ended(self, task_id: str) -> list[str]:
        """How the tries of a task ended."""
        return [
            step.state for step in self.steps if step.task_id == task_id and step.state not in ("started", "progress")
        ]

    def _answer(self, dag_id: str, run_id: str, task_id: str, answer_of: Callable[[Question], Answer]) -> None:
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
        from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
        from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail

        engine = create_engine(self.database_url, connect_args={"timeout": PATIENCE_S})
        try:
            self.asked[task_id] = _awaited(engine, dag_id, run_id, task_id)
            answer = answer_of(self.asked[task_id])
            payload = UpdateHITLDetailPayload(chosen_options=[answer.option], params_input=answer.params)
            with Session(engine) as session, session.begin():
                user = SimpleAuthManagerUser(username=answer.by, role="admin")
                update_hitl_detail(dag_id, run_id, task_id, payload, user, session)
        finally:
            engine.dispose()


def _awaited(engine: Any, dag_id: str, run_id: str, task_id: str) -> Question:
    """Return what the task asks, once it waits for the answer."""
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance

    for _ in range(int(PATIENCE_S / _LOOK_AGAIN_S)):
        with Session(engine) as session:
            task = session.query(TaskInstance).filter_by(dag_id=dag_id, run_id=run_id, task_id=task_id).one()
            asked = session.get(HITLDetail, task.id)
            if asked and task.state in _AWAITED:
                return Question(asked.subject, asked.body or "", list(asked.options), dict(asked.params or {}))
        time.sleep(_LOOK_AGAIN_S)
    raise TimeoutError(f"{task_id} of run {run_id!r} does not wait for anybody, its state is {task.state}")
