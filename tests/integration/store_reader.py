#!/usr/bin/env python3
"""Reads a store by docs/log-format.md alone, sharing no code with Quorate.

Usage: store_reader.py DIRECTORY [lane|block|safety]
Prints one line a record: position, kind, length, SHA-256 of its bytes. Exit 1: damage.
"""

import hashlib
import os
import struct
import sys

PAGE = 4096
SEGMENT, PAD = 0xFFFE, 0xFFFF


def h(*parts):
    return hashlib.blake2b(b"".join(parts), digest_size=32).digest()


class Damage(Exception):
    pass


class Store:
    def __init__(self, directory):
        self.directory = directory
        found = []
        for copy in range(4):
            page = self.read("superblock", copy * 65536, PAGE)
            if page[:8] == b"QRSTORE\0" and h(b"QRSUPERB", page[:4064]) == page[4064:]:
                found.append((struct.unpack_from("<Q", page, 64)[0], page))
        if not found:
            raise Damage("superblock")
        page = max(found)[1]
        version, node_id = struct.unpack_from("<II", page, 8)
        if version != 1:
            raise Damage(f"version {version}")
        self.segment_bytes, self.record_max = struct.unpack_from("<QQ", page, 72)
        self.key = h(b"QRLOGKEY", page[16:48], struct.pack("<I", node_id), page[48:64])

    def read(self, name, offset, count):
        with open(os.path.join(self.directory, name), "rb") as file:
            file.seek(offset)
            return file.read(count)

    def whole(self, data, log, room):
        """The record at the start of `data`, or None."""
        if len(data) < 64 or data[:4] != b"QRLR":
            return None
        found_log, kind, length, unsettled, position, sequence = \
            struct.unpack_from("<HHIIQQ", data, 4)
        span = (64 + length + 63) // 64 * 64
        if found_log != log or span > min(room, len(data)):
            return None
        if h(b"QRLOGREC", self.key, data[:48], data[64:span])[:16] != data[48:64]:
            return None
        return {"kind": kind, "position": position, "sequence": sequence, "span": span,
                "settled": position - unsettled, "previous": data[32:48], "sum": data[48:64],
                "bytes": data[64:64 + length]}

    def segments(self, name):
        numbers = sorted(int(entry[len(name) + 1:-4]) for entry in os.listdir(self.directory)
                         if entry.startswith(name + "-") and entry.endswith(".log"))
        if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
            raise Damage(f"{name}: a segment is missing")
        return {n: self.read(f"{name}-{n:08d}.log", 0, self.segment_bytes) for n in numbers}

    def records(self, name, log):
        files = self.segments(name)
        size = self.segment_bytes
        at, expected, previous = min(files) * size, None, None

        def take(position, came_from):
            if position // size not in files:
                return None
            room = size - position % size
            record = self.whole(files[position // size][position % size:], log, room)
            if not record or record["position"] != position:
                return None
            if (position % size == 0) != (record["kind"] == SEGMENT):
                return None
            if expected is not None and \
                    (record["sequence"], record["previous"]) != (expected, previous):
                return None
            if record["kind"] == SEGMENT and expected is not None:
                if struct.unpack_from("<Q", record["bytes"], 56)[0] != came_from:
                    return None
            return record

        while True:
            record = take(at, at) or take((at // size + 1) * size, at)
            if not record:
                break
            at = record["position"] + record["span"]
            expected = record["sequence"] + (record["kind"] < 0xFF00)
            previous = record["sum"]
            if record["kind"] < 0xFF00:
                yield record
        for number, data in files.items():
            for offset in range(0, size, PAGE):
                position = number * size + offset
                later = self.whole(data[offset:], log, size - offset) if position >= at else None
                if later and later["position"] == position and later["settled"] > at:
                    raise Damage(f"{name}: position {at}")

    def safety(self):
        found = []
        for copy in range(2):
            for slot in range(64):
                data = self.read("safety", copy * 4194304 + slot * 12288, 12288)
                record = self.whole(data, 0, 12288)
                if record and record["sequence"] % 64 == slot and \
                        record["position"] == record["sequence"] * 12288:
                    found.append(record)
        if not found:
            raise Damage("safety: no record")
        newest = max(found, key=lambda record: record["sequence"])
        newest["bytes"] = newest["bytes"][16:]
        return newest


def main():
    store = Store(sys.argv[1])
    for name in sys.argv[2:] or ["safety", "lane", "block"]:
        log = ["safety", "lane", "block"].index(name)
        for record in [store.safety()] if log == 0 else store.records(name, log):
            print(name, record["position"], record["kind"], len(record["bytes"]),
                  hashlib.sha256(record["bytes"]).hexdigest())


if __name__ == "__main__":
    try:
        main()
    except Damage as damage:
        print(f"damaged: {damage}", file=sys.stderr)
        sys.exit(1)
