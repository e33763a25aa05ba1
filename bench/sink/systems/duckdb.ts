import { hasPython } from '../../../test/tools/python.ts'
import { python } from '../../lib/python.ts'
import type { System } from '../system.ts'

export const duckdb: System = {
  name: 'duckdb',
  title: 'DuckDB, from a file of the same lines',
  isHere: hasPython,
  target: 'disk',
  canRepeat: false,
  prepare: async () => {},
  command: async ({ lines, output }) => await python('sink/python/duck.py', [lines, output]),
  described: () =>
    'DuckDB 2.0.0 for Python, one thread, `python/duck.py`; the limit: it reads no Kafka, and writes to the local disk'
}
