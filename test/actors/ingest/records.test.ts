import { expect, test } from 'vitest'
import { cursorRecord, Restored, slotRecord, slotTombstone } from '../../../src/actors/ingest/records.ts'

test('a restore gives back the last cursor of its own source, and the slots that were not dropped', () => {
  const restored = new Restored('x')
  const records = [
    cursorRecord('x', { receivedAt: 1 }, 0),
    slotRecord({ number: 0, at: 5, ids: ['1'] }, 0),
    slotRecord({ number: 1, at: 6, ids: ['2', '3'] }, 0),
    cursorRecord('x', { receivedAt: 2 }, 0),
    cursorRecord('file /other', { offset: 7, line: 2 }, 0),
    slotTombstone(0, 0)
  ]
  for (const { key, value } of records) restored.read(key, value)
  expect(restored.cursor).toEqual({ receivedAt: 2 })
  expect([...restored.slots.values()]).toEqual([{ number: 1, at: 6, ids: ['2', '3'] }])
})

test.each(['{', 'null', '{"at":1}'])('a slot that says %s stops the restore', (value) => {
  expect(() => new Restored('x').read(Buffer.from('ids-3'), Buffer.from(value))).toThrow(
    expect.objectContaining({ code: 'positions-unreadable' })
  )
})
