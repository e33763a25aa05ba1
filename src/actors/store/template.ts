import { Fault } from '../../errors.ts'
import { encodeName } from './names.ts'

/** The directory of a record, below the sink's data prefix, without slashes at its ends. */
export type DirectoryOf = (timestampMs: number) => string

const FIELD = /\{([a-z]*)\}/g
const FIELDS = new Set(['topic', 'partition', 'date', 'hour'])
const HOUR_MS = 3_600_000
/** The last millisecond of the year 9999. */
const TIMESTAMP_MAX = 253_402_300_799_999

/**
 * Fills in a directory template: `{topic}`, `{partition}`, and `{date}` (`2026-01-31`) and `{hour}` (`00` to `23`) of the
 * record's Kafka timestamp in UTC. That timestamp is there for every record, also for one that cannot be parsed, and it
 * bounds how many files a chunk writes, which the events' own times would not. A record without a usable
 * timestamp goes to 1970. Throws `template-invalid`.
 */
export function compileTemplate(template: string, topic: string, partition: number): DirectoryOf {
  checkTemplate(template)
  const fixed = template.replaceAll('{topic}', encodeName(topic)).replaceAll('{partition}', String(partition))
  let lastHour: number | undefined
  let directory = ''
  return (timestampMs) => {
    const usable = isDatable(timestampMs) ? timestampMs : 0
    const hour = Math.floor(usable / HOUR_MS)
    if (hour !== lastHour) {
      const iso = new Date(hour * HOUR_MS).toISOString()
      directory = fixed.replaceAll('{date}', iso.slice(0, 10)).replaceAll('{hour}', iso.slice(11, 13))
      lastHour = hour
    }
    return directory
  }
}

/** Whether a record's timestamp is a date of the years 1970 to 9999; -1 means that it has none. */
export function isDatable(timestampMs: number): boolean {
  return timestampMs >= 0 && timestampMs <= TIMESTAMP_MAX
}

/** Throws `template-invalid` unless every directory the template can give stays visible and below its prefix. */
export function checkTemplate(template: string): void {
  const invalid = (why: string) =>
    new Fault('template-invalid', `template ${JSON.stringify(template)} ${why}`)
  for (const [, field = ''] of template.matchAll(FIELD)) {
    if (!FIELDS.has(field)) throw invalid(`names {${field}}; known are {topic}, {partition}, {date}, {hour}`)
  }
  for (const segment of template.replace(FIELD, 'x').split('/')) {
    if (!/^[A-Za-z0-9=-][A-Za-z0-9=._-]*$/.test(segment)) {
      throw invalid(`has the segment ${JSON.stringify(segment)}, which is empty, hidden or not plain ASCII`)
    }
  }
}
