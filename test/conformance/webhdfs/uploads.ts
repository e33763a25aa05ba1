import { connect, type Socket } from 'node:net'
import { expect, test, vi } from 'vitest'
import { call, exceptionOf, lengthOf, send } from './requests.ts'
import type { Subject } from './subject.ts'

/** Uploads that do not come to their end. */
export function uploading(subject: () => Subject): void {
  test('a file that is being written has one writer, and no length for readers', async () => {
    const { nameNode } = subject()
    const socket = await beginUpload(nameNode, '/uploads/open', 100_000, 'x'.repeat(70_000))
    const other = call(nameNode, 'PUT', '/uploads/open', 'CREATE', {}, 'mine')
    expect(await exceptionOf(other)).toBe('403 AlreadyBeingCreatedException')
    expect(await lengthOf(nameNode, '/uploads/open')).toBe(0)
    socket.destroy()
  })

  test('a connection that is cut leaves a closed file with the beginning of the content', async () => {
    const { nameNode } = subject()
    const content = Array.from({ length: 10_000 }, (_, index) => `line ${index}\n`).join('')
    const socket = await beginUpload(nameNode, '/uploads/cut', content.length, content.slice(0, 70_000))
    socket.destroySoon()
    await eventually(async () => {
      const other = call(nameNode, 'PUT', '/uploads/cut', 'CREATE', {}, 'mine')
      expect(await exceptionOf(other)).toBe('403 FileAlreadyExistsException')
    })
    const left = await lengthOf(nameNode, '/uploads/cut')
    expect(left).toBeLessThanOrEqual(70_000)
    const { text } = await call(nameNode, 'GET', '/uploads/cut', 'OPEN')
    expect(text === content.slice(0, left)).toBe(true)
  })

  test('a file that is deleted under its writer stays deleted, and the writer is told', async () => {
    const { nameNode } = subject()
    const socket = await beginUpload(nameNode, '/uploads/gone', 10, 'abc')
    await call(nameNode, 'DELETE', '/uploads/gone', 'DELETE')
    const answer = new Promise<string>((resolve) => {
      let text = ''
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      socket.on('close', () => resolve(text))
    })
    socket.write('defghij')
    expect(await answer).toContain('FileNotFoundException')
    expect(await lengthOf(nameNode, '/uploads/gone')).toBe(-1)
  })

  test('an upload over an existing file replaces it at once, before its content has come', async () => {
    const { nameNode } = subject()
    await call(nameNode, 'PUT', '/uploads/old', 'CREATE', {}, 'the old content')
    const socket = await beginUpload(nameNode, '/uploads/old', 10, 'abc', { overwrite: 'true' })
    expect(await lengthOf(nameNode, '/uploads/old')).toBe(0)
    socket.destroy()
  })
}

/** Sends the head of an upload and part of its body, and keeps the connection open. */
async function beginUpload(
  nameNode: string,
  path: string,
  announced: number,
  sent: string,
  parameters: Readonly<Record<string, string>> = {}
): Promise<Socket> {
  const query = new URLSearchParams({ op: 'CREATE', 'user.name': 'root', ...parameters })
  const { location = '' } = await send('PUT', `${nameNode}/webhdfs/v1${path}?${query}`)
  const { hostname, port, pathname, search } = new URL(location)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => undefined)
  socket.write(`PUT ${pathname}${search} HTTP/1.1\r\nHost: x\r\nContent-Length: ${announced}\r\n\r\n${sent}`)
  await eventually(async () => expect(await lengthOf(nameNode, path)).toBe(0))
  return socket
}

/** Waits for a condition; the machine may be busy. */
function eventually(check: () => Promise<void>): Promise<void> {
  return vi.waitFor(check, { timeout: 20_000, interval: 20 })
}
