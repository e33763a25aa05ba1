"""Tweets as the X API v1.1 sends them, one a line, with all that the fifteen columns are made of; always the same ones.

argv: file, number of tweets. A text is hardly ever said twice; users, of whom some say much more than others, come again.
"""

import json
import random
import sys

WORDS = (
    "the of to and in is that it for was on are as with they at be this from have or by one had not but what all were when"
    " we there can an your which their said if do will each about how up out them then she many some so these would other"
    " into has more her two like him see time could no make than first been its who now people my made over did down only"
    " way find use may water long little very after words called just where most know kafka stream cloud data event topic"
    " offset replica broker partition exactly once mirror lake warehouse latency throughput cluster bridge hybrid"
    " naïve café übung 東京 данные 🚀 😀"
).split()
SOURCES = [
    f'<a href="http://{site}" rel="nofollow">{name}</a>'
    for site, name in [
        ("twitter.com/download/iphone", "Twitter for iPhone"),
        ("twitter.com/download/android", "Twitter for Android"),
        ("twitter.com", "Twitter Web Client"),
        ("www.hootsuite.com", "Hootsuite"),
        ("bufferapp.com", "Buffer"),
        ("ifttt.com", "IFTTT"),
    ]
]
USERS = 20_000
PHRASES = 4_000
FIRST_ID = 1_050_000_000_000_000_000
FIRST_MS = 1_539_174_000_000


def tweets(count):
    chance = random.Random(2018)
    phrases = [" ".join(chance.choices(WORDS, k=chance.randrange(4, 9))) for _ in range(PHRASES)]
    users = [user(chance, number, phrases) for number in range(USERS)]
    for number in range(count):
        author = users[int(USERS * chance.random() ** 3)]
        is_retweet = chance.random() < 0.3
        reply = None if chance.random() < 0.8 else FIRST_ID - chance.randrange(10**15)
        said = [chance.choice(phrases) for _ in range(chance.randrange(1, 5))]
        if chance.random() < 0.1:
            said.insert(1, "\n")
        event = {
            "created_at": at(FIRST_MS + number * 7),
            "id": FIRST_ID + number * 29_360_128 + chance.randrange(4_096),
            "id_str": "",
            "text": f"{' '.join(said)} #{number:x}",
            "source": chance.choice(SOURCES),
            "truncated": False,
            "in_reply_to_status_id": reply,
            "in_reply_to_status_id_str": reply and str(reply),
            "in_reply_to_user_id": None if reply is None else 10**8 + chance.randrange(USERS),
            "in_reply_to_user_id_str": None,
            "user": author,
            "lang": "en",
            "retweet_count": int(chance.paretovariate(0.8)) % 100_000 if is_retweet else 0,
            "favorite_count": chance.randrange(50),
            "entities": {"hashtags": [{"text": f"{number:x}", "indices": [1, 2]}], "urls": [], "user_mentions": []},
        }
        event["id_str"] = str(event["id"])
        event["in_reply_to_user_id_str"] = reply and str(event["in_reply_to_user_id"])
        if is_retweet:
            event["retweeted_status"] = {"id": event["id"] - 1, "text": event["text"]}
        yield json.dumps(event, separators=(",", ":"), ensure_ascii=number % 10 == 0)


def user(chance, number, phrases):
    name = f"{chance.choice(WORDS).title()} {chance.choice(WORDS).title()}"
    return {
        "id": 10**8 + number,
        "name": name,
        "screen_name": f"{name.split()[0].lower()}_{number}",
        "location": None if number % 3 == 0 else f"{chance.choice(WORDS).title()}, {chance.choice(WORDS).title()}",
        "description": None if number % 5 == 0 else f"{chance.choice(phrases)} {chance.choice(phrases)}",
        "followers_count": int(chance.paretovariate(0.5)) % 10_000_000,
        "friends_count": int(chance.paretovariate(0.5)) % 5_000,
        "statuses_count": chance.randrange(100_000),
    }


def at(milliseconds):
    seconds, rest = divmod(milliseconds, 1_000)
    days, second = divmod(seconds, 86_400)
    day = days - 17_814  # 2018-10-10
    return f"2018-10-{10 + day:02d}T{second // 3_600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.{rest:03d}Z"


if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="utf-8") as lines:
        for line in tweets(int(sys.argv[2])):
            lines.write(line + "\n")
