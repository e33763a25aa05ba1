import { expect, test } from 'vitest'
import { drawRoad, type Road, type RoadNode } from '../../../src/actors/http/road.ts'
import { roadConfig } from '../../support/worker-view.ts'

const nodeOf = (road: Road, id: string): RoadNode => {
  const node = road.nodes.find((each) => each.id === id)
  if (node === undefined) throw new Error(`no node ${id}`)
  return node
}

test('each role stands between the places that it joins, from left to right', () => {
  const road = drawRoad(roadConfig())
  const ways = road.edges.map(({ from, to, direction }) => `${from} ${direction} ${to}`)
  expect(ways).toEqual([
    'source:tweets in role:ingest.tweets',
    'role:ingest.tweets out cluster:onprem',
    'cluster:onprem in role:mirror.cloud',
    'role:mirror.cloud out cluster:aws',
    'cluster:onprem in role:hdfs-sink.raw',
    'role:hdfs-sink.raw out store:raw',
    'cluster:aws in role:s3-sink.crucial',
    'role:s3-sink.crucial out store:crucial',
    'store:crucial in role:redshift-loader.tweets',
    'role:redshift-loader.tweets out warehouse:main'
  ])
  for (const { from, to, points } of road.edges) {
    expect(nodeOf(road, from).x).toBeLessThan(nodeOf(road, to).x)
    expect(points.length).toBeGreaterThan(1)
  }
})

test('nothing overlaps and everything is inside', () => {
  const road = drawRoad(roadConfig())
  for (const one of road.nodes) {
    expect(one.x - one.width / 2).toBeGreaterThanOrEqual(0)
    expect(one.y - one.height / 2).toBeGreaterThanOrEqual(0)
    expect(one.x + one.width / 2).toBeLessThanOrEqual(road.width)
    expect(one.y + one.height / 2).toBeLessThanOrEqual(road.height)
    for (const other of road.nodes) {
      if (other === one) continue
      const isApart =
        Math.abs(one.x - other.x) >= (one.width + other.width) / 2 ||
        Math.abs(one.y - other.y) >= (one.height + other.height) / 2
      expect(isApart, `${one.id} and ${other.id}`).toBe(true)
    }
  }
})

test('mirrors both ways are drawn, although they are a circle', () => {
  const back = '[mirror.back]\nfrom = "aws"\nto = "onprem"\ntopics = ["answers"]\nnaming.prefix = "aws."\n'
  expect(drawRoad(roadConfig(back)).nodes.map(({ id }) => id)).toContain('role:mirror.back')
})
