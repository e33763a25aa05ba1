/**
 * The config as plain TOML tables. References and relations are checked on these and not on the schema's output, so
 * that all faults are told together; values of a wrong type are the schema's business and passed over there.
 */
export type Table = Readonly<Record<string, unknown>>

/** The table `[section]`, empty when it is missing. */
export function tableOf(document: unknown, section: string): Table {
  const table = isTable(document) ? document[section] : undefined
  return isTable(table) ? table : {}
}

/** The tables `[section.NAME]` by name. */
export function tablesOf(document: unknown, section: string): ReadonlyMap<string, Table> {
  const tables = Object.entries(tableOf(document, section))
  return new Map(tables.filter((entry): entry is [string, Table] => isTable(entry[1])))
}

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
