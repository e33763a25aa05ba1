import { and, or } from 'xstate'
import * as ledgers from './ledger.ts'
import { begun, lacking, nothing, reconciled, shard } from './shard-setup.ts'
import { sourceStops, takenStops, targetStops } from './verdict.ts'

/**
 * One shard of a mirror: the partitions of one hash class, copied under one transactional id.
 *
 * A transaction opens with the first data, and the positions are records in it, so data and positions become visible
 * together or not at all. There is one way to recover: on any doubt the shard leaves `live`, which stops its writer
 * (sockets destroyed, buffers returned), and comes back through fencing and the durable positions.
 *
 * With `delivery` at least once there are no transactions, and the same steps write data and then positions: what was
 * acknowledged survives a doubt, and copying goes on behind it.
 *
 * What was taken moves `taken → sent → acked → positions`: held by the writer, on its way to the target, acknowledged in
 * the open transaction, committed.
 */
export const shardMachine = shard.createMachine({
  id: 'shard',
  context: ({ input }) => ({
    ...input,
    ...nothing,
    ledger: {},
    positions: {},
    doubts: 0,
    commitTookMs: 0,
    fault: undefined,
    waitingFor: ''
  }),
  initial: 'vacant',
  on: {
    'partitions.changed': {
      actions: { type: 'adopt', params: ({ context, event }) => reconciled(context, event) }
    },
    'partition.retry': {
      actions: {
        type: 'adopt',
        params: ({ context, event }) => ({ ledger: ledgers.retry(context.ledger, event.key) })
      }
    },
    'slices.fetched': { actions: { type: 'drop', params: ({ event }) => event } },
    drain: '.drained'
  },
  states: {
    /** No partition belongs to the shard, so it needs no producer id. */
    vacant: { always: { guard: 'hasPartitions', target: 'live' } },
    live: {
      invoke: {
        src: 'writer',
        id: 'writer',
        input: ({ context }) => ({ shard: context.shard }),
        // Anything but a doubt has no transition here: it escalates, code intact.
        onError: [
          { guard: and(['isDoubt', 'isClosed']), target: 'drained' },
          {
            guard: 'isDoubt',
            target: 'backoff',
            actions: { type: 'keepFault', params: ({ event }) => event }
          }
        ]
      },
      initial: 'fencing',
      states: {
        fencing: {
          initial: 'asking',
          states: { asking: {}, markersPending: {} },
          on: {
            'writer.waiting': {
              target: '.markersPending',
              actions: { type: 'keepWaiting', params: ({ event }) => event }
            },
            'writer.fenced': 'restoring'
          }
        },
        restoring: {
          initial: 'reading',
          states: { reading: {}, hangingTransaction: {} },
          on: {
            'writer.waiting': {
              target: '.hangingTransaction',
              actions: { type: 'keepWaiting', params: ({ event }) => event }
            },
            'writer.restored': {
              target: 'copying',
              actions: { type: 'restore', params: ({ event }) => event }
            }
          }
        },
        copying: {
          type: 'parallel',
          entry: { type: 'adopt', params: ({ context }) => begun(context, context.ledger) },
          exit: ['releaseFetches', 'abandon'],
          on: {
            'partitions.changed': {
              actions: {
                type: 'adopt',
                params: ({ context, event }) => begun(context, reconciled(context, event).ledger)
              }
            },
            'partition.retry': {
              actions: {
                type: 'adopt',
                params: ({ context, event }) => begun(context, ledgers.retry(context.ledger, event.key))
              }
            },
            'partition.faulted': {
              actions: {
                type: 'halt',
                params: ({ context, event }) => ({
                  stops: sourceStops(context.ledger, context.positions, event)
                })
              }
            },
            'writer.took': {
              actions: [
                { type: 'note', params: ({ event }) => event },
                { type: 'halt', params: ({ event }) => ({ stops: takenStops(event.taken) }) }
              ]
            },
            'writer.refused': [
              { guard: 'isClosed', target: '#shard.drained' },
              {
                target: '#shard.backoff',
                actions: [
                  {
                    type: 'keepFault',
                    params: ({ event: { failures } }) => ({
                      error: failures[0]?.fault,
                      isDoubt: failures.some(({ refused }) => refused === undefined)
                    })
                  },
                  { type: 'learn', params: ({ event }) => event },
                  { type: 'halt', params: ({ event }) => ({ stops: targetStops(event.failures) }) }
                ]
              }
            ]
          },
          states: {
            intake: {
              initial: 'open',
              states: {
                open: {
                  on: {
                    'slices.fetched': {
                      actions: {
                        type: 'tell',
                        params: ({ event }) => ({ type: 'take', slices: event.slices })
                      }
                    },
                    drain: 'closed'
                  }
                },
                closed: { on: { drain: {} } }
              }
            },
            /** One commit an interval: what comes after a pause is committed at once, the rest waits for its turn. */
            clock: {
              initial: 'due',
              states: {
                resting: { after: { commitInterval: 'due' } },
                due: {}
              },
              on: { 'writer.committed': '.resting' }
            },
            pipeline: {
              initial: 'idle',
              states: {
                /** No transaction is open. */
                idle: {
                  always: [
                    { guard: 'hasBatches', target: 'adding' },
                    { guard: and(['hasUncommitted', or(['isDue', 'isClosed'])]), target: 'adding' },
                    { guard: 'isClosed', target: '#shard.drained' }
                  ]
                },
                adding: {
                  entry: {
                    type: 'tell',
                    params: ({ context }) => ({ type: 'add', partitions: lacking(context) })
                  },
                  on: {
                    'writer.added': {
                      target: 'open',
                      actions: { type: 'keepAdded', params: ({ event }) => event }
                    }
                  }
                },
                producing: {
                  entry: ['send', { type: 'tell', params: { type: 'produce' } }],
                  on: {
                    'writer.produced': { target: 'open', actions: 'acknowledge' },
                    'writer.acknowledged': {
                      actions: { type: 'acknowledgeSome', params: ({ event }) => event }
                    }
                  }
                },
                /** A transaction is open and everything sent was acknowledged. */
                open: {
                  always: [
                    { guard: and(['hasCommittable', or(['isDue', 'isFull'])]), target: 'committing' },
                    { guard: 'lacksPartitions', target: 'adding' },
                    { guard: 'hasBatches', target: 'producing' },
                    { guard: 'isClosed', target: 'committing' }
                  ]
                },
                committing: {
                  entry: [
                    'passOver',
                    {
                      type: 'tell',
                      params: ({ context }) => ({
                        type: 'commit',
                        positions: ledgers.positionsOf(context.ledger, context.acked)
                      })
                    }
                  ],
                  on: {
                    'writer.committed': {
                      target: 'idle',
                      actions: ['settle', { type: 'keepTook', params: ({ event }) => event }]
                    }
                  }
                }
              }
            }
          }
        }
      }
    },
    /** The writer is gone and its sockets are closed; the next one starts from the durable positions. */
    backoff: { after: { backoff: 'live' } },
    drained: {
      type: 'final',
      entry: { type: 'report', params: ({ context }) => ({ type: 'shard.drained', shard: context.shard }) }
    }
  }
})
