import { once } from 'node:events'
import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { causeway, type Said } from '../support/command-line.ts'

function health(url: string): Promise<Said> {
  return causeway('/', 'health', '--url', url)
}

test('the exit code tells whether a process answers with 200', async () => {
  const server = createServer((request, response) => {
    response.writeHead(request.url === '/healthz' ? 200 : 503).end('{}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const origin = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  expect(await health(`${origin}/healthz`)).toEqual({ exitCode: 0, out: 'ok', err: '' })
  expect(await health(`${origin}/readyz`)).toEqual({
    exitCode: 1,
    out: '',
    err: `causeway: ${origin}/readyz answered 503`
  })
  server.close()
  await once(server, 'close')
  expect(await health(`${origin}/healthz`)).toMatchObject({
    exitCode: 1,
    err: expect.stringMatching(/^causeway: http.*\/healthz does not answer: .*ECONNREFUSED/)
  })
})

test.each(['nowhere', 'https://127.0.0.1/healthz', 'file:///etc/passwd'])('%s is refused', async (url) => {
  expect(await health(url)).toMatchObject({ exitCode: 2, out: '' })
})
