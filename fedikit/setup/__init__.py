"""The first hour: what an operator answers becomes the two files and the keys, and hosts come into them."""
