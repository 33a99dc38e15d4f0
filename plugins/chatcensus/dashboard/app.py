"""
The dashboard in Airflow's web server: a FastAPI app behind Airflow's own login, which answers GET and changes nothing.

Who may read the runs of `chat_census` in Airflow may read all of it, and nobody else any of it. It reads what `publish`
has released, and the ledger; never Athena, and never the conversation table.
"""

import gzip
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache, partial
from itertools import product
from typing import Annotated, Any, get_args

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
from airflow.sdk.exceptions import AirflowException
from botocore.exceptions import BotoCoreError, ClientError
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.middleware import Middleware

from chatcensus.aws.trials import TRIAL
from chatcensus.dashboard.fresh import Fresh, TooManyLoads, begin
from chatcensus.dashboard.headers import FOR_EVER, HEADERS, SecurityHeaders
from chatcensus.dashboard.language import chosen_language
from chatcensus.dashboard.page import LANGUAGES, Page, page_html, static_files
from chatcensus.dashboard.published import PublishedReport, Report
from chatcensus.dashboard.runs import DAG_ID, MAX_RUNS, Row, read_run, read_runs
from chatcensus.dashboard.sources import client
from chatcensus.dashboard.trials import read_trial, read_trials
from chatcensus.errors import ChatCensusError

log = logging.getLogger(__name__)

FRESH_SECONDS = 2  # what readers see is not older than that, and AWS is not asked more often
MAX_WATCHED = 64  # runs, and lists of runs, that are kept for that time

_HTML = "text/html; charset=utf-8"
_AWAY = "The data of the dashboard cannot be read now. The log of Airflow's web server says why."
_NOT_PUBLISHED = "Nothing is published yet. The first run of chat_census that publishes brings the report."
_ANOTHER_DAG = {
    "en": "This tab belongs to the DAG chat_census; there is nothing to see here for another DAG.",
    "ja": "このタブは DAG「chat_census」のものです。ほかの DAG については表示するものがありません。",
}

RunId = Annotated[str, Query(min_length=1, max_length=250)]  # as long as Airflow's own column
Trial = Annotated[str, Query(pattern=TRIAL)]
RunIds = Annotated[list[RunId], Query(max_length=MAX_RUNS)]


