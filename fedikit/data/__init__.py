"""The data of applications: backups that hosts make by themselves, asked for here, and restores."""
