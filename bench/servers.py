"""The items as a fedikit application; fedikit finds it through an entry point, as it finds anybody's."""

import wanted

from fedikit.model import Application, Context, LoginShell, Requests, Settings, SystemService
from fedikit.model.item import File


class ServersSettings(Settings):
    """Servers to measure with."""


class Servers(Application[ServersSettings]):
    """Packages, a user, and three services with their files."""

    name = "servers"

    def requests(self, settings: ServersSettings, context: Context) -> Requests:
        files = tuple(File(path=path, content=text) for path, text in wanted.files().items())
        own = {name: tuple(file for file in files if file.path.endswith(name)) for name in wanted.SERVICES}
        others = tuple(file for file in files if file.path.endswith(".conf"))
        first = wanted.SERVICES[0]
        requests: Requests = {"shell": LoginShell(packages=wanted.PACKAGES)}
        for name, unit_files in own.items():
            with_others = (*unit_files, *others) if name == first else unit_files
            requests[name] = SystemService(packages=(), unit=name, files=with_others)
        return requests
