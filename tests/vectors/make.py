#!/usr/bin/python3
"""Computes the test vectors of docs/protocol.md, by that document alone.

    make.py FOLDER       writes frames.txt and handshakes.txt there
    make.py --check      compares them with those beside this script
    make.py --corpus FOLDER   writes the same as inputs for tests/fuzz

Nothing here knows of the library: numbers are struct's, hashes and HMACs
hashlib's and hmac's, payloads python3-msgpack's. Exit status 77: that is not
installed.
"""
import hashlib
import hmac
import os
import struct
import sys

try:
    import msgpack
except ImportError:
    print("skipped: there is no python3-msgpack", file=sys.stderr)
    sys.exit(77)

DIRECT_MAX = 65792  # of a frame that stands in the stream by itself
A = 0x0000000700000001  # an actor of the node that receives
B = 0x0000000500000002  # and one of the node that sends
AGENT = 0x0000000100000001  # of either
REF = 0x1122334455667788

# ---- frames -----------------------------------------------------------------


def frame(kind, body=b""):
    return struct.pack(">IB", 1 + len(body), kind) + body


def between(kind, *more, to=A, sender=B):
    """A frame between actors."""
    return frame(kind, struct.pack(">QQ", to, sender) + b"".join(more))


def ref(n=REF):
    return struct.pack(">Q", n)


def reason(kind, code, text=b"", length=None):
    n = len(text) if length is None else length
    return struct.pack(">BiB", kind, code, n) + text


def pack(*values):
    return msgpack.packb(list(values), use_bin_type=True)


def nested(depth):
    return b"\x91" * (depth - 1) + b"\x91\x05"


def good_frames():
    """Name, bytes, type, fields, messages."""
    pair = f"to={A:016x} from={B:016x}"
    tied = f"{pair} ref={REF:016x}"
    for kind, name in ((8, "heartbeat"), (9, "ping"), (10, "pong"),
                       (11, "bye"), (12, "bye_ack"), (15, "slowed")):
        yield name, frame(kind), name, "", []
    yield "credit_of_1", frame(13, struct.pack(">I", 1)), "credit", \
        "count=1", []
    yield "credit_of_all", frame(13, struct.pack(">I", 2**32 - 1)), "credit", \
        "count=4294967295", []
    yield "part_of_one_byte", frame(14, b"\0"), "part", "bytes=00", []
    yield "part_of_a_frame", frame(14, frame(16)), "part", \
        f"bytes={frame(16).hex()}", []

    add = pack("add", 5)
    pid = msgpack.ExtType(1, struct.pack(">QQ", 0xA11CE, A))
    sends = {
        "send": [add],
        "send_of_three": [pack("a"), pack("b", None, True), pack("c", [])],
        "send_of_a_number_as_tag": [pack(7)],
        "send_of_each_type": [pack(
            "all", None, False, 127, 128, -32, -33, 2**63, -2**63, 1.5,
            "text" * 10, b"bytes", [1, [2]], {"key": "value", 1: 2}, pid)],
        "send_32_deep": [nested(32)],
        "send_with_a_16_bit_head": [b"\xdc\x00\x01\x05"],
        "send_with_a_32_bit_head": [b"\xdd\x00\x00\x00\x01\x05"],
    }
    for name, payloads in sends.items():
        yield name, between(16, *payloads), "send", pair, payloads
    yield "send_from_nobody", between(16, add, sender=0), "send", \
        f"to={A:016x} from={0:016x}", [add]
    yield "send_to_the_last_id", between(16, add, to=2**64 - 1), "send", \
        f"to={2**64 - 1:016x} from={B:016x}", [add]
    known = pack("gr.mesh", 0xB0B, "tcp://127.0.0.1:7000", 2**64 - 1,
                 "tcp://127.0.0.1:7001")
    for name, mesh in (("mesh_of_two", known), ("mesh_of_none",
                                                pack("gr.mesh"))):
        yield name, between(16, mesh, to=AGENT, sender=AGENT), "send", \
            f"to={AGENT:016x} from={AGENT:016x}", [mesh]
    yield "ask", between(17, ref(), add), "ask", tied, [add]
    yield "reply", between(18, ref(), struct.pack(">i", 0), add), "reply", \
        f"{tied} status=0", [add]
    yield "reply_error", between(18, ref(), struct.pack(">i", -13)), "reply", \
        f"{tied} status=-13", []
    words = pack("gr.error", -1000, "no more")
    yield "reply_error_with_words", \
        between(18, ref(), struct.pack(">i", -1000), words), "reply", \
        f"{tied} status=-1000", [words]
    yield "reply_lowest_error", between(18, ref(), struct.pack(">i", -2**31)), \
        "reply", f"{tied} status={-2**31}", []
    for kind, name in ((19, "stop"), (20, "kill"), (27, "slow"),
                       (28, "resume")):
        yield name, between(kind), name, pair, []
    for kind, name, more in ((19, "stop", b""), (20, "kill", b""),
                             (22, "unlink", ref()), (25, "demonitor", ref())):
        yield f"{name}_from_nobody", between(kind, more, sender=0), name, \
            f"to={A:016x} from={0:016x}" + \
            (f" ref={REF:016x}" if more else ""), []
    for kind, name in ((21, "link"), (22, "unlink"), (24, "monitor"),
                       (25, "demonitor")):
        yield name, between(kind, ref()), name, tied, []
    yield "unlink_of_none", between(22, ref(0)), "unlink", \
        f"{pair} ref={0:016x}", []
    yield "exit", between(23, reason(0, 0)), "exit", \
        f"{pair} kind=0 code=0 text=", []
    yield "exit_by_a_signal", between(23, reason(7, 9, b"killed")), "exit", \
        f"{pair} kind=7 code=9 text={b'killed'.hex()}", []
    for kind in range(8):
        yield f"down_of_kind_{kind}", \
            between(26, ref(), reason(kind, -2, b"bad")), "down", \
            f"{tied} kind={kind} code=-2 text={b'bad'.hex()}", []
    longest = b"0123456789" * 6 + b"012"
    yield "down_with_the_longest_text", \
        between(26, ref(), reason(2, -2**31, longest)), "down", \
        f"{tied} kind=2 code={-2**31} text={longest.hex()}", []
    yield "confirm", between(29, ref(), add), "confirm", tied, [add]


