// biome-ignore-all lint/style/noNonNullAssertion: lists are as long as the longest key
import { type Kernel, kernelBase } from './kernel.ts'

/** An array, and pointers into its first element. */
export interface FirstElement {
  readonly array: string
  readonly pointers: readonly string[]
}

/** A key on the way to a wanted value. */
interface Step {
  /** Index of the pointer that ends here, or -1. */
  slot: number
  /** The steps below, by the length of their key in bytes. */
  readonly below: Step[][]
  /** Where the first element of an array leads. */
  first: Step | undefined
  readonly key: Buffer
}

/** The fields of a step in the kernel's memory, as `kernel/json.ts` describes them. */
const field = { slot: 0, first: 8, sibling: 12, lengths: 16, below: 20, key: 32 } as const
/** The count of the list; by slot, a result; and by slot, a place on the list. */
const [COUNT_BYTES, RESULT_BYTES, LISTED_BYTES] = [16, 16, 4] as const

/**
 * What the kernel looks for in documents, by JSON Pointers (RFC 6901; object members only), and room for its results: laid out as it
 * lies in its memory, before the document.
 */
export class JsonPlan {
  readonly slots: number
  /** Addresses. */
  readonly root = kernelBase
  readonly results: number
  readonly #image: Buffer
  #imageEnd = 0

  /** @param first an array, and pointers into its first element, whose slots follow the others */
  constructor(pointers: readonly string[], first?: FirstElement) {
    const root = newStep('')
    for (const [slot, pointer] of pointers.entries()) stepAt(root, pointer).slot = slot
    this.slots = pointers.length + (first?.pointers.length ?? 0)
    if (first !== undefined) {
      const element = newStep('')
      stepAt(root, first.array).first = element
      for (const [index, pointer] of first.pointers.entries()) {
        stepAt(element, pointer).slot = pointers.length + index
      }
    }
    const steps = sizeOf(root)
    this.#image = Buffer.alloc(steps + aligned(COUNT_BYTES + this.slots * (RESULT_BYTES + LISTED_BYTES)))
    this.#write(root)
    this.results = kernelBase + steps
  }

  /** What it takes of the memory. */
  get bytes(): number {
    return this.#image.length
  }

  /** Brings a document, and the plan if it is not there, into the memory. Returns the document's address. */
  load(kernel: Kernel, buffer: Buffer, start: number, end: number): number {
    if (kernel.resident !== this) {
      kernel.load(this.#image, 0, this.#image.length, kernelBase)
      kernel.resident = this
    }
    const document = kernelBase + this.bytes
    kernel.load(buffer, start, end, document)
    return document
  }

  /** Returns the step's address. */
  #write(step: Step): number {
    const image = this.#image
    const at = this.#imageEnd
    const table = at + aligned(field.key + step.key.length)
    this.#imageEnd = table + aligned(step.below.length * 4)
    image.writeInt32LE(step.slot, at + field.slot)
    image.writeUInt32LE(step.below.length, at + field.lengths)
    image.writeUInt32LE(kernelBase + table, at + field.below)
    step.key.copy(image, at + field.key)
    if (step.first !== undefined) image.writeUInt32LE(this.#write(step.first), at + field.first)
    for (const [length, steps] of step.below.entries()) {
      let linkAt = table + length * 4
      for (const below of steps) {
        const address = this.#write(below)
        image.writeUInt32LE(address, linkAt)
        linkAt = address - kernelBase + field.sibling
      }
    }
    return kernelBase + at
  }
}

/** Of a step and all below it. */
function sizeOf({ key, below, first }: Step): number {
  const own = aligned(field.key + key.length) + aligned(below.length * 4)
  const children = first === undefined ? below.flat() : [...below.flat(), first]
  return children.reduce((sum, child) => sum + sizeOf(child), own)
}

/** Steps, and so their keys, begin where vectors do. */
function aligned(bytes: number): number {
  return Math.ceil(bytes / 16) * 16
}

function newStep(key: string): Step {
  return { slot: -1, below: [], first: undefined, key: Buffer.from(key) }
}

function stepAt(root: Step, pointer: string): Step {
  let step = root
  for (const name of pointer.split('/').slice(1)) {
    const key = Buffer.from(name.replaceAll('~1', '/').replaceAll('~0', '~'))
    for (let length = step.below.length; length <= key.length; length++) step.below.push([])
    const steps = step.below[key.length]!
    let below = steps.find((known) => known.key.equals(key))
    if (below === undefined) {
      below = newStep(key.toString())
      steps.push(below)
    }
    step = below
  }
  return step
}
