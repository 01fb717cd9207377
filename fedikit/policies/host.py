"""Policies of what is right on the host: login shells, services of Debian's packages, and plain items."""

from typing import ClassVar

from fedikit.model.check import ShellCommandPrints
from fedikit.model.item import Package, Unit, User
from fedikit.model.policy import CannotFulfil, Place, Policy, Provision
from fedikit.model.request import HostItems, LoginShell, SystemService
from fedikit.model.value import PublicKey, UnixName, Written


class LoginShellPolicy(Written, Policy[LoginShell]):
    """Makes packages available in a login shell: of a user of its own, or of everybody on the host."""

    fulfils: ClassVar = LoginShell
    user: UnixName | None = None
    """The user whose login shell it is, created if need be; everybody on the host if absent. Not a name that the
    host has as a group already, such as Debian's operator."""
    authorized_keys: tuple[PublicKey, ...] = ()
    """Public keys with which the user may log in over SSH."""

    def provide(self, request: LoginShell, place: Place) -> Provision:
        packages = (*request.packages, "sudo") if request.wheel else request.packages
        return Provision(
            items=(*(Package(name=name) for name in packages), *self._accounts(request, place)),
            checks=tuple(
                ShellCommandPrints(
                    application=place.application,
                    host=place.host,
                    command=example.command,
                    expected=example.prints,
                    user=self.user,
                )
                for example in request.examples
            ),
        )

    def _accounts(self, request: LoginShell, place: Place) -> tuple[User, ...]:
        if self.user:
            groups = ("sudo",) if request.wheel else ()
            return (User(name=self.user, groups=groups, authorized_keys=self.authorized_keys),)
        if request.wheel:
            raise CannotFulfil(
                "policies.login-shell.user", f"is missing, but {place.application} wants a user who may use sudo"
            )
        return ()


class ServicePolicy(Written, Policy[SystemService]):
    """Runs services from Debian's packages under systemd, right on the host."""

    fulfils: ClassVar = SystemService

    def provide(self, request: SystemService, place: Place) -> Provision:
        packages = tuple(Package(name=name) for name in request.packages)
        unit = Unit(name=request.unit, restart_on=tuple(file.id for file in request.files))
        items = (*packages, *request.directories, *request.files, *request.setup, unit)
        return Provision(items=items, opens=place.opens(request.open, request.unit))


class ItemsPolicy(Written, Policy[HostItems]):
    """Puts items on the host, just as they are."""

    fulfils: ClassVar = HostItems

    def provide(self, request: HostItems, place: Place) -> Provision:
        return Provision(items=request.items)
