import { spawnSync } from 'node:child_process'
import { toolMissing } from './require.ts'

/** Whether certificates can be made here. */
export const hasOpenssl = spawnSync('openssl', ['version']).status === 0 || toolMissing('openssl')
