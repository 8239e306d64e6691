#!/usr/bin/env python3
"""Makes crypto/crypto_vectors.def: Ed25519 edge cases and the installed libsodium's verdicts.

The points are computed here, in plain Python, because no library hands out keys with torsion.
The same script gives the same file; `--check FILE` exits 1 when FILE differs, and 77 when
libsodium is not the version whose verdicts are frozen.
"""

import ctypes
import ctypes.util
import hashlib
import sys

VERSION = "1.0.18"
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def add(a, b):
    x1, y1 = a
    x2, y2 = b
    t = D * x1 * x2 * y1 * y2 % P
    return ((x1 * y2 + x2 * y1) * pow(1 + t, -1, P) % P,
            (y1 * y2 + x1 * x2) * pow(1 - t, -1, P) % P)


def multiply(n, point):
    result = (0, 1)
    while n:
        if n & 1:
            result = add(result, point)
        point = add(point, point)
        n >>= 1
    return result


def x_of(y, sign):
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * SQRT_M1 % P
    if (x * x - x2) % P:
        return None
    return P - x if x & 1 != sign else x


BASE = (x_of(4 * pow(5, P - 2, P) % P, 0), 4 * pow(5, P - 2, P) % P)


def encode(point, y_added=0, sign_flipped=0):
    x, y = point
    return (y + y_added | ((x & 1) ^ sign_flipped) << 255).to_bytes(32, "little")


def number(text):
    return int.from_bytes(hashlib.sha512(text.encode()).digest(), "little") % L


def torsion_points():
    """The eight points of small order: multiples of one point of order 8."""
    y = 2
    while True:
        x = x_of(y, 0)
        if x is not None:
            point = multiply(L, (x, y))
            if multiply(4, point) != (0, 1):
                return [multiply(k, point) for k in range(8)]
        y += 1


def challenge(r_bytes, key_bytes, message):
    digest = hashlib.sha512(r_bytes + key_bytes + message).digest()
    return int.from_bytes(digest, "little") % L


def scalar(n):
    return n.to_bytes(32, "little")


class Maker:
    def __init__(self):
        library = ctypes.CDLL(ctypes.util.find_library("sodium") or "libsodium.so.23")
        library.sodium_version_string.restype = ctypes.c_char_p
        if library.sodium_init() < 0:
            raise OSError("libsodium does not start")
        self.version = library.sodium_version_string().decode()
        self.library = library
        self.rows = []

    def put(self, name, key, message, signature):
        assert len(key) == 32 and len(signature) == 64 and len(message) <= 32
        verifies = self.library.crypto_sign_verify_detached(
            signature, message, ctypes.c_ulonglong(len(message)), key) == 0
        valid = self.library.crypto_core_ed25519_is_valid_point(key) == 1
        self.rows.append((name, verifies, valid, key, message, signature))

    def sign(self, secret, key_bytes, message, nonce, r_torsion=(0, 1)):
        r_bytes = encode(add(multiply(nonce, BASE), r_torsion))
        h = challenge(r_bytes, key_bytes, message)
        return r_bytes + scalar((nonce + h * secret) % L)


def message_of(i, count=32):
    return hashlib.sha512(b"message %d" % i).digest()[:count]


def put_ordinary(m, secret, key):
    for count in range(0, 33, 2):
        message = message_of(count, count)
        m.put(f"valid, {count} bytes", key, message,
              m.sign(secret, key, message, number(f"n{count}")))
    message = message_of(100)
    good = m.sign(secret, key, message, number("n100"))
    for bit in list(range(0, 256, 32)) + [254, 255]:
        m.put(f"bit {bit} of R flipped", key, message, flip(good, bit))
    for bit in list(range(256, 512, 32)) + [508, 509, 510, 511]:
        m.put(f"bit {bit - 256} of S flipped", key, message, flip(good, bit))
    for bit in range(0, 256, 64):
        m.put(f"bit {bit} of the message flipped", key, flip(message, bit), good)
    m.put("message one byte short", key, message[:-1], good)
    m.put("empty message instead", key, b"", good)
    m.put("all zero signature", key, message, bytes(64))
    m.put("all one signature", key, message, b"\xff" * 64)


def put_scalars(m, secret, key):
    for i in range(4):
        message = message_of(200 + i)
        good = m.sign(secret, key, message, number(f"s{i}"))
        r_bytes, s = good[:32], int.from_bytes(good[32:], "little")
        for k in (1, 2, 3, 8, 15):
            if s + k * L < 2**256:
                m.put(f"S + {k} L", key, message, r_bytes + scalar(s + k * L))
        m.put("S negated", key, message, r_bytes + scalar((L - s) % L))
    for name, value in (("0", 0), ("1", 1), ("L - 1", L - 1), ("L", L), ("L + 1", L + 1),
                        ("2^252", 2**252), ("2^253 - 1", 2**253 - 1), ("2^256 - 1", 2**256 - 1)):
        m.put(f"S is {name}", key, message_of(220), encode(multiply(9, BASE)) + scalar(value))
    for nonce in range(1, 4):
        message = message_of(221)
        m.put(f"nonce {nonce}", key, message, m.sign(secret, key, message, nonce))


