/**
 * What JavaScript is too slow for, in AssemblyScript: no objects, no allocation, only the memory that
 * `src/records/kernel.ts` lays out. `npm run kernel` compiles it.
 */
export { rawCrc32c } from './crc32c'
export { scan, scanElement } from './json'
export { isUtf8 } from './utf8'

/** Where the memory begins that is free for the caller. */
export const base: usize = (__heap_base + 15) & ~15
