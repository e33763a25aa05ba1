import { createContext, Script } from 'node:vm'
import { loadPage } from '../../../src/actors/http/page.ts'

/** As much of a document as the page's script needs: a tree of elements with attributes and text. */
export class FakeElement {
  readonly tag: string
  readonly attributes = new Map<string, string>()
  readonly style: Record<string, string> = {}
  readonly classList = { toggle: () => false }
  children: FakeElement[] = []
  value = 0
  #text = ''

  constructor(tag: string) {
    this.tag = tag
  }

  setAttribute(name: string, value: unknown): void {
    this.attributes.set(name, String(value))
  }

  getAttribute(name: string): string | null {
    return this.attributes.get(name) ?? null
  }

  append(...children: readonly (FakeElement | string)[]): void {
    for (const child of children) {
      if (child instanceof FakeElement) this.children.push(child)
      else this.#text += child
    }
  }

  replaceChildren(...children: readonly (FakeElement | string)[]): void {
    this.children = []
    this.#text = ''
    this.append(...children)
  }

  addEventListener(): void {}

  set textContent(text: string) {
    this.replaceChildren(text)
  }

  /** A space stands between neighbours, as it looks. */
  get textContent(): string {
    return [this.#text, ...this.children.map((child) => child.textContent)]
      .filter((text) => text !== '')
      .join(' ')
  }

  /** Every element below that has this class among its own. */
  withClass(name: string): FakeElement[] {
    const below = this.children.flatMap((child) => child.withClass(name))
    return (this.getAttribute('class') ?? '').split(' ').includes(name) ? [this, ...below] : below
  }

  withTag(tag: string): FakeElement[] {
    const below = this.children.flatMap((child) => child.withTag(tag))
    return this.tag === tag ? [this, ...below] : below
  }
}

/** Runs the page's own script on one answer of `/api/state`; the elements that the page has by their ids. */
export async function showPage(state: unknown): Promise<(id: string) => FakeElement> {
  const { html } = loadPage()
  const code = /<script>(.*?)<\/script>/s.exec(html)?.[1] ?? ''
  const byId = new Map<string, FakeElement>()
  const find = (id: string) => {
    const known = byId.get(id) ?? new FakeElement('div')
    byId.set(id, known)
    return known
  }
  const shown = Promise.withResolvers<void>()
  const create = (tag: string) => new FakeElement(tag)
  const context = createContext({
    document: {
      getElementById: find,
      createElement: create,
      createElementNS: (_: string, tag: string) => create(tag),
      body: new FakeElement('body'),
      hidden: false,
      title: ''
    },
    sessionStorage: { getItem: () => null, setItem: () => {} },
    AbortSignal,
    fetch: async () => ({ ok: true, status: 200, json: async () => JSON.parse(JSON.stringify(state)) }),
    // Called when the first answer has been shown, to ask for the next.
    setTimeout: () => shown.resolve()
  })
  new Script(code).runInContext(context)
  await shown.promise
  return find
}