def put_torsion_in_r(m, secret, key, torsion):
    for k in range(1, 8):
        for i in range(3):
            message = message_of(300 + i)
            m.put(f"torsion {k} in R", key, message,
                  m.sign(secret, key, message, number(f"r{i}"), torsion[k]))


def put_small_r(m, secret, key, torsion):
    for k in range(8):
        for name, r_bytes in encodings(torsion[k]):
            message = message_of(400 + k)
            h = challenge(r_bytes, key, message)
            m.put(f"R of small order {k}{name}", key, message, r_bytes + scalar(h * secret % L))


def encodings(point):
    """All ways to write `point`, the canonical one first."""
    result = [("", encode(point))]
    if point[1] + P < 2**255:
        result.append((", y not canonical", encode(point, P)))
    if point[0] == 0:
        result.append((", x = -0", encode(point, 0, 1)))
        if point[1] + P < 2**255:
            result.append((", y not canonical, x = -0", encode(point, P, 1)))
    return result


def put_small_keys(m, torsion):
    nonce = number("small key")
    for k in range(8):
        for name, key in encodings(torsion[k]):
            message = message_of(500 + k)
            m.put(f"key of small order {k}{name}", key, message,
                  encode(multiply(nonce, BASE)) + scalar(nonce))
            m.put(f"key of small order {k}{name}, R = 1, S = 0", key, message,
                  encode((0, 1)) + scalar(0))
            m.put(f"key of small order {k}{name}, R = key, S = 0", key, message, key + scalar(0))


def put_mixed_keys(m, secret, torsion):
    """A signature for A + T holds without cofactor exactly when h T (plus R's torsion) vanishes."""
    for k in range(1, 8):
        key = encode(add(multiply(secret, BASE), torsion[k]))
        for i in range(5):
            message = message_of(600 + i)
            m.put(f"key with torsion {k}", key, message,
                  m.sign(secret, key, message, number(f"m{k}.{i}")))
        for k_r in (1, 2, 4):
            message, nonce = message_of(620 + k_r), number(f"mr{k}.{k_r}")
            m.put(f"torsion {k} in key, {k_r} in R", key, message,
                  m.sign(secret, key, message, nonce, torsion[k_r]))
        put_cancelling(m, secret, key, k, torsion)


def put_cancelling(m, secret, key, k, torsion):
    """Searches a nonce whose challenge makes R's torsion cancel the key's: accepted."""
    k_r = (8 - k) % 8
    for attempt in range(200):
        message, nonce = message_of(640 + k), number(f"mc{k}.{attempt}")
        signature = m.sign(secret, key, message, nonce, torsion[k_r])
        h = challenge(signature[:32], key, message)
        if (k_r + h * k) % 8 == 0:
            m.put(f"torsion {k} in key cancelled by R", key, message, signature)
            return
    raise ValueError("no nonce cancels")


def put_odd_keys(m, secret, key):
    message = message_of(700)
    good = m.sign(secret, key, message, number("odd"))
    for y in range(2, 19):
        for sign in (0, 1):
            m.put(f"key y = p + {y}, sign {sign}", (y + P | sign << 255).to_bytes(32, "little"),
                  message, good)
    y, found = 2, 0
    while found < 4:
        if x_of(y, 0) is None:
            m.put(f"key off the curve, y = {y}", y.to_bytes(32, "little"), message, good)
            found += 1
        y += 1
    other = encode(multiply(number("other"), BASE))
    m.put("another key", other, message, good)
    m.put("key negated", encode((P - multiply(secret, BASE)[0], multiply(secret, BASE)[1])),
          message, good)
    m.put("key and R exchanged", good[:32], message, key + good[32:])


def flip(bytes_, bit):
    changed = bytearray(bytes_)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def text_of(rows):
    lines = ["/*",
             " * VECTOR(name, verifies, key_is_valid, key, message, signature): frozen verdicts of",
             f" * libsodium {VERSION}; made by tools/make_crypto_vectors.py. Never edited by hand.",
             " */"]
    for name, verifies, valid, key, message, signature in rows:
        lines += [f'VECTOR("{name}", {str(verifies).lower()}, {str(valid).lower()},',
                  f'       "{key.hex()}",',
                  f'       "{message.hex()}",',
                  f'       "{signature[:32].hex()}"',
                  f'       "{signature[32:].hex()}")']
    return "\n".join(lines) + "\n"


def main():
    m = Maker()
    if m.version != VERSION:
        print(f"libsodium is {m.version}; the verdicts are those of {VERSION}")
        return 77
    secret = number("the signer")
    key = encode(multiply(secret, BASE))
    torsion = torsion_points()
    put_ordinary(m, secret, key)
    put_scalars(m, secret, key)
    put_torsion_in_r(m, secret, key, torsion)
    put_small_r(m, secret, key, torsion)
    put_small_keys(m, torsion)
    put_mixed_keys(m, secret, torsion)
    put_odd_keys(m, secret, key)
    text = text_of(m.rows)
    if len(sys.argv) == 3 and sys.argv[1] == "--check":
        with open(sys.argv[2], encoding="ascii") as file:
            same = file.read() == text
        print("same" if same else f"{sys.argv[2]} is not what this script makes")
        return 0 if same else 1
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