def broken_frames():
    add = pack("add", 5)
    yield "no_length", b"\0\0\0\0", "a length word of 0"
    yield "longer_than_a_frame_may_be", struct.pack(">I", DIRECT_MAX - 3), \
        "more than 65,792 bytes, and not in parts"
    yield "four_gigabytes", b"\xff\xff\xff\xff", "likewise"
    for kind in (0, 1, 2, 3, 4, 5, 7, 30, 31, 127, 128, 255):
        yield f"type_{kind}", frame(kind), \
            "no such type, or one of the handshake"
    for kind in (8, 9, 10, 11, 12, 15):
        yield f"type_{kind}_with_a_byte", frame(kind, b"\0"), \
            "it has no fields"
    yield "credit_of_nothing", frame(13, struct.pack(">I", 0)), "count is 0"
    yield "credit_cut", frame(13, b"\0\0\1"), "cut"
    yield "credit_and_a_byte", frame(13, b"\0\0\0\1\0"), "too long"
    yield "part_of_nothing", frame(14), "no bytes"
    for name, whole in (("send", between(16, add)),
                        ("ask", between(17, ref(), add)),
                        ("stop", between(19)),
                        ("link", between(21, ref())),
                        ("exit", between(23, reason(0, 0, b"x"))),
                        ("down", between(26, ref(), reason(0, 0, b"x"))),
                        ("confirm", between(29, ref(), add))):
        yield f"{name}_to_nobody", whole[:5] + bytes(8) + whole[13:], \
            "to is 0"
        for cut in sorted({5, 12, 20, len(whole) - 1}):
            yield f"{name}_cut_at_{cut}", frame(whole[4], whole[5:cut]), "cut"
    for kind, name, more in ((17, "ask", add), (21, "link", b""),
                             (24, "monitor", b""), (29, "confirm", add)):
        yield f"{name}_from_nobody", between(kind, ref(), more, sender=0), \
            "nobody could be answered"
    reply = between(18, ref(), struct.pack(">i", -5))
    for cut in (20, 28, 32):
        yield f"reply_cut_at_{cut}", frame(18, reply[5:cut]), "cut"
    for kind in (19, 20, 27, 28):
        yield f"type_{kind}_and_a_byte", between(kind, b"\0"), "too long"
    for kind in (21, 22, 24, 25):
        yield f"type_{kind}_and_a_byte", between(kind, ref(), b"\0"), \
            "too long"
    payloads = {
        "empty": (b"", "no payload"),
        "a_number": (b"\x05", "a payload is an array"),
        "a_map": (b"\x81\x01\x02", "a payload is an array"),
        "a_string": (b"\xa1a", "a payload is an array"),
        "nil": (b"\xc0", "a payload is an array"),
        "without_a_tag": (b"\x90", "an array of nothing"),
        "without_a_tag_16": (b"\xdc\x00\x00", "an array of nothing"),
        "without_a_tag_32": (b"\xdd\x00\x00\x00\x00", "an array of nothing"),
        "cut": (b"\x92\x01", "not all of the array is here"),
        "cut_in_a_string": (b"\x91\xa3ad", "not all of the string is here"),
        "lying_array": (b"\xdd\xff\xff\xff\xff\x01", "it has one element"),
        "lying_string": (b"\x91\xdb\xff\xff\xff\xff", "it has no bytes"),
        "no_msgpack": (b"\x91\xc1", "c1 is never used"),
        "33_deep": (nested(33), "nested deeper than 32"),
        "200_deep": (nested(200), "nested deeper than 32"),
    }
    for name, (payload, why) in payloads.items():
        yield f"payload_{name}", between(16, payload), why
        if name != "empty":
            yield f"second_payload_{name}", between(16, add + payload), why
    for kind, name in ((17, "ask"), (29, "confirm")):
        yield f"{name}_of_two", between(kind, ref(), add + add), \
            "bytes behind the payload"
        yield f"{name}_of_nothing", between(kind, ref()), "no payload"
    yield "reply_of_two", \
        between(18, ref(), struct.pack(">i", 0), add + add), \
        "bytes behind the payload"
    yield "reply_without_words", between(18, ref(), struct.pack(">i", 0)), \
        "an answer of status 0 has a payload"
    yield "reply_above_zero", \
        between(18, ref(), struct.pack(">i", 1), add), "status above 0"
    for kind, name, tied in ((23, "exit", b""), (26, "down", ref())):
        yield f"{name}_of_kind_8", between(kind, tied, reason(8, 0)), \
            "no such kind"
        yield f"{name}_of_kind_255", between(kind, tied, reason(255, 0)), \
            "no such kind"
        yield f"{name}_text_of_64", \
            between(kind, tied, reason(0, 0, b"x" * 64)), "text too long"
        yield f"{name}_text_cut", \
            between(kind, tied, reason(0, 0, b"x", length=2)), "cut"
        yield f"{name}_text_and_a_byte", \
            between(kind, tied, reason(0, 0, b"xy", length=1)), "too long"
        yield f"{name}_text_with_a_zero", \
            between(kind, tied, reason(0, 0, b"a\0b")), "a zero in the text"


