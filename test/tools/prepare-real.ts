/** Downloads and builds what only the real tier needs, before any test's clock runs: on a fresh machine that takes minutes. */
import { hasHive, prepareHive } from '../real/hive.ts'
import { hasKafka, kafkaLibraries, oldestKafka } from '../real/kafka.ts'

if (hasHive) await prepareHive()
if (hasKafka) await kafkaLibraries(oldestKafka)
