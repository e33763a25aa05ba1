import { join } from 'node:path'
import { pythonPackages } from '../../test/tools/python.ts'
import type { Command } from './program.ts'

/** A Python script with librdkafka beside it, in the version that the tests pin. */
export async function python(script: string, args: readonly string[]): Promise<Command> {
  const env = { PYTHONPATH: await pythonPackages(), PYTHONDONTWRITEBYTECODE: '1', PYTHONUNBUFFERED: '1' }
  return { command: 'python3', args: [join(import.meta.dirname, '..', script), ...args], env }
}
