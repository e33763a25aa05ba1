"""A partition's content in one hash: keys and values, in their order."""

import hashlib


class Digests:
    def __init__(self):
        self.partitions = {}

    def add(self, partition, key, value):
        if partition not in self.partitions:
            self.partitions[partition] = [0, hashlib.blake2b(digest_size=16)]
        held = self.partitions[partition]
        held[0] += 1
        held[1].update(b"%d %d " % (len(key), len(value)))
        held[1].update(key)
        held[1].update(value)

    def all(self):
        return {
            str(partition): {"records": records, "hash": digest.hexdigest()}
            for partition, (records, digest) in sorted(self.partitions.items())
        }
