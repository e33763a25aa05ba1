import { isAbsolute, resolve } from 'node:path'
import { Fault } from '../errors.ts'

/** What `causeway demo` was asked for. */
export interface DemoOptions {
  /** How many events the generator makes; with an input file, all its lines count instead. */
  readonly events: number
  /** Events per second; `undefined` is as fast as the road takes them. */
  readonly rate: number | undefined
  /** NDJSON file to send instead of generated events; absolute. */
  readonly input: string | undefined
  /** Port of the page; 0 lets the system choose. */
  readonly port: number
  /** `undefined` is a new temporary directory. */
  readonly dataDir: string | undefined
  readonly exitWhenDone: boolean
  readonly json: boolean
  /** Brokers of Kafka clusters to use instead of the embedded ones. */
  readonly sourceBrokers: readonly string[] | undefined
  readonly targetBrokers: readonly string[] | undefined
}

/** The option texts as commander hands them over. */
export interface RawDemoOptions {
  readonly events?: string
  readonly rate?: string
  readonly input?: string
  readonly port?: string
  readonly dataDir?: string
  readonly exitWhenDone?: boolean
  readonly json?: boolean
  readonly sourceBrokers?: string
  readonly targetBrokers?: string
}

/** Checks the options; throws `arguments-invalid` naming the first unusable one. `cwd` anchors relative paths. */
export function parseDemoOptions(raw: RawDemoOptions, cwd: string): DemoOptions {
  const path = (text: string | undefined) =>
    text === undefined || isAbsolute(text) ? text : resolve(cwd, text)
  return {
    events: wholeNumber('--events', raw.events ?? '20000', 1, 100_000_000),
    rate: raw.rate === undefined ? undefined : wholeNumber('--rate', raw.rate, 1, 10_000_000),
    input: path(raw.input),
    port: wholeNumber('--port', raw.port ?? '9464', 0, 65_535),
    dataDir: path(raw.dataDir),
    exitWhenDone: raw.exitWhenDone ?? false,
    json: raw.json ?? false,
    sourceBrokers: brokerList('--source-brokers', raw.sourceBrokers),
    targetBrokers: brokerList('--target-brokers', raw.targetBrokers)
  }
}

function wholeNumber(option: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= min && value <= max) return value
  throw new Fault('arguments-invalid', `${option} ${text}: must be a whole number from ${min} to ${max}`)
}

function brokerList(option: string, text: string | undefined): readonly string[] | undefined {
  if (text === undefined) return undefined
  const brokers = text.split(',')
  if (brokers.every((broker) => /^[^\s:]+:\d{1,5}$/.test(broker))) return brokers
  throw new Fault('arguments-invalid', `${option} ${text}: must be host:port, several joined by commas`)
}
