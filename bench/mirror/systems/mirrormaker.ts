import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hasMaven, jarsOf } from '../../../test/real/maven.ts'
import { filled } from '../../lib/template.ts'
import type { Assignment, System } from '../system.ts'

const pom = join(import.meta.dirname, '../mm2/pom.xml')
const VERSION = '4.1.1'
/** As bin/kafka-run-class.sh of Kafka starts Java, but with half of the heap that connect-mirror-maker.sh grants. */
const JVM = [
  ...['-server', '-Xms256m', '-Xmx1g', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20'],
  ...['-XX:InitiatingHeapOccupancyPercent=35', '-XX:+ExplicitGCInvokesConcurrent', '-Djava.awt.headless=true']
]
const LOGGING = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'

export const mirrorMaker: System = {
  name: 'mm2',
  title: 'MirrorMaker 2',
  exactlyOnce: false,
  ...common('throughput.properties')
}

export const mirrorMakerExactlyOnce: System = {
  name: 'mm2-exactly-once',
  title: 'MirrorMaker 2, exactly-once',
  exactlyOnce: true,
  ...common('exactly-once.properties')
}

function common(template: string): Pick<System, 'isHere' | 'prepare' | 'command' | 'described'> {
  return {
    isHere: hasMaven,
    prepare: async () => void (await jarsOf('mirrormaker', pom)),
    command: async (assignment) => {
      const args = [...JVM, LOGGING, '-cp', `${await jarsOf('mirrormaker', pom)}/*`]
      const file = configured(template, assignment)
      return { command: 'java', args: [...args, 'org.apache.kafka.connect.mirror.MirrorMaker', file] }
    },
    described: () => `Apache Kafka ${VERSION}, dedicated mode, \`mm2/${template}\`, \`${JVM.join(' ')}\``
  }
}

function configured(template: string, { source, target, topic, codec, directory }: Assignment): string {
  const file = join(directory, template)
  const values = { source, target, topic, codec }
  writeFileSync(file, filled(join(import.meta.dirname, '../mm2', template), values))
  return file
}