def frames():
    yield "# Frames between two nodes; docs/protocol.md, \"Test vectors\", says"
    yield "# how to read this. Written by make.py."
    for name, data, kind, fields, payloads in good_frames():
        words = [name, data.hex(), "is", kind] + fields.split() + \
            [f"payload={p.hex()}" for p in payloads]
        counts = kind in ("send", "ask", "reply", "confirm")
        if counts or kind == "part":
            cost = len(data) + (64 * max(len(payloads), 1) if counts else 0)
            words.append(f"cost={cost}")
        yield " ".join(words)
    whole = between(17, ref(), pack("add", 5))
    for cut in range(len(whole)):
        known = len(whole) if cut >= 4 else 5
        yield f"begun_{cut} {whole[:cut].hex() or '-'} needs {known}"
    yield "longest " + struct.pack(">I", DIRECT_MAX - 4).hex() + \
        f" needs {DIRECT_MAX}"
    for name, data, why in broken_frames():
        yield f"{name} {data.hex()} broken {why}"


# ---- handshakes -------------------------------------------------------------

MAGIC = b"GRNROOM\n"
DIALER, LISTENER = 1, 2
SECRET = b"sixteen bytes ok"
OTHER = b"another sixteen bytes"


class Side:
    """What one of the two is, and what it would say."""

    def __init__(self, role, name, node, secret=SECRET, features=0,
                 limit=1048576, silence=5000, nonce=None):
        self.role, self.name, self.node = role, name, node
        self.secret, self.features = secret, features
        self.limit, self.silence = limit, silence
        self.nonce = nonce or hashlib.sha256(b"nonce of " + name).digest()

    def hello(self, version=1, oldest=1, more=b"", **other):
        get = {**vars(self), **other}
        body = MAGIC + struct.pack(
            ">HHBBQQII", version, oldest, get["role"],
            get.get("name_length", len(get["name"])), get["node"],
            get["features"], get["limit"], get["silence"])
        return frame(1, body + get["nonce"] + get["name"] + more)

    def key(self):
        if self.secret is None:
            return bytes(32)
        return hashlib.sha256(self.secret).digest()

    def line(self, word):
        secret = "-" if self.secret is None else self.secret.hex()
        return (f"{word} node={self.node:016x} features={self.features:x} "
                f"frame_limit={self.limit} silence_ms={self.silence} "
                f"nonce={self.nonce.hex()} name={self.name.hex()} "
                f"secret={secret}")


