import { createHash } from 'node:crypto'
import { textAsset } from '../../assets.ts'

/** The page and the policy that lets it run: its own inline script and style by their hashes, and no other host. */
export interface Page {
  readonly html: string
  readonly contentSecurityPolicy: string
}

export function loadPage(): Page {
  const html = textAsset('actors/http/page/index.html')
  return { html, contentSecurityPolicy: policyOf(html) }
}

function policyOf(html: string): string {
  return [
    "default-src 'none'",
    `script-src ${hashesOf(html, 'script')}`,
    `style-src ${hashesOf(html, 'style')}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'"
  ].join('; ')
}

/** CSP Level 3, `hash-source`: the digest of what stands between the tags. */
function hashesOf(html: string, tag: 'script' | 'style'): string {
  const contents = [...html.matchAll(new RegExp(`<${tag}>(.*?)</${tag}>`, 'gs'))].map(
    ([, content]) => content ?? ''
  )
  return contents
    .map((content) => `'sha256-${createHash('sha256').update(content).digest('base64')}'`)
    .join(' ')
}
