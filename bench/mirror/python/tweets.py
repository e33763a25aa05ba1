"""Tweets of exactly 640 bytes of JSON, always the same ones: a few thousand texts, and an id of its own for each."""

import json
import random

TWEET_BYTES = 640
TEXTS = 5_000
WORDS = (
    "the of to and in is that it for was on are as with they at be this from have or by one had not but what all were when"
    " we there can an your which their said if do will each about how up out them then she many some so these would other"
    " into has more her two like him see time could no make than first been its who now people my made over did down only"
    " way find use may water long little very after words called just where most know kafka stream cloud data event topic"
    " offset replica broker partition exactly once mirror lake warehouse latency throughput cluster bridge hybrid"
).split()
DIGITS = 19


def tweets():
    """Heads and tails of the tweets: an id of 19 digits goes between them."""
    chance = random.Random(640)
    return [tweet(chance) for _ in range(TEXTS)]


def tweet(chance):
    user = chance.randrange(10**8, 10**10)
    name = f"{chance.choice(WORDS).title()} {chance.choice(WORDS).title()}"
    event = {
        "created_at": f"2026-11-{chance.randrange(1, 29):02d}T{chance.randrange(24):02d}:{chance.randrange(60):02d}:00.000Z",
        "author_id": str(user),
        "text": " ".join(chance.choice(WORDS) for _ in range(chance.randrange(12, 30))),
        "lang": chance.choice(["en", "en", "en", "es", "de", "fr", "ja"]),
        "public_metrics": {name: chance.randrange(5_000) for name in ("retweet_count", "reply_count", "like_count")},
        "user": {"id": str(user), "name": name, "username": name.replace(" ", "_").lower(), "verified": user % 9 == 0},
        "entities": {"hashtags": [{"tag": chance.choice(WORDS)} for _ in range(chance.randrange(3))]},
        "source": "Causeway for Benchmarks",
        "note": "",
    }
    head = b'{"id":"'
    tail = ('",' + json.dumps(event, separators=(",", ":"))[1:]).encode()
    missing = TWEET_BYTES - len(head) - DIGITS - len(tail)
    assert missing >= 0, f"a tweet is {-missing} bytes too long"
    filling = " ".join(chance.choice(WORDS) for _ in range(200)).encode()[:missing]
    return head, tail[:-2] + filling + tail[-2:]


def value(parts, number):
    head, tail = parts[number % TEXTS]
    return head + str(10**18 + number).encode() + tail
