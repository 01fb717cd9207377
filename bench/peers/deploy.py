"""The items for pyinfra. `wanted` is found through PYTHONPATH, the files in the folder that pyinfra is given."""

import wanted
from pyinfra import host
from pyinfra.operations import apt, files, server, systemd

apt.packages(name="packages", packages=list(wanted.PACKAGES))
server.user(name="user", user=wanted.USER, home=f"/home/{wanted.USER}", shell="/bin/bash")
for path in wanted.files():
    source = f"{host.data.get('sources')}{path}"
    files.put(name=path, src=source, dest=path, user="root", group="root", mode="644", create_remote_dir=False)
for service in wanted.SERVICES:
    systemd.service(name=service, service=service, running=True, enabled=True)