def mac(key, role, dialer_hello, listener_hello):
    message = b"greenroom proof 1\0" + bytes([role]) + dialer_hello + \
        listener_hello
    return hmac.new(key, message, hashlib.sha256).digest()


def proof(key, d, l):
    return frame(2, mac(key, DIALER, d, l))


def welcome(key, d, l):
    return frame(3, mac(key, LISTENER, d, l))


def refuse(code):
    return frame(4, bytes([code]))


def alice(**more):
    return Side(DIALER, b"alice", 0xA11CE00000000001, **more)


def bob(**more):
    return Side(LISTENER, b"bob", 0xB0B0000000000002, silence=500, **more)


def transcript(name, a, b, said, dialer, listener, listed=(), parted=()):
    """said: pairs of a direction and a frame. parted: pairs of the side whose
    program has said goodbye, and the run to which."""
    yield ""
    yield f"transcript {name}"
    if a is not None:
        yield a.line("dialer")
    if b is not None:
        yield b.line("listener")
    for known, secret in listed:
        yield f"listed name={known.hex()} secret={secret.hex()}"
    for side, node in parted:
        yield f"parted by={side} node={node:016x}"
    for direction, data in said:
        yield f"{direction} {data.hex()}"
    yield f"end dialer={dialer} listener={listener}"


def whole(a, b, key=None):
    """What two honest ones say."""
    d, l = a.hello(), b.hello()
    key = key or a.key()
    return [(">", d), ("<", l), (">", proof(key, d, l)),
            ("<", welcome(key, d, l))]


def joined():
    a, b = alice(), bob()
    yield from transcript("same_secret", a, b, whole(a, b), "joined",
                          "joined")
    a = Side(DIALER, b"n" * 63, 1, features=0xFFFFFFFFFFFFFFFE, limit=2**32 - 1,
             silence=0)
    b = Side(LISTENER, "\u00e9 \xa0".encode(), 2**64 - 1, limit=98)
    yield from transcript("each_field_at_its_end", a, b, whole(a, b),
                          "joined", "joined")
    short, long = b"s" * 16, bytes(range(256)) * 4
    for name, secret in (("shortest_secret", short), ("longest_secret", long)):
        a, b = alice(secret=secret), bob(secret=secret)
        yield from transcript(name, a, b, whole(a, b), "joined", "joined")
    a, b = alice(secret=None, features=1), bob(secret=None, features=1)
    yield from transcript("over_tls_without_a_secret", a, b, whole(a, b),
                          "joined", "joined")
    # A later version, which appends to its hello.
    a, b = alice(), bob()
    for name, more in (("later_dialer", b"\xee"),
                       ("longest_hello", b"m" * (512 - len(a.hello())))):
        d, l = a.hello(version=7, more=more), b.hello()
        yield from transcript(
            name, None, b,
            [("!>", d), ("<", l), ("!>", proof(a.key(), d, l)),
             ("<", welcome(a.key(), d, l))], "-", "joined")
    d, l = a.hello(), b.hello(version=7, more=b"\xee")
    yield from transcript(
        "later_listener", a, None,
        [(">", d), ("!<", l), (">", proof(a.key(), d, l)),
         ("!<", welcome(a.key(), d, l))], "joined", "-")


