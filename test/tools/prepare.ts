/** Downloads what the tests need, before any test's clock runs: on a fresh machine that takes minutes. */
import { hasHdfs, prepareHdfs } from '../real/hdfs.ts'
import { hasKafka, kafkaLibraries } from '../real/kafka.ts'
import { hasKafkaTools, kafkaToolsClasses } from '../real/kafka-tools.ts'
import { awscliPackages } from './awscli.ts'
import { hasPython, pythonPackages } from './python.ts'

if (hasPython) await pythonPackages()
if (hasPython) await awscliPackages()
if (hasKafka) await kafkaLibraries()
if (hasKafkaTools) await kafkaToolsClasses()
if (hasHdfs) await prepareHdfs()
