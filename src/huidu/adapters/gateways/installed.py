"""The folder of the gateway that an installation has. Standard library only."""

from huidu.adapters.gateways.envoy.swap import EnvoyFolder
from huidu.adapters.gateways.folder import SwapFolder
from huidu.adapters.gateways.nginx.swap import NginxFolder
from huidu.core.places import Places


def installed_folder(places: Places) -> SwapFolder:
    """Envoy's where nothing has been laid out yet."""
    try:
        engine = (places.gateway / "engine").read_text()
    except FileNotFoundError:
        engine = EnvoyFolder.engine
    return NginxFolder(places) if engine == NginxFolder.engine else EnvoyFolder(places)
