"""The secret under which users and conversation ids become pseudonyms."""

from airflow.sdk import Variable

from chatcensus.errors import SetupError

SHORTEST = 16  # characters


def read_secret(variable: str) -> str:
    """
    Return the secret that the Airflow Variable *variable* holds; read when a task runs, never when a DAG is parsed.

    Errors: SetupError, which tells its length alone, when it is too short to keep pseudonyms from being undone.
    """
    secret = str(Variable.get(variable, default=""))
    if len(secret) < SHORTEST:
        raise SetupError(
            f"the Variable {variable!r} must hold a secret of at least {SHORTEST} characters, it has {len(secret)}: "
            f"without it, users could be told from their pseudonyms"
        )
    return secret
