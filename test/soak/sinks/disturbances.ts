import type { Disturbance } from '../torture.ts'
import { killWorker, zombie } from '../workers.ts'
import type { SinkPair } from './pair.ts'

export const disturbances: readonly Disturbance<SinkPair>[] = [killWorker, zombie(20)]
