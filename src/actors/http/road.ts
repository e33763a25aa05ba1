import { Graph, layout } from '@dagrejs/dagre'
import type { Config } from '../../config.ts'
import { allInstances, type RoleInstance } from '../../roles/catalog.ts'

/**
 * The road as a drawing: places (event sources, clusters, stores, warehouses) and the roles that carry between them, laid
 * out from left to right. Lengths are pixels; a node's position is its centre.
 */
export interface Road {
  readonly width: number
  readonly height: number
  readonly nodes: readonly RoadNode[]
  readonly edges: readonly RoadEdge[]
}

export type PlaceKind = 'source' | 'cluster' | 'store' | 'warehouse'

export interface RoadNode {
  /** `role:mirror.cloud`, `cluster:aws`, … */
  readonly id: string
  readonly kind: PlaceKind | 'role'
  readonly label: string
  /** A second line: the kind of place, or the role's name. */
  readonly detail: string
  /** The role's id in `/api/state`; absent for places. */
  readonly role?: string
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export interface RoadEdge {
  readonly from: string
  readonly to: string
  /** The role that moves events along it, into itself (`in`) or out of itself (`out`). */
  readonly role: string
  readonly direction: 'in' | 'out'
  readonly points: readonly { readonly x: number; readonly y: number }[]
}

interface Place {
  readonly kind: PlaceKind
  readonly name: string
  readonly detail: string
}

/** Draws every role of the config, also those that other workers run. */
export function drawRoad(config: Config): Road {
  const graph = new Graph({ directed: true })
  graph.setGraph({ rankdir: 'LR', nodesep: 28, ranksep: 56, marginx: 16, marginy: 16 })
  graph.setDefaultEdgeLabel(() => ({}))
  const nodes = new Map<string, Omit<RoadNode, 'x' | 'y'>>()
  const edges: Omit<RoadEdge, 'points'>[] = []

  const place = ({ kind, name, detail }: Place): string => {
    const id = `${kind}:${name}`
    nodes.set(id, { id, kind, label: name, detail, width: widthOf(name, detail), height: 52 })
    return id
  }
  for (const instance of allInstances(config)) {
    const id = `role:${instance.id}`
    const [label, detail] = [instance.instance, instance.role]
    nodes.set(id, {
      id,
      kind: 'role',
      label,
      detail,
      role: instance.id,
      width: Math.max(150, widthOf(label, detail) + 16),
      height: 76
    })
    const { from, to } = endsOf(config, instance)
    edges.push({ from: place(from), to: id, role: instance.id, direction: 'in' })
    edges.push({ from: id, to: place(to), role: instance.id, direction: 'out' })
  }

  for (const { id, width, height } of nodes.values()) graph.setNode(id, { width, height })
  for (const { from, to } of edges) graph.setEdge(from, to)
  layout(graph)
  const { width = 0, height = 0 } = graph.graph()
  return {
    width,
    height,
    nodes: [...nodes.values()].map((node) => ({ ...node, ...centreOf(graph.node(node.id)) })),
    edges: edges.map((edge) => ({ ...edge, points: graph.edge(edge.from, edge.to).points ?? [] }))
  }
}

function endsOf(
  config: Config,
  { role, instance, id }: RoleInstance
): { readonly from: Place; readonly to: Place } {
  const cluster = (name = '?'): Place => ({ kind: 'cluster', name, detail: 'Kafka' })
  const store = (name = '?'): Place => {
    const type = config.stores[name]?.type
    return { kind: 'store', name, detail: type === 'hdfs' ? 'HDFS' : 'S3' }
  }
  switch (role) {
    case 'ingest': {
      const ingest = config.ingest[instance]
      const detail = ingest?.source.type === 'file' ? 'NDJSON file' : 'event stream'
      return {
        from: { kind: 'source', name: id.slice('ingest.'.length), detail },
        to: cluster(ingest?.cluster)
      }
    }
    case 'mirror':
      return { from: cluster(config.mirror[instance]?.from), to: cluster(config.mirror[instance]?.to) }
    case 'hdfs-sink':
      return {
        from: cluster(config.hdfsSinks[instance]?.cluster),
        to: store(config.hdfsSinks[instance]?.store)
      }
    case 's3-sink':
      return { from: cluster(config.s3Sinks[instance]?.cluster), to: store(config.s3Sinks[instance]?.store) }
    case 'redshift-loader': {
      const loader = config.redshiftLoaders[instance]
      const name = loader?.warehouse ?? '?'
      return {
        from: store(config.s3Sinks[loader?.s3Sink ?? '']?.store),
        to: { kind: 'warehouse', name, detail: config.warehouses[name]?.dialect ?? '' }
      }
    }
  }
}

/** Room for two lines of about 7 pixels per letter. */
function widthOf(label: string, detail: string): number {
  return Math.max(96, 7.5 * Math.max(label.length, detail.length) + 32)
}

function centreOf({ x = 0, y = 0 }: { readonly x?: number; readonly y?: number }) {
  return { x, y }
}