def by_secret():
    a, b = alice(secret=OTHER), bob()
    d, l = a.hello(), b.hello()
    yield from transcript(
        "other_secret", a, b,
        [(">", d), ("<", l), (">", proof(a.key(), d, l)), ("<", refuse(2))],
        "refused:2", "refuses:2")
    # Who welcomes without the secret.
    a = alice()
    d = a.hello()
    yield from transcript(
        "listener_without_the_secret", a, None,
        [(">", d), ("!<", l), (">", proof(a.key(), d, l)),
         ("!<", welcome(alice(secret=OTHER).key(), d, l)), (">", refuse(2))],
        "refuses:2", "-")
    yield from transcript(
        "proof_comes_back", a, None,
        [(">", d), ("!<", l), (">", proof(a.key(), d, l)),
         ("!<", frame(3, proof(a.key(), d, l)[5:])), (">", refuse(2))],
        "refuses:2", "-")
    wrong = bytearray(proof(a.key(), d, l))
    wrong[-1] ^= 1
    yield from transcript(
        "proof_with_a_bit_changed", None, b,
        [("!>", d), ("<", l), ("!>", bytes(wrong)), ("<", refuse(2))], "-",
        "refuses:2")
    # Recorded in another connection, in which the listener had another nonce.
    before = bob(nonce=bytes(range(32)))
    yield from transcript(
        "recorded_proof", None, b,
        [("!>", d), ("<", l), ("!>", proof(a.key(), d, before.hello())),
         ("<", refuse(2))], "-", "refuses:2")
    changed = a.hello(silence=1)
    yield from transcript(
        "hello_changed_on_the_way", None, b,
        [("!>", changed), ("<", l), ("!>", proof(a.key(), d, l)),
         ("<", refuse(2))], "-", "refuses:2")
    yield from transcript(
        "own_nonce_comes_back", a, None,
        [(">", d), ("!<", b.hello(nonce=a.nonce)), (">", refuse(2))],
        "refuses:2", "-")
    for name, first, second in (
            ("dialer_has_none", alice(secret=None, features=1), bob()),
            ("listener_has_none", alice(), bob(secret=None, features=1))):
        yield from transcript(
            name, first, second, [(">", first.hello()), ("<", refuse(9))],
            "refused:9", "refuses:9")


def by_name():
    listed = ((b"carol", OTHER), (b"dave", b"the secret of dave"))

    def carol(secret):
        return Side(DIALER, b"carol", 0xCA001, secret=secret)

    b = bob()
    a = carol(OTHER)
    yield from transcript("listed_name", a, b, whole(a, b), "joined",
                          "joined", listed)
    for name, a in (("listed_name_with_the_common_secret", carol(SECRET)),
                    ("other_name_with_a_listed_secret", alice(secret=OTHER)),
                    ("listed_name_with_the_secret_of_another",
                     carol(b"the secret of dave"))):
        d, l = a.hello(), b.hello()
        yield from transcript(
            name, a, b,
            [(">", d), ("<", l), (">", proof(a.key(), d, l)),
             ("<", refuse(2))], "refused:2", "refuses:2", listed)


MESH, BY_ITSELF = 2, 4


def by_feature():
    # No bit but the lowest says anything of the proof.
    for name, ours, theirs in (("mesh_on_both_sides", MESH, MESH),
                               ("mesh_of_the_dialer_alone", MESH, 0),
                               ("mesh_of_the_listener_alone", 0, MESH),
                               ("dialer_by_itself", MESH | BY_ITSELF, MESH),
                               ("dialer_by_itself_without_mesh", BY_ITSELF, 0),
                               ("unknown_bits", 1 << 63 | 8, 1 << 40)):
        a, b = alice(features=ours), bob(features=theirs)
        yield from transcript(name, a, b, whole(a, b), "joined", "joined")
    a = alice(secret=None, features=1 | MESH | BY_ITSELF)
    b = bob(secret=None, features=1 | MESH)
    yield from transcript("dialer_by_itself_without_a_secret", a, b,
                          whole(a, b), "joined", "joined")
    yield from transcript(
        "dialer_by_itself_has_no_secret", a, bob(features=MESH),
        [(">", a.hello()), ("<", refuse(9))], "refused:9", "refuses:9")


