"""
A real Airflow API server for the browser tests: `python -m tests.browser.airflow_process PORT`.

Its environment is `demo.airflow_home.airflow_environment`. It knows the DAG, and runs it never: there is no scheduler.
"""

import os
import sys
from pathlib import Path

from demo.airflow_home import migrate_here


def main(port: int) -> None:
    """Create the database, store the DAG, and serve until the process is ended."""
    migrate_here()
    _store_dags(Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]))
    import uvicorn  # slow imports: after the environment is known to be right
    from airflow.api_fastapi.app import create_app

    uvicorn.run(create_app(apps="core"), host="127.0.0.1", port=port, log_level="warning")


def _store_dags(folder: Path) -> None:
    """Write the DAGs of *folder* to the database, as the DAG processor would."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db

    DagBundlesManager().sync_bundles_to_db()
    bag = BundleDagBag(folder, bundle_path=folder, bundle_name="dags-folder")
    if bag.import_errors:
        raise SystemExit(f"the DAGs do not import: {bag.import_errors}")
    sync_bag_to_db(bag, "dags-folder", None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
