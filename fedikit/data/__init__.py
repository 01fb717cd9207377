"""The data of applications: backed up by their hosts, listed and restored from here."""
