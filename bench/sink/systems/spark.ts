import { join } from 'node:path'
import { hasMaven, jarsOf } from '../../../test/real/maven.ts'
import { pipPackages } from '../../../test/tools/pip.ts'
import { hasPython } from '../../../test/tools/python.ts'
import type { System } from '../system.ts'

const folder = join(import.meta.dirname, '../spark')
const packages = () => pipPackages('bench-spark', join(folder, 'requirements.txt'))
const jars = () => jarsOf('bench-spark-jars', join(folder, 'pom.xml'))

export const spark: System = {
  name: 'spark',
  title: 'Spark Structured Streaming',
  isHere: hasPython && hasMaven,
  target: 'disk',
  canRepeat: true,
  prepare: async () => {
    await packages()
    await jars()
  },
  command: async ({ broker, topic, output }) => ({
    command: 'python3',
    args: [join(folder, 'stream.py'), broker, topic, await jars(), output],
    env: { PYTHONPATH: await packages(), PYTHONDONTWRITEBYTECODE: '1' }
  }),
  described: () => 'pyspark 4.0.1, `local[2]`, 2 GiB of heap, `spark/stream.py`; to the local disk'
}
