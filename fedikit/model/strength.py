"""How hard a password is to guess, in bits, as the library go-password-validator (0.3) reckons; GoToSocial asks it.

Standard library only: it runs in a contract image too.
"""

from math import log2
from string import ascii_lowercase, ascii_uppercase, digits

ALPHABETS = ("!@$&*", "_-., ", "\"#%'()+/:;<=>?[\\]^{|}~", ascii_lowercase, ascii_uppercase, digits)
_ROWS = (digits, "qwertyuiop", "asdfghjkl", "zxcvbnm", ascii_lowercase)
_COUNTED = 2
"""How much of a run counts: of a letter again and again, and of letters that are neighbours."""


def strength(password: str) -> float:
    """The bits of as many letters as count, each out of all the alphabets that occur."""
    letters = set(password)
    known = sum(len(alphabet) for alphabet in ALPHABETS if letters & set(alphabet))
    size = known + len(letters.difference(*ALPHABETS))
    return len(_counted(password).encode()) * log2(size) if size else 0


def _counted(password: str) -> str:
    counted = _without_repetitions(password)
    for row in (*_ROWS, *(row[::-1] for row in _ROWS)):
        counted = _without_run(counted, row)
    return counted


def _without_repetitions(password: str) -> str:
    kept = ""
    for letter in password:
        if not kept.endswith(letter * _COUNTED):
            kept += letter
    return kept


def _without_run(password: str, row: str) -> str:
    """Takes out what goes on along a row. Having passed a row it steps over one letter, as the library does."""
    letters, place, found = list(password), 0, 0
    while place < len(letters):
        for neighbour in row:
            if place >= len(letters):
                break
            if letters[place] != neighbour:
                found = 0
            elif found < _COUNTED:
                found, place = found + 1, place + 1
            else:
                del letters[place]
        place += 1
    return "".join(letters)
