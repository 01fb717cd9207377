"""How the values of variables must look, in a pattern for the program and in words for people."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """How the value of a variable must look; a value that does not is never shown, as it may be a secret."""

    pattern: str
    words: str

    def fits(self, value: str) -> bool:
        return re.fullmatch(self.pattern, value) is not None


_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
HOST = Form(rf"{_LABEL}(\.{_LABEL})*", "a bare host name, without scheme, port or slash")
HOST_AND_PORT = Form(rf"{_LABEL}(\.{_LABEL})*(:[0-9]{{1,5}})?", "a host name, with no more than a port behind it")
URL = Form(r"https?://[^\s/\"']+(/[^\s\"']*)?", "an address that begins with http:// or https://")
BASE64_32 = Form(r"base64:[A-Za-z0-9+/]{43}=", "base64: and 32 random bytes in base64")
HEX_64 = Form(r"[0-9a-f]{64}", "64 hexadecimal digits")
HEX_128 = Form(r"[0-9a-f]{128}", "128 hexadecimal digits")
ALPHANUMERIC_32 = Form(r"[A-Za-z0-9]{32}", "32 letters and digits")
NUMBER = Form(r"[0-9]{1,9}", "a number")
FLAG = Form(r"true|false", "true or false")
ADDRESS = Form(r"[^@\s\"']+@[^@\s\"'.]+(\.[^@\s\"'.]+)+", "an e-mail address")
FROM = Form(r"([^<>\"]+ <)?[^@\s<>\"']+@[^@\s<>\"']+>?", "an e-mail address, or a name and <address>")
BUCKET = Form(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "a bucket's name")
ANY = Form(r"[^\r\n]+", "one line of text")
