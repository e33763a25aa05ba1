"""The fifteen columns, as DuckDB makes them of the lines."""

COLUMNS = {
    "id": "id",
    "text": "text",
    "source": "source",
    "is_retweet": "(retweeted_status IS NOT NULL)",
    "user_name": '"user".name',
    "created_at": "created_at",
    "retweet_count": "retweet_count",
    "user_location": '"user".location',
    "in_reply_to_user_id": "in_reply_to_user_id",
    "in_reply_to_status_id": "in_reply_to_status_id",
    "user_screen_name": '"user".screen_name',
    "user_description": '"user".description',
    "friends_count": '"user".friends_count',
    "statuses_count": '"user".statuses_count',
    "followers_count": '"user".followers_count',
}
USER = (
    "STRUCT(name VARCHAR, location VARCHAR, screen_name VARCHAR, description VARCHAR, friends_count INTEGER,"
    " statuses_count INTEGER, followers_count INTEGER)"
)
TYPES = {
    "id": "BIGINT",
    "text": "VARCHAR",
    "source": "VARCHAR",
    "retweeted_status": "STRUCT(id BIGINT)",
    "created_at": "TIMESTAMP",
    "retweet_count": "INTEGER",
    "in_reply_to_user_id": "BIGINT",
    "in_reply_to_status_id": "BIGINT",
    "user": USER,
}


def rows_of(lines):
    """A query that gives the columns of a file of lines."""
    types = ", ".join(f"\"{name}\": '{kind}'" for name, kind in TYPES.items())
    chosen = ", ".join(f"{expression} AS {name}" for name, expression in COLUMNS.items())
    return f"SELECT {chosen} FROM read_json('{lines}', format='newline_delimited', columns={{{types}}})"
