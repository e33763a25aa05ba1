import { expect, test } from 'vitest'
import { createLogger } from '../../src/log.ts'
import { Clusters } from '../../src/worker/clusters.ts'
import { roadConfig } from '../support/worker-view.ts'

const log = createLogger({ level: 'fatal', format: 'json' }, { write: () => undefined })

test('there is one object per cluster, made when it is asked for', () => {
  const clusters = new Clusters(roadConfig(), log)
  const onprem = clusters.get('onprem')
  expect(onprem.name).toBe('onprem')
  expect(clusters.get('onprem')).toBe(onprem)
  expect(clusters.get('aws')).not.toBe(onprem)
  clusters.close()
})

test('a cluster that the config does not name is refused', () => {
  const clusters = new Clusters(roadConfig(), log)
  expect(() => clusters.get('constructor')).toThrow('the config has no [cluster.constructor]')
})
