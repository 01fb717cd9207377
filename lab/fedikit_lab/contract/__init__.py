"""Contract images: small programs that stand in for an application's own image where that is out of reach.

Each behaves as its upstream's contract says: the variables it refuses to start without, its tables, its cache, its
bucket, its administration commands and the addresses it answers. These modules run inside the images, on Debian's own
Python: the standard library, Debian's packages of libraries and drivers, and each other. Of fedikit they have
`agent/signature.py` and `model/strength.py`, which are copied along.
"""
