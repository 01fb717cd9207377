"""The program that backs up and restores an application on its own host; standard library only, Python 3.11 or newer.

It is brought to hosts file by file, as the package `onhost` in /usr/local/lib/fedikit-data, and runs there without
the deployer. Nothing of fedikit is imported, so imports are relative.
"""
