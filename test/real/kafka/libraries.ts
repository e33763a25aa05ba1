import { join } from 'node:path'
import { runOk } from '../../tools/run.ts'
import { hasMaven, jarsOf } from '../maven.ts'

/** 2.8 is the oldest line that Causeway claims: the first with topic ids. It still keeps its metadata in ZooKeeper. */
export type KafkaVersion = '4.1.1' | '2.8.2'
export const newestKafka: KafkaVersion = '4.1.1'
export const oldestKafka: KafkaVersion = '2.8.2'

/** Whether Apache Kafka can be had here. */
export const hasKafka = hasMaven

/** The folder with Kafka's jars, fetched when it is not in the cache. */
export function kafkaLibraries(version: KafkaVersion = newestKafka): Promise<string> {
  return jarsOf('kafka', join(import.meta.dirname, `${version}.xml`))
}

/** What starts often and runs briefly gains nothing by the second compiler. */
const briefly: readonly string[] = ['-Xmx512m', '-Xms128m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']

/** The first arguments of `java` for a class of Kafka. */
export function javaArgs(libraries: string, jvm = briefly): string[] {
  return ['-cp', `${libraries}/*`, ...jvm]
}

/** Runs one of Kafka's command line tools by its class and returns what it printed. */
export async function kafkaTool(
  mainClass: string,
  args: readonly string[],
  version: KafkaVersion = newestKafka
): Promise<string> {
  return runOk('java', [...javaArgs(await kafkaLibraries(version)), mainClass, ...args])
}
