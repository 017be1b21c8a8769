"""The words that all parts of Envoy's configuration share. They are plain values, written as JSON."""

from typing import Any

Json = dict[str, Any]

TYPE = "type.googleapis.com/envoy"


def typed(kind: str, **fields: Any) -> Json:
    """A message that says what it is: `extensions.filters.http.router.v3.Router`."""
    return {"@type": f"{TYPE}.{kind}", **fields}


def extension(name: str, kind: str, **fields: Any) -> Json:
    return {"name": name, "typed_config": typed(kind, **fields)}


def discovery(version: str, resources: list[Json]) -> Json:
    """The envelope of a file that Envoy watches."""
    return {"version_info": version, "resources": resources}


def watched_file(folder: str, name: str) -> Json:
    """Where Envoy reads a discovery response, again after each rename in its folder."""
    source = {"path": f"{folder}/{name}", "watched_directory": {"path": folder}}
    return {"resource_api_version": "V3", "path_config_source": source}


def header(key: str, value: str, action: str = "OVERWRITE_IF_EXISTS_OR_ADD") -> Json:
    """A header that is set or, by another action, appended."""
    return {"header": {"key": key, "value": value}, "append_action": action}
