/** A tree of elements to write: `undefined` leaves the element out, an array repeats it. */
export interface XmlTree {
  readonly [name: string]: XmlValue
}
export type XmlValue = string | number | boolean | undefined | XmlTree | readonly (string | XmlTree)[]

/** An element as read: its text without the children's, and its children in order. */
export interface XmlElement {
  readonly name: string
  readonly text: string
  readonly children: readonly XmlElement[]
}

const namespace = 'http://s3.amazonaws.com/doc/2006-03-01/'

/** A whole document; results carry S3's namespace, errors (as S3's own) none. */
export function toXml(root: string, tree: XmlTree): string {
  const opening = root === 'Error' ? '<Error>' : `<${root} xmlns="${namespace}">`
  return `<?xml version="1.0" encoding="UTF-8"?>\n${opening}${inner(tree)}</${root}>`
}

function inner(tree: XmlTree): string {
  return Object.entries(tree)
    .map(([name, value]) => element(name, value))
    .join('')
}

function element(name: string, value: XmlValue): string {
  if (value === undefined) return ''
  if (Array.isArray(value)) return value.map((one: string | XmlTree) => element(name, one)).join('')
  if (typeof value === 'object') return `<${name}>${inner(value as XmlTree)}</${name}>`
  return `<${name}>${escapeText(String(value))}</${name}>`
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function escapeText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: S3 writes control characters of keys as references too.
  return text.replace(/[&<>"\u0000-\u001f]/g, (one) => {
    const entity = Object.entries(entities).find(([, value]) => value === one)?.[0]
    return entity === undefined ? `&#x${one.charCodeAt(0).toString(16)};` : `&${entity};`
  })
}

function unescapeText(text: string): string {
  return text.replace(/&(#x[0-9a-f]+|#\d+|\w+);/gi, (whole, name: string) => {
    if (name.startsWith('#x')) return String.fromCodePoint(Number.parseInt(name.slice(2), 16))
    if (name.startsWith('#')) return String.fromCodePoint(Number(name.slice(1)))
    return entities[name] ?? whole
  })
}

/**
 * Reads a document of elements and text, which is all that S3 requests hold; attributes, comments and the prolog are
 * passed over. `undefined` when it is not well-formed.
 */
export function parseXml(text: string): XmlElement | undefined {
  const root = { name: '', text: '', children: [] as XmlElement[] }
  const open: (typeof root)[] = [root]
  const token = /<\?[^>]*\?>|<!--.*?-->|<(\/?)([\w:.-]+)[^>]*?(\/?)>|([^<]+)/gsy
  for (let at = 0; at < text.length; at = token.lastIndex) {
    token.lastIndex = at
    const [whole, closing, name, empty, characters] = token.exec(text) ?? []
    const current = open.at(-1)
    if (whole === undefined || current === undefined) return undefined
    if (characters !== undefined) current.text += unescapeText(characters)
    if (name === undefined) continue
    if (closing === '/') {
      if (current.name !== name || open.length === 1) return undefined
      open.pop()
      continue
    }
    const child = { name, text: '', children: [] as XmlElement[] }
    current.children.push(child)
    if (empty !== '/') open.push(child)
  }
  return open.length === 1 && root.children.length === 1 ? root.children[0] : undefined
}

/** The text of the first child of that name. */
export function childText(parent: XmlElement, name: string): string | undefined {
  return parent.children.find((child) => child.name === name)?.text
}
