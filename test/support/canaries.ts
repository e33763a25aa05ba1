import { randomBytes } from 'node:crypto'

/** Credentials that nothing else can look like, to be searched for wherever no secret may be. */
export class Canaries {
  readonly #secrets = new Map<string, string>()

  /** A new credential: letters and digits, and characters that URLs and SQL have to escape. */
  make(name: string): string {
    return this.add(name, `Canary${randomBytes(9).toString('hex')}/+'%${randomBytes(3).toString('hex')}`)
  }

  /** A credential that somebody else has chosen. */
  add(name: string, secret: string): string {
    this.#secrets.set(name, secret)
    return secret
  }

  /** Names of the secrets that are in the text, as they are or in an encoding that anybody can undo. */
  foundIn(text: string): string[] {
    const lower = text.toLowerCase()
    return [...this.#secrets]
      .filter(([, secret]) => disguises(secret).some((disguise) => lower.includes(disguise.toLowerCase())))
      .map(([name]) => name)
  }
}

/** Its long middle too: a secret that was cut or escaped is still one. */
function disguises(secret: string): string[] {
  const bytes = Buffer.from(secret)
  const middle = /[A-Za-z0-9]{12,}/.exec(secret.slice(4))?.[0].slice(0, 14)
  // The three alignments that a secret can have within a longer base64 text, without the characters at its edges.
  const base64 = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .replace(/=+$/, '')
      .slice(4, -2)
  )
  return [
    secret,
    ...(middle === undefined ? [] : [middle]),
    encodeURIComponent(secret),
    bytes.toString('hex'),
    ...base64
  ]
}
