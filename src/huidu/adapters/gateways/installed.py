"""The folder of the gateway that an installation has. Standard library only."""

from huidu.adapters.gateways.envoy.swap import EnvoyFolder
from huidu.adapters.gateways.folder import SwapFolder, both
from huidu.adapters.gateways.nginx.swap import NginxFolder
from huidu.core.places import Places

_KINDS: dict[bytes, type[SwapFolder]] = {kind.engine.encode(): kind for kind in (EnvoyFolder, NginxFolder)}


def installed_folder(places: Places) -> SwapFolder:
    """Envoy's where nothing has been laid out yet, and where neither the file nor its copy names a gateway."""
    for path in both(places.gateway / "engine"):
        try:
            named = _KINDS.get(path.read_bytes().strip())
        except OSError:
            continue
        if named is not None:
            return named(places)
    # Files that only nginx has.
    return (NginxFolder if (places.gateway / "nginx" / "state.json").exists() else EnvoyFolder)(places)