def dashboard_app() -> FastAPI:
    """Return the app; every route of it asks first who the reader is, and then whether this reader may."""
    app = FastAPI(
        title="Chat Census",
        dependencies=[
            Depends(get_user),
            Depends(requires_access_dag("GET", DagAccessEntity.RUN, param_dag_id=DAG_ID)),
        ],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers=_HANDLERS,
        lifespan=_prepared,
        redirect_slashes=False,  # a redirect would be an answer that nobody has logged in for
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    _add_pages(app)
    _add_report(app)
    _add_runs(app)
    _add_trials(app)
    return app


@asynccontextmanager
async def _prepared(_: FastAPI) -> AsyncIterator[None]:
    """Make in the background what takes a second or two, so that the first reader does not wait for it."""
    begin(_make_files)
    for service in ("s3", "dynamodb"):
        begin(partial(client, service))
    yield


def _make_files() -> None:
    for name in static_files():
        _compressed_file(name)
    for page, language in product(get_args(Page), LANGUAGES):
        _compressed_page(page, language)


def _add_pages(app: FastAPI) -> None:
    """Add what holds no data: the pages and the files they are made of; kept in memory, so no AWS is asked."""

    @app.get("/")
    def report_page(request: Request, lang: str = "", dag_id: str = DAG_ID) -> Response:
        return _page(request, "report", lang, dag_id)

    @app.get("/run")
    def run_page(request: Request, lang: str = "", dag_id: str = DAG_ID) -> Response:
        return _page(request, "run", lang, dag_id)

    @app.get("/trials")
    def trials_page(request: Request, lang: str = "", dag_id: str = DAG_ID) -> Response:
        return _page(request, "trials", lang, dag_id)

    @app.get("/static/{name}")
    def static(request: Request, name: str, v: str = "") -> Response:
        # A mounted folder would not ask who the reader is; and of a table no path leads anywhere else.
        file = static_files().get(name)
        if file is None:
            raise HTTPException(404, "There is no such file.")
        response = _compressible(request, file.body, lambda: _compressed_file(name), file.content_type)
        if v == file.version:
            response.headers["Cache-Control"] = FOR_EVER
        return response


def _add_report(app: FastAPI) -> None:
    published = PublishedReport()
    fresh: Fresh[None, Report | None] = Fresh(lambda _: published.read(), FRESH_SECONDS)

    @app.get("/report.json")
    async def report(request: Request) -> Response:
        made = await fresh.get(None)
        if made is None:
            raise HTTPException(404, _NOT_PUBLISHED)
        headers = {"ETag": made.etag}
        if made.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return _compressible(request, made.body, lambda: made.compressed, "application/json", headers)


def _add_runs(app: FastAPI) -> None:
    one: Fresh[str, Row | None] = Fresh(read_run, FRESH_SECONDS, MAX_WATCHED)
    many: Fresh[tuple[str, ...], dict[str, Row]] = Fresh(read_runs, FRESH_SECONDS, MAX_WATCHED)

    @app.get("/run.json")
    async def run(run_id: RunId) -> JSONResponse:
        row = await one.get(run_id)
        if row is None:
            raise HTTPException(404, "The ledger knows no such run of chat_census.")
        return JSONResponse(row)

    @app.get("/runs.json")
    async def runs(run_id: RunIds) -> JSONResponse:
        return JSONResponse(await many.get(tuple(sorted(run_id))))


def _add_trials(app: FastAPI) -> None:
    one: Fresh[str, Row | None] = Fresh(read_trial, FRESH_SECONDS, MAX_WATCHED)
    all_: Fresh[None, list[Row]] = Fresh(read_trials, FRESH_SECONDS)

    @app.get("/trials.json")
    async def trials() -> JSONResponse:
        return JSONResponse(await all_.get(None))

    @app.get("/trial.json")
    async def trial(trial: Trial) -> JSONResponse:
        report = await one.get(trial)
        if report is None:
            raise HTTPException(404, "There is no such trial of model_trial.")
        return JSONResponse(report)


def _page(request: Request, page: Page, lang: str, dag_id: str) -> Response:
    language = chosen_language(lang, request.headers.get("accept-language", ""))
    headers = {"Content-Language": language, "Vary": "Accept-Encoding, Accept-Language"}
    if dag_id != DAG_ID:  # Airflow shows a plugin's tab on every DAG
        return Response(_ANOTHER_DAG[language], 404, headers, "text/plain; charset=utf-8")
    body = page_html(page, language).encode()
    return _compressible(request, body, lambda: _compressed_page(page, language), _HTML, headers)


def _compressible(
    request: Request,
    body: bytes,
    compressed: Callable[[], bytes],
    media_type: str,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return *body*, compressed by us where the browser takes that: Airflow would do it anew for each reader."""
    headers = {"Vary": "Accept-Encoding"} | (headers or {})
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(compressed(), headers=headers | {"Content-Encoding": "gzip"}, media_type=media_type)
    return Response(body, headers=headers, media_type=media_type)


@cache
def _compressed_file(name: str) -> bytes:
    return gzip.compress(static_files()[name].body, mtime=0)


@cache
def _compressed_page(page: Page, language: str) -> bytes:
    return gzip.compress(page_html(page, language).encode(), mtime=0)


def _unreadable(_: Request, error: Exception) -> JSONResponse:
    """Say that it cannot be read; what went wrong is for the log alone, and there without what AWS says about it."""
    if isinstance(error, ClientError):
        log.warning("%s answered %s", error.operation_name, error.response["Error"]["Code"])
    elif isinstance(error, ChatCensusError):
        log.warning("%s", error)
    else:
        log.warning("the dashboard's data cannot be read (%s)", type(error).__name__)
    return JSONResponse({"detail": _AWAY}, 503)


def _invalid(_: Request, error: Exception) -> JSONResponse:
    """Name the parameters that are wrong, and do not repeat what they hold."""
    wrong = error.errors() if isinstance(error, RequestValidationError) else []
    names = ", ".join(sorted({str(each["loc"][1]) for each in wrong}))
    return JSONResponse({"detail": f"This is missing, too long or too many: {names}"}, 422)


def _broken(_: Request, __: Exception) -> JSONResponse:
    """Answer for a fault of ours; it goes on to the log of the web server. This one stands outside the middleware."""
    return JSONResponse({"detail": "The dashboard failed. The log of Airflow's web server says why."}, 500, HEADERS)


_HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Any]] = {
    ClientError: _unreadable,
    BotoCoreError: _unreadable,
    ChatCensusError: _unreadable,
    AirflowException: _unreadable,  # the connection is not there
    TooManyLoads: _unreadable,
    RequestValidationError: _invalid,
    Exception: _broken,
}
