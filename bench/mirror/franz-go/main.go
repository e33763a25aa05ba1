// A plain mirror on franz-go: consumes a topic and produces every record to the topic of the same name and the same
// partition of another cluster, at least once. Offsets are committed for what the target has acknowledged.
//
// Arguments: source, target, topic, codec (none, lz4, zstd), group.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	fetchBytes     = 16 << 20
	partitionBytes = 4 << 20
	batchBytes     = 1 << 20
	linger         = 5 * time.Millisecond
)

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(),
	"lz4":  kgo.Lz4Compression(),
	"zstd": kgo.ZstdCompression(),
}

func main() {
	source, target, topic, codec, group := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()

	consumer := client(
		kgo.SeedBrokers(source),
		kgo.ConsumeTopics(topic),
		kgo.ConsumerGroup(group),
		kgo.AutoCommitMarks(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(partitionBytes),
	)
	producer := client(
		kgo.SeedBrokers(target),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(batchBytes),
		kgo.ProducerBatchCompression(codecs[codec]),
		kgo.ProducerLinger(linger),
		kgo.RequiredAcks(kgo.AllISRAcks()),
	)
	for ctx.Err() == nil {
		fetches := consumer.PollFetches(ctx)
		fetches.EachError(func(topic string, partition int32, err error) {
			if ctx.Err() == nil {
				log.Fatalf("fetching %s-%d: %v", topic, partition, err)
			}
		})
		fetches.EachRecord(func(read *kgo.Record) {
			copied := &kgo.Record{
				Key: read.Key, Value: read.Value, Headers: read.Headers, Timestamp: read.Timestamp,
				Topic: read.Topic, Partition: read.Partition,
			}
			producer.Produce(context.Background(), copied, func(_ *kgo.Record, err error) {
				if err != nil {
					log.Fatalf("producing: %v", err)
				}
				consumer.MarkCommitRecords(read)
			})
		})
	}
	_ = producer.Flush(context.Background())
	producer.Close()
	consumer.Close()
}

func client(options ...kgo.Opt) *kgo.Client {
	created, err := kgo.NewClient(options...)
	if err != nil {
		log.Fatal(err)
	}
	return created
}
