import { integer, name, oneOf, table } from './fields.ts'
import type { Naming } from './naming.ts'
import type { Mm2Config } from './types.ts'

/** `take_over` of a mirror. */
export function takeOver() {
  return table({ mm2: mm2() })
}

function mm2() {
  return table({
    source: name().describe('What MirrorMaker 2 calls the source: its alias in `clusters`.'),
    policy: oneOf(['default', 'identity'])
      .default('default')
      .describe('Its replication policy: DefaultReplicationPolicy or IdentityReplicationPolicy.'),
    tasks: integer(1, 10_000)
      .default(16)
      .describe('Most tasks it ever had (`tasks.max`); only for targets older than Kafka 3.0.')
  })
}

/** What the naming has to be so that copies go on where MirrorMaker 2 put them; `undefined` when it is. */
export function whatNamingLacks(naming: Naming, { source, policy }: Mm2Config): string | undefined {
  if (policy === 'identity') return naming.type === 'identity' ? undefined : '"identity"'
  const fits = naming.type === 'prefix' && naming.prefix.startsWith(source) && naming.prefix !== source
  return fits ? undefined : `{ prefix = "${source}." }`
}
