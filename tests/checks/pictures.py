"""A small picture and a tiny video to upload: made here, byte by byte, so that no binary file lies in the repository.

The video is H.264 in MP4 whose blocks carry their samples as they are (I_PCM): any decoder plays it, and no encoder is
needed. ITU-T H.264 7.3 gives the order of the fields, ISO/IEC 14496-12 that of the boxes.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator

Colour = tuple[int, int, int]
_BLOCK = 16  # an H.264 macroblock is 16×16
_FRAMES_A_SECOND = 4


def picture(width: int = 320, height: int = 200) -> bytes:
    """A PNG of coloured squares, unlike any picture that an application brings along."""
    rows = (b"\0" + bytes(sample for x in range(width) for sample in _colour(x, y)) for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def _colour(x: int, y: int) -> Colour:
    column, row = x // 20, y // 20
    return 15 * column % 256, 25 * row % 256, 255 if (column + row) % 2 else 60


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def video(columns: int = 16, rows: int = 9, frames: int = 8) -> bytes:
    """An MP4 of a bright square that wanders over a dark ground; `columns` and `rows` are of 16 pixels each."""
    samples = [_framed(_picture_unit(number, columns, rows)) for number in range(frames)]
    kind = _box(b"ftyp", b"isom" + struct.pack(">I", 512) + b"isomiso2avc1mp41")
    return kind + _movie(samples, columns, rows, start=len(kind) + 8) + _box(b"mdat", *samples)


# The pictures of the video


def _picture_unit(number: int, columns: int, rows: int) -> bytes:
    """One whole picture: a slice whose blocks are plain samples."""
    here = number % (columns * rows)
    head = [_ue(0), _ue(7), _ue(0), "0000", _ue(number % 2), "00", _se(0)]  # first block, I, parameters, frame, IDR id
    bits, blocks = "".join(head), []
    for block in range(columns * rows):
        bits += _ue(25)  # I_PCM
        blocks.append(_packed(bits))
        blocks.append(bytes([235 if block == here else 60]) * _BLOCK**2 + b"\x5a" * 64 + bytes([200 - 8 * number]) * 64)
        bits = ""
    return _unit(0x65, b"".join(blocks) + b"\x80")


def _sequence_parameters(columns: int, rows: int) -> bytes:
    numbers = (0, 0, 2, 0)  # this set, frame numbers of 4 bits, order as decoded, no reference pictures
    bits = "".join(map(_ue, numbers)) + "0" + _ue(columns - 1) + _ue(rows - 1) + "1" + "0" * 3
    return _unit(0x67, bytes([66, 0xC0, 13]) + _packed(bits + "1"))


def _picture_parameters() -> bytes:
    bits = _ue(0) + _ue(0) + "00" + _ue(0) * 3 + "000" + _se(0) * 3 + "000"
    return _unit(0x68, _packed(bits + "1"))


def _ue(number: int) -> str:
    """Exp-Golomb code."""
    digits = f"{number + 1:b}"
    return "0" * (len(digits) - 1) + digits


def _se(number: int) -> str:
    return _ue(2 * number - 1 if number > 0 else -2 * number)


def _packed(bits: str) -> bytes:
    """Bits as bytes, filled up with zeros."""
    return bytes(int(bits[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(bits), 8))


def _unit(kind: int, content: bytes) -> bytes:
    """A unit of the stream, in which no three bytes look like the start of another."""
    kept = bytearray([kind])
    zeros = 0
    for byte in content:
        if zeros == 2 and byte <= 3:
            kept.append(3)
            zeros = 0
        kept.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(kept)


def _framed(unit: bytes) -> bytes:
    return struct.pack(">I", len(unit)) + unit


# The boxes around them


def _movie(samples: list[bytes], columns: int, rows: int, *, start: int) -> bytes:
    """The box that says where each picture is; `start` is what stands before it, and before the data."""
    without = _movie_box(samples, columns, rows, first=0)
    return _movie_box(samples, columns, rows, first=start + len(without))


def _movie_box(samples: list[bytes], columns: int, rows: int, *, first: int) -> bytes:
    length = len(samples)
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    head = struct.pack(">5IIH10x", 0, 0, 0, _FRAMES_A_SECOND, length, 0x10000, 0x100) + matrix + bytes(24) + b"\0\0\0\2"
    size = struct.pack(">II", columns * _BLOCK << 16, rows * _BLOCK << 16)
    track = struct.pack(">6I8x4H", 3, 0, 0, 1, 0, length, 0, 0, 0, 0) + matrix + size
    media = struct.pack(">5IHH", 0, 0, 0, _FRAMES_A_SECOND, length, 0x55C4, 0)
    source = _box(b"dinf", _box(b"dref", struct.pack(">II", 0, 1), _box(b"url ", b"\0\0\0\1")))
    table = _box(b"stbl", *_tables(samples, columns, rows, first))
    information = _box(b"minf", _box(b"vmhd", b"\0\0\0\1" + bytes(8)), source, table)
    handler = _box(b"hdlr", bytes(8) + b"vide" + bytes(12) + b"video\0")
    whole = _box(b"trak", _box(b"tkhd", track), _box(b"mdia", _box(b"mdhd", media), handler, information))
    return _box(b"moov", _box(b"mvhd", head), whole)


def _tables(samples: list[bytes], columns: int, rows: int, first: int) -> Iterator[bytes]:
    sequence, parameters = _sequence_parameters(columns, rows), _picture_parameters()
    settings = b"\x01" + sequence[1:4] + b"\xff\xe1" + _short(sequence) + b"\x01" + _short(parameters)
    entry = (
        bytes(6) + b"\0\1" + bytes(16) + struct.pack(">HHIII", columns * _BLOCK, rows * _BLOCK, 72 << 16, 72 << 16, 0)
    )
    entry += b"\0\1" + bytes(32) + b"\0\x18\xff\xff"
    yield _box(b"stsd", struct.pack(">II", 0, 1), _box(b"avc1", entry, _box(b"avcC", settings)))
    yield _table(b"stts", [1, len(samples), 1])
    yield _table(b"stsc", [1, 1, len(samples), 1])
    yield _table(b"stsz", [0, len(samples), *map(len, samples)])
    yield _table(b"stco", [1, first])


def _short(unit: bytes) -> bytes:
    return struct.pack(">H", len(unit)) + unit


def _table(name: bytes, numbers: Iterable[int]) -> bytes:
    return _box(name, b"".join(struct.pack(">I", number) for number in (0, *numbers)))


def _box(name: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I", 8 + len(content)) + name + content
