"""A strict reader of frames, by docs/protocol.md alone: what must be refused is
refused. For the tests; a client may do with less (examples/client.py).
"""
import struct

import msgpack

DIRECT_MAX = 65792
DEPTH_MAX = 32
TYPES = {
    8: ("heartbeat", ""), 9: ("ping", ""), 10: ("pong", ""), 11: ("bye", ""),
    12: ("bye_ack", ""), 13: ("credit", "count"), 14: ("part", "bytes"),
    15: ("slowed", ""), 16: ("send", "to from payloads"),
    17: ("ask", "to from ref payload"),
    18: ("reply", "to from ref status answer"), 19: ("stop", "to from"),
    20: ("kill", "to from"), 21: ("link", "to from ref"),
    22: ("unlink", "to from ref"), 23: ("exit", "to from reason"),
    24: ("monitor", "to from ref"), 25: ("demonitor", "to from ref"),
    26: ("down", "to from ref reason"), 27: ("slow", "to from"),
    28: ("resume", "to from"), 29: ("confirm", "to from ref payload"),
}
NUMBERS = {"to": ">Q", "from": ">Q", "ref": ">Q", "count": ">I",
           "status": ">i"}


class Broken(Exception):
    pass


def require(condition, why):
    if not condition:
        raise Broken(why)


def split(data):
    """Bytes of the frame that begins there, and whether all are here."""
    if len(data) < 4:
        return 5, False
    whole = 4 + int.from_bytes(data[:4], "big")
    require(5 <= whole <= DIRECT_MAX, "no frame has that length")
    return whole, len(data) >= whole


def depth(value):
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if not isinstance(value, (list, tuple)):
        return 0
    return 1 + max(map(depth, value), default=0)


def payloads(data):
    """The bytes of each message that stands there."""
    unpacker = msgpack.Unpacker(max_buffer_size=len(data) or 1,
                                strict_map_key=False, use_list=False)
    unpacker.feed(data)
    begin = 0
    while begin < len(data):
        try:
            value = unpacker.unpack()
        except (msgpack.UnpackException, ValueError) as error:
            raise Broken("no msgpack") from error
        require(isinstance(value, tuple) and value, "no message")
        require(depth(value) <= DEPTH_MAX, "nested too deep")
        yield data[begin:unpacker.tell()]
        begin = unpacker.tell()


def reason(data):
    require(len(data) >= 6, "cut")
    kind, code, length = struct.unpack_from(">BiB", data)
    require(kind <= 7, "no such kind")
    require(length <= 63 and len(data) == 6 + length, "text of another length")
    require(0 not in data[6:], "a zero in the text")
    return [("kind", str(kind)), ("code", str(code)),
            ("text", data[6:].hex())]


def read(data):
    """A whole frame: its type's name, and (name, value) as in frames.txt."""
    require(data[4] in TYPES, "no such type")
    name, shape = TYPES[data[4]]
    out, at, status = [], 5, None
    for field in shape.split():
        rest = data[at:]
        if field in NUMBERS:
            size = struct.calcsize(NUMBERS[field])
            require(len(rest) >= size, "cut")
            number, = struct.unpack_from(NUMBERS[field], rest)
            status = number if field == "status" else status
            require(number != 0 or field not in ("to", "count"), "0")
            require(number != 0 or field != "from" or
                    name not in ("ask", "link", "monitor", "confirm"),
                    "nobody could be answered")
            require(field != "status" or number <= 0, "status above 0")
            hexadecimal = field in ("to", "from", "ref")
            out.append((field, f"{number:016x}" if hexadecimal
                        else str(number)))
            at += size
            continue
        if field == "reason":
            out += reason(rest)
        elif field == "bytes":
            require(rest, "part of nothing")
            out.append(("bytes", rest.hex()))
        else:
            messages = list(payloads(rest))
            out += [("payload", m.hex()) for m in messages]
            require(messages or (field == "answer" and status < 0),
                    "no payload")
            require(len(messages) <= 1 or field == "payloads", "two payloads")
            out.append(("cost", str(len(data) + 64 * max(len(messages), 1))))
        if field == "bytes":
            out.append(("cost", str(len(data))))
        at = len(data)
    require(at == len(data), "too long")
    return name, out
