import { PAGE_ROWS } from './format.ts'
import { newPageBytes } from './plain.ts'

/**
 * Buffers for the page that is being closed. A page is closed in one go, and what it becomes shares no memory with them, so
 * all columns of all files have the same ones.
 */
export const scratch = {
  levels: newPageBytes(),
  packed: newPageBytes(),
  /** Dictionary indexes of the values of a page. */
  indexes: new Uint32Array(PAGE_ROWS)
}
