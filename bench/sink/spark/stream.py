"""Spark Structured Streaming: the topic from its beginning to its end, flattened to fifteen columns, to Parquet on the local disk.

argv: broker, topic, folder with the Kafka source's jars, folder. Prints `done 1`; after a line on standard input does all of it
again in the same, now warm, process and prints `done 2`; ends with its input.
"""

import glob
import sys

from pyspark.sql import SparkSession
from pyspark.sql.functions import col, from_json

broker, topic, jars, folder = sys.argv[1:]
SCHEMA = (
    "id BIGINT, text STRING, source STRING, retweeted_status STRUCT<id: BIGINT>, created_at TIMESTAMP, retweet_count INT,"
    " in_reply_to_user_id BIGINT, in_reply_to_status_id BIGINT, user STRUCT<name: STRING, location: STRING, screen_name: STRING,"
    " description: STRING, friends_count: INT, statuses_count: INT, followers_count: INT>"
)
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.jars", ",".join(glob.glob(f"{jars}/*.jar")))
    .config("spark.driver.memory", "2g")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MILLIS")
    .config("spark.sql.parquet.compression.codec", "snappy")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")


def run(which):
    tweet = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", broker)
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        .load()
        .select(from_json(col("value").cast("string"), SCHEMA).alias("t"))
    )
    rows = tweet.select(
        "t.id",
        "t.text",
        "t.source",
        col("t.retweeted_status").isNotNull().alias("is_retweet"),
        col("t.user.name").alias("user_name"),
        "t.created_at",
        "t.retweet_count",
        col("t.user.location").alias("user_location"),
        "t.in_reply_to_user_id",
        "t.in_reply_to_status_id",
        col("t.user.screen_name").alias("user_screen_name"),
        col("t.user.description").alias("user_description"),
        "t.user.friends_count",
        "t.user.statuses_count",
        "t.user.followers_count",
    )
    query = (
        rows.writeStream.format("parquet")
        .option("path", f"{folder}/out-{which}")
        .option("checkpointLocation", f"{folder}/checkpoint-{which}")
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()
    print(f"done {which}", flush=True)


run(1)
if sys.stdin.readline():
    run(2)
sys.stdin.readline()
