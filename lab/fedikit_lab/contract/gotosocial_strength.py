"""What would make a password harder to guess, as upstream's go-password-validator (0.3) says it."""

from fedikit.model.strength import ALPHABETS


def advice(password: str) -> str:
    """What would make it harder to guess, in upstream's words."""
    letters = set(password)
    signs, (lower, upper, numbers) = ALPHABETS[:3], (letters & set(kind) for kind in ALPHABETS[3:])
    lacks_signs = not all(letters & set(kind) for kind in signs)
    told = ["including more special characters"] if lacks_signs else []
    told += [] if lower else ["using lowercase letters"]
    told += [] if upper else ["using uppercase letters"]
    told += [] if numbers else ["using numbers"]
    return " or ".join(filter(None, (", ".join(told), "using a longer password")))
