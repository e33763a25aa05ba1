import { join } from 'node:path'
import type { System } from '../system.ts'

const program = join(import.meta.dirname, '../peers/naive.ts')

export const naive: System = {
  name: 'naive',
  title: 'kafkajs and parquetjs-lite',
  isHere: true,
  target: 'disk',
  canRepeat: false,
  prepare: async () => {},
  command: async ({ broker, topic, records, output, run }) => ({
    command: process.execPath,
    args: [program, broker, topic, String(records), output, `bench-${run}`]
  }),
  described: () =>
    `kafkajs 2.2.4, parquetjs-lite 0.8.7 on Node ${process.version}, \`peers/naive.ts\`; to the local disk`
}
