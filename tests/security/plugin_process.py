"""
What Airflow has of our plugin, as JSON, in a fresh process: `python plugin_process.py FOLDER...`.

One entry for each plugins folder; they share the seconds that Airflow takes to be imported, and nothing else.
"""

import json
import sys
from typing import Any


def main(folders: list[str]) -> None:
    """Load the plugins of each folder as every component does, then ask for what the web server alone needs."""
    told = []
    for folder in folders:
        sys.path.insert(0, folder)
        told.append(_told(folder))
        sys.path.remove(folder)
        for name in [name for name in sys.modules if name.partition(".")[0] == "chatcensus"]:
            del sys.modules[name]
    sys.stdout.write(json.dumps(told))


def _told(folder: str) -> dict[str, Any]:
    from airflow import plugins_manager, settings

    settings.PLUGINS_FOLDER = folder
    plugins_manager._get_plugins.cache_clear()
    plugins_manager.get_fastapi_plugins.cache_clear()
    plugins, errors = plugins_manager._get_plugins()
    held = sorted(name for name in sys.modules if name.partition(".")[0] == "chatcensus")
    views = [view for plugin in plugins for view in plugin.external_views if plugin.name == "chatcensus"]
    apps, _ = plugins_manager.get_fastapi_plugins()
    return {"errors": errors, "held_before": held, "views": views, "apps": [_app(app) for app in apps]}


def _app(app: dict[str, Any]) -> dict[str, Any]:
    from chatcensus.dashboard import page

    return {
        "prefix": app["url_prefix"],
        "routes": [route.path for route in app["app"].routes],
        "pages": {name: page.page_html(name, "ja") for name in ("report", "run")},
        "from": page.__file__,
    }


if __name__ == "__main__":
    main(sys.argv[1:])
