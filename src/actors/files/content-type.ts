/** Of a sink's file, dead letters too, by the ending of its name. */
export function contentTypeOf(path: string): string {
  if (path.endsWith('.parquet')) return 'application/vnd.apache.parquet'
  if (/\.(gz|zst)$/.test(path)) return path.endsWith('.gz') ? 'application/gzip' : 'application/zstd'
  return path.endsWith('.ndjson') ? 'application/x-ndjson' : 'text/plain; charset=utf-8'
}
