"""PNG, as far as thumbnails need it: eight bits a channel, not interlaced, read and written with nothing but zlib."""

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SIDE_MAX = 64
PIXELS_MAX = 4_000_000
CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}


class Unreadable(Exception):
    """Not a picture that this reads."""


def shrink(image):
    """The same picture with no side longer than SIDE_MAX: each point the mean of those that it stands for."""
    width, height, kind, rows = read(image)
    channels = CHANNELS[kind]
    scale = max(1, -(-max(width, height) // SIDE_MAX))
    small = []
    for top in range(0, height, scale):
        block, line = rows[top : top + scale], bytearray()
        for left in range(0, width, scale):
            right = min(left + scale, width)
            count = (right - left) * len(block)
            for channel in range(channels):
                line.append(sum(sum(row[left * channels + channel : right * channels : channels]) for row in block) // count)
        small.append(bytes(line))
    return write(len(small[0]) // channels, len(small), kind, small)


def read(image):
    """Width, height, kind of colour, and the rows."""
    if not image.startswith(SIGNATURE):
        raise Unreadable("it is no PNG")
    header, packed, at = None, b"", len(SIGNATURE)
    while at + 12 <= len(image):
        size, name = struct.unpack_from(">I4s", image, at)
        data = image[at + 8 : at + 8 + size]
        if name == b"IHDR" and len(data) == 13:
            header = struct.unpack(">IIBBBBB", data)
        elif name == b"IDAT":
            packed += data
        at += size + 12
    if header is None:
        raise Unreadable("it has no header")
    width, height, depth, kind, _, _, interlaced = header
    if depth != 8 or kind not in CHANNELS or interlaced:
        raise Unreadable("only eight bits a channel are read, without palette and interlacing")
    if not 0 < width * height <= PIXELS_MAX:
        raise Unreadable(f"it has {width} x {height} points, and {PIXELS_MAX} are read at most")
    step = CHANNELS[kind]
    stride = width * step
    wanted = (stride + 1) * height
    try:
        raw = zlib.decompressobj().decompress(packed, wanted)
    except zlib.error as broken:
        raise Unreadable(str(broken)) from broken
    if len(raw) < wanted:
        raise Unreadable("it ends too early")
    rows, above = [], bytes(stride)
    for start in range(0, wanted, stride + 1):
        above = plain(raw[start], bytearray(raw[start + 1 : start + 1 + stride]), above, step)
        rows.append(above)
    return width, height, kind, rows


def plain(way, row, above, step):
    """A row without its filter."""
    for at in range(len(row)):
        left = row[at - step] if at >= step else 0
        corner = above[at - step] if at >= step else 0
        match way:
            case 0:
                break
            case 1:
                guess = left
            case 2:
                guess = above[at]
            case 3:
                guess = (left + above[at]) // 2
            case 4:
                guess = nearest(left, above[at], corner)
            case _:
                raise Unreadable(f"there is no filter {way}")
        row[at] = (row[at] + guess) & 255
    return bytes(row)


def nearest(left, above, corner):
    aim = left + above - corner
    return min((left, above, corner), key=lambda one: abs(aim - one))


def write(width, height, kind, rows):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    packed = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
