import { join } from 'node:path'
import type { System } from '../system.ts'

const program = join(import.meta.dirname, '../peers/kafkajs.ts')

export const kafkajs: System = {
  name: 'kafkajs',
  title: 'kafkajs consumer → producer',
  exactlyOnce: false,
  isHere: true,
  prepare: async () => {},
  command: async ({ source, target, topic, codec, run }) => {
    return { command: process.execPath, args: [program, source, target, topic, codec, `bench-${run}`] }
  },
  described: () => `kafkajs 2.2.4 on Node ${process.version}, \`peers/kafkajs.ts\``
}
