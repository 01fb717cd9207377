"""Taking applications along: all their data in upstream's own formats, and a README that restores it without fedikit.

export     the whole story: `export_data`
wanted     which applications on which hosts, and what of them
stream     from a host, by a program that travels there
folder     where it is written to, so that what was cut off goes on
parts      a part's stream becomes files
objects    a bucket's objects become files, and lists of them
belongings what the application was given besides: variables, secrets, files
readme     how it is restored
"""

from fedikit.data.export.export import export_data

__all__ = ["export_data"]