def by_goodbye():
    """Whose program has said goodbye to the other."""
    come, b = alice(features=MESH | BY_ITSELF), bob(features=MESH)
    sent = alice(features=MESH)
    d, l = come.hello(), b.hello()
    of_bob, of_alice = (("listener", come.node),), (("dialer", b.node),)
    told = [(">", d), ("<", l), (">", proof(come.key(), d, l)),
            ("<", refuse(11))]
    yield from transcript("parted_one_comes_by_itself", come, b, told,
                          "refused:11", "refuses:11", parted=of_bob)
    # Somebody asked for it, or it is another run.
    yield from transcript("parted_one_is_sent", sent, b, whole(sent, b),
                          "joined", "joined", parted=of_bob)
    yield from transcript(
        "another_run_than_the_parted_one", come, b, whole(come, b), "joined",
        "joined", parted=(("listener", come.node + 1),))
    # The bit is the dialer's: a listener's says nothing.
    odd = bob(features=MESH | BY_ITSELF)
    yield from transcript("parted_one_is_sent_to_a_listener_with_the_bit",
                          sent, odd, whole(sent, odd), "joined", "joined",
                          parted=of_bob)
    # Nobody is told before the proof, and taking the bit away breaks that.
    wrong = alice(features=MESH | BY_ITSELF, secret=OTHER)
    yield from transcript(
        "parted_one_with_another_secret", wrong, b,
        [(">", d), ("<", l), (">", proof(wrong.key(), d, l)),
         ("<", refuse(2))], "refused:2", "refuses:2", parted=of_bob)
    yield from transcript(
        "bit_4_taken_away_on_the_way", None, b,
        [("!>", sent.hello()), ("<", l), ("!>", proof(come.key(), d, l)),
         ("<", refuse(2))], "-", "refuses:2", parted=of_bob)
    # A dialer does not join by itself whom its program has left.
    yield from transcript(
        "dialer_finds_the_parted_one_by_itself", come, b,
        [(">", d), ("<", l), (">", refuse(6))], "refuses:6", "refused:6",
        parted=of_alice)
    yield from transcript("dialer_is_sent_to_the_parted_one", sent, b,
                          whole(sent, b), "joined", "joined", parted=of_alice)


def by_version():
    a, b = alice(), bob()
    for name, version, oldest in (("version_0", 0, 0), ("version_9_only", 9, 9),
                                  ("version_2_and_above", 65535, 2)):
        yield from transcript(
            f"dialer_of_{name}", None, b,
            [("!>", a.hello(version, oldest)), ("<", refuse(1))], "-",
            "refuses:1")
        yield from transcript(
            f"listener_of_{name}", a, None,
            [(">", a.hello()), ("!<", b.hello(version, oldest)),
             (">", refuse(1))], "refuses:1", "-")
    # Of a version that is not spoken here only the first fields are read.
    later = frame(1, MAGIC + struct.pack(">HH", 9, 9))
    yield from transcript("later_version_without_the_rest", None, b,
                          [("!>", later), ("<", refuse(1))], "-", "refuses:1")


def malformed():
    a, b = alice(), bob()
    d = a.hello()
    bent = {
        "no_magic": frame(1, b"GRNROOM " + d[13:]),
        "http": b"GET / HTTP/1.1\r\n",
        "role_of_a_listener": a.hello(role=2),
        "role_0": a.hello(role=0),
        "name_of_no_bytes": a.hello(name=b""),
        "name_of_64_bytes": a.hello(name=b"n" * 64),
        "name_cut": a.hello(name=b"alic", name_length=5),
        "name_of_two_lines": a.hello(name=b"al\nice"),
        "name_with_7f": a.hello(name=b"alic\x7f"),
        "name_with_a_zero": a.hello(name=b"alice\0"),
        "incarnation_0": a.hello(node=0),
        "without_a_name": frame(1, d[5:-5]),
        "magic_cut": frame(1, MAGIC[:7]),
        "no_oldest": frame(1, MAGIC + b"\0\1"),
        "of_513_bytes": a.hello(version=7, more=b"m" * (513 - len(d))),
        "length_0": b"\0\0\0\0",
        "ping_first": frame(9),
        "send_first": between(16, pack("add", 5)),
        "proof_first": frame(2, bytes(32)),
        "welcome_first": frame(3, bytes(32)),
        "refuse_first": refuse(2),
    }
    for name, data in bent.items():
        yield from transcript(f"hello_{name}", None, b, [("!>", data)], "-",
                              "closes")
    l = b.hello()
    right = proof(a.key(), d, l)
    for name, data in (("hello", d), ("welcome", frame(3, right[5:])),
                       ("ping", frame(9)), ("bye", frame(11)),
                       ("send", between(16, pack("add", 5))),
                       ("proof_of_31_bytes", frame(2, right[5:-1])),
                       ("proof_of_33_bytes", frame(2, right[5:] + b"\0")),
                       ("513_bytes", frame(2, bytes(508)))):
        yield from transcript(
            f"instead_of_the_proof_{name}", None, b,
            [("!>", d), ("<", l), ("!>", data)], "-", "closes")
    bent = {
        "role_of_a_dialer": b.hello(role=1),
        "name_of_no_bytes": b.hello(name=b""),
        "incarnation_0": b.hello(node=0),
        "no_magic": frame(1, b"GRNROOM " + l[13:]),
    }
    for name, data in bent.items():
        yield from transcript(f"listener_{name}", a, None,
                              [(">", d), ("!<", data)], "closes", "-")
    yield from transcript("listener_welcomes_at_once", a, None,
                          [(">", d), ("!<", welcome(a.key(), d, l))],
                          "closes", "-")
    yield from transcript(
        "instead_of_the_welcome_a_proof", a, None,
        [(">", d), ("!<", l), (">", right), ("!<", right)], "closes", "-")


