import { tp } from '../actors/kafka/topic-partition.ts'
import type { Fault } from '../errors.ts'
import { noCounters } from './sink-events.ts'
import { sinkSetup } from './sink-setup.ts'

const lost = [
  { type: 'own', params: { shards: [] } },
  { type: 'reconcile', params: { mayStart: false } },
  { type: 'keepFault', params: ({ event }: { event: { readonly fault: Fault } }) => event }
] as const

/**
 * One sink: a member of a group that hands out shards, one fetcher, and a chain for each topic-partition of its shards.
 *
 * Positions are in the log in the store, and a chain publishes before it moves on; what goes to Kafka's group is for lag
 * tools and never read. Draining goes in order: fetching ends, the chains publish what they hold, the group is left.
 */
export const sinkMachine = sinkSetup.createMachine({
  id: 'sink',
  context: ({ input }) => ({
    ...input,
    shards: [],
    partitions: undefined,
    notes: [],
    chains: {},
    fetches: {},
    fetchGeneration: 0,
    counters: noCounters,
    failures: 0,
    fault: undefined
  }),
  initial: 'probing',
  states: {
    probing: {
      on: { drain: 'done' },
      invoke: {
        src: 'probe',
        onDone: { target: 'running', actions: 'clearFailure' },
        onError: {
          guard: { type: 'isRetryable', params: ({ event }) => event },
          target: 'unproven',
          actions: { type: 'keepFailure', params: ({ event }) => event }
        }
      }
    },
    unproven: { on: { drain: 'done' }, after: { backoff: 'probing' } },
    running: {
      invoke: [
        { src: 'fetcher', id: 'fetcher', input: ({ context }) => context.fetcher },
        { src: 'topology', id: 'topology' },
        { src: 'membership', id: 'membership', input: ({ context }) => context.membership, onDone: 'done' },
        { src: 'flow', id: 'flow', input: ({ context }) => context.flow },
        { src: 'meter', id: 'meter' },
        { src: 'keeper', id: 'keeper' },
        { src: 'letters', id: 'letters' },
        { src: 'hive', id: 'hive', input: ({ context }) => context.hive },
        { src: 'committer', id: 'committer' }
      ],
      on: {
        'records.fetched': { actions: { type: 'deliver', params: ({ event }) => event } },
        'partition.faulted': { actions: { type: 'deliverFault', params: ({ event }) => event } },
        'chain.opened': {
          actions: [
            { type: 'beginFetch', params: ({ event }) => event },
            { type: 'passToHive', params: ({ event }) => event },
            { type: 'passToLetters', params: ({ event }) => event }
          ]
        },
        'chain.closed': { actions: { type: 'endFetch', params: ({ event }) => event } },
        'chain.throttled': { actions: { type: 'holdFetch', params: ({ event }) => event } },
        'chain.relaxed': { actions: { type: 'holdFetch', params: ({ event }) => event } },
        'chain.advanced': {
          actions: [
            { type: 'count', params: ({ event }) => event },
            { type: 'noteOffset', params: ({ event }) => event },
            { type: 'passToHive', params: ({ event }) => event },
            { type: 'passToLetters', params: ({ event }) => event }
          ]
        },
        'chain.lost': { actions: { type: 'countOne', params: { name: 'commitsLost' } } },
        'chain.faulted': {
          actions: [
            { type: 'countOne', params: { name: 'faults' } },
            {
              type: 'logFault',
              params: ({ event }) => ({ fault: event.fault, where: tp(event.topic, event.partition) })
            }
          ]
        },
        'chain.ended': {
          actions: [
            { type: 'endFetch', params: ({ event }) => event },
            { type: 'forget', params: ({ event }) => event }
          ]
        },
        'chain.grew': { actions: 'relieve' },
        'files.exceeded': { actions: 'closeFiles' },
        'budget.changed': { actions: { type: 'passToFlow', params: ({ event }) => event } }
      },
      initial: 'joining',
      states: {
        joining: {
          on: {
            drain: 'draining',
            'topology.seen': { actions: { type: 'look', params: ({ event }) => event } },
            'membership.lost': { actions: lost },
            assignment: {
              target: 'carrying',
              actions: [
                { type: 'own', params: ({ event }) => event },
                { type: 'keepFault', params: { fault: undefined } },
                { type: 'reconcile', params: { mayStart: true } }
              ]
            }
          }
        },
        carrying: {
          on: {
            drain: 'draining',
            'topology.seen': {
              actions: [
                { type: 'look', params: ({ event }) => event },
                { type: 'reconcile', params: { mayStart: true } }
              ]
            },
            'membership.lost': { target: 'joining', actions: lost },
            assignment: {
              actions: [
                { type: 'own', params: ({ event }) => event },
                { type: 'reconcile', params: { mayStart: true } }
              ]
            }
          }
        },
        /** The chains publish what they hold. The group goes on counting us in; only losses count now. */
        draining: {
          entry: 'drainChains',
          always: { guard: 'hasNoChains', target: 'settling' },
          on: {
            'membership.lost': { actions: lost },
            // A chain that opens once more only publishes what it committed before.
            'chain.opened': {},
            assignment: {
              actions: [
                { type: 'keepOnly', params: ({ event }) => event },
                { type: 'reconcile', params: { mayStart: false } }
              ]
            }
          }
        },
        settling: {
          entry: 'finishCommits',
          on: { 'offsets.settled': 'registering' },
          after: { patience: 'registering' }
        },
        /** Hive gets to know the last files; what it does not take now, it is told at the next start. */
        registering: {
          entry: 'finishHive',
          on: { 'hive.settled': 'leaving' },
          after: { hivePatience: 'leaving' }
        },
        leaving: { entry: 'leaveGroup' }
      }
    },
    done: { type: 'final' }
  }
})
