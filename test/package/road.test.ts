import { describe, expect, test } from 'vitest'
import { expectFlawless } from '../e2e/check-road.ts'
import { hasHdfs } from '../real/hdfs.ts'
import { hasKafka } from '../real/kafka.ts'
import { hasMinio } from '../real/minio.ts'
import { SoakRoad } from '../soak/road/road.ts'
import { cleanups } from '../tools/cleanup.ts'
import { hasPython } from '../tools/python.ts'
import { causewayPath } from './executable.ts'

const defer = cleanups()
const isPossible = hasKafka && hasHdfs && hasMinio && hasPython

describe.skipIf(!isPossible)('the executable on Apache Kafka twice, HDFS, MinIO and PostgreSQL', () => {
  test('the five roles carry every event once, unchanged and in order, also over a kill -9', {
    timeout: 300_000
  }, async () => {
    const road = await SoakRoad.start([causewayPath()], 1_000)
    defer(() => road.stop())
    await road.progress('its start')
    await road.worker.end()
    road.start()
    await road.flowing()
    const { events, verdict, exit } = await road.finish()
    expectFlawless(verdict, events)
    expect(events).toBeGreaterThan(1_000)
    expect(exit, road.worker.said()).toBe(0)
    expect(road.leaks()).toEqual([])
  })
})