def refusals():
    a, b = alice(), bob()
    d, l = a.hello(), b.hello()
    itself = bob()
    itself.node = a.node
    yield from transcript("itself", a, itself, [(">", d), ("<", refuse(4))],
                          "refused:4", "refuses:4")
    for code in (*range(1, 13), 99, 255):
        yield from transcript(
            f"refusal_{code}", a, None,
            [(">", d), ("!<", l), (">", proof(a.key(), d, l)),
             ("!<", refuse(code))], f"refused:{code}", "-")
    yield from transcript("refusal_at_once", a, None,
                          [(">", d), ("!<", refuse(7))], "refused:7", "-")
    yield from transcript("refusal_of_an_offender", a, None,
                          [(">", d), ("!<", refuse(12))], "refused:12", "-")
    # Who is refused before its proof.
    for code in (3, 6):
        yield from transcript(
            f"dialer_refuses_{code}", None, b,
            [("!>", d), ("<", l), ("!>", refuse(code))], "-",
            f"refused:{code}")


def handshakes():
    yield "# Handshakes; docs/protocol.md, \"Test vectors\", says how to read"
    yield "# this. Written by make.py."
    for group in (joined, by_secret, by_name, by_feature, by_goodbye,
                  by_version, malformed, refusals):
        yield from group()


def corpus(folder):
    """Inputs of the fuzzers frame (1: a dialer reads, 2: a listener), peer."""
    def write(name, kind, data):
        os.makedirs(os.path.join(folder, kind), exist_ok=True)
        with open(os.path.join(folder, kind, name), "wb") as out:
            out.write(data)

    for name, data, *_ in (*good_frames(), *broken_frames()):
        write(name, "frame", b"\0" + data)
        # A peer with credit says just these bytes, and time passes.
        said = data[:255]
        write(name, "peer", b"\x10\1\x83" + bytes([len(said)]) + said +
              b"\5\1")
    said = {">": b"\2", "<": b"\1"}
    for line in handshakes():
        word, _, rest = line.partition(" ")
        if word == "end":
            for side, data in said.items():
                write(f"{name}_{data[0]}", "frame", data)
            said = {">": b"\2", "<": b"\1"}
        elif word == "transcript":
            name = rest
        elif word[-1:] in said:
            said[word[-1]] += bytes.fromhex(rest)
    return 0


def main(argument):
    here = os.path.dirname(os.path.abspath(__file__))
    stale = 0
    for name, lines in (("frames.txt", frames), ("handshakes.txt",
                                                 handshakes)):
        text = "\n".join(lines()) + "\n"
        if argument != "--check":
            with open(os.path.join(argument, name), "w") as out:
                out.write(text)
            continue
        with open(os.path.join(here, name)) as file:
            if file.read() != text:
                print(f"{name} is not what make.py computes", file=sys.stderr)
                stale += 1
    return stale


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--corpus":
        sys.exit(corpus(sys.argv[2]))
    if len(sys.argv) != 2:
        sys.exit("usage: make.py FOLDER | --check | --corpus FOLDER")
    sys.exit(main(sys.argv[1]))
