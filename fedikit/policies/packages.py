"""Packages: Debian's unattended-upgrades, so that security updates come by themselves on hosts that reach a mirror."""

from typing import Annotated, Literal

from pydantic import Field

from fedikit.model.item import Directory, File, Item, Package, Unit
from fedikit.model.value import EmailAddress, Written

SETTINGS = "/etc/apt/apt.conf.d/90fedikit-upgrades"
"""Sorts after Debian's 50unattended-upgrades, which is the administrator's and stays as it is."""
TIMER = "apt-daily-upgrade.timer"
DROP_INS = f"/etc/systemd/system/{TIMER}.d"
ORIGINS = {
    "security": ("codename=${distro_codename}-security,label=Debian-Security",),
    "all": (
        "codename=${distro_codename}-security,label=Debian-Security",
        "codename=${distro_codename},label=Debian",
        "codename=${distro_codename}-updates,label=Debian",
    ),
}
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["03:30"])]
"""A time of day, on the host's own clock."""


class PackagesPolicy(Written):
    """Has every host that bears anything upgrade its packages by itself: fedikit's, and all others from Debian."""

    upgrades: Literal["security", "all"] = Field(
        "security", description="Security updates only, or all updates of Debian's stable release."
    )
    at: Clock = Field("03:30", description="When upgrades begin, on the host's own clock.")
    spread: Annotated[int, Field(ge=0, le=720)] = Field(
        60, description="Minutes within which they begin, so that not all hosts do at once."
    )
    reboot: Literal["never", "needed"] = Field(
        "never", description="Whether a host reboots if an upgrade needs it, such as one of the kernel."
    )
    reboot_at: Clock = Field("05:00", description="When it reboots then, on the host's own clock.")
    mail: EmailAddress | None = Field(
        None, description="Who is told of upgrades, by the host's own mail program; nobody if absent."
    )

    def items(self) -> tuple[Item, ...]:
        """What a host needs for it."""
        settings = File(path=SETTINGS, content=self._settings())
        times = File(path=f"{DROP_INS}/fedikit.conf", content=self._times())
        return (
            settings,
            Package(name="unattended-upgrades"),
            Directory(path=DROP_INS),
            times,
            Unit(name="apt-daily.timer"),
            Unit(name=TIMER, restart_on=(times.id,)),
        )

    def _settings(self) -> str:
        """Lists are cleared first: apt would add to what other files say."""
        origins = "".join(f'  "origin=Debian,{origin}";\n' for origin in ORIGINS[self.upgrades])
        mail = f'Unattended-Upgrade::Mail "{self.mail}";\nUnattended-Upgrade::MailReport "on-change";\n'
        return (
            "// Written by fedikit.\n"
            "#clear Unattended-Upgrade::Origins-Pattern;\n#clear Unattended-Upgrade::Allowed-Origins;\n"
            f"Unattended-Upgrade::Origins-Pattern {{\n{origins}}};\n"
            'APT::Periodic::Enable "1";\n'
            'APT::Periodic::Update-Package-Lists "1";\nAPT::Periodic::Unattended-Upgrade "1";\n'
            'Unattended-Upgrade::Remove-New-Unused-Dependencies "false";\n'
            'Unattended-Upgrade::Remove-Unused-Dependencies "false";\n'
            f'Unattended-Upgrade::Automatic-Reboot "{"true" if self.reboot == "needed" else "false"}";\n'
            f'Unattended-Upgrade::Automatic-Reboot-Time "{self.reboot_at}";\n'
            f"{mail if self.mail else ''}"
        )

    def _times(self) -> str:
        return f"[Timer]\nOnCalendar=\nOnCalendar=*-*-* {self.at}\nRandomizedDelaySec={self.spread}m\n"
