/** What the image and the unit file of docs/operations.md tell the C library: Causeway is measured as it is run. */
export const malloc = { MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_ARENA_MAX: '2' }
