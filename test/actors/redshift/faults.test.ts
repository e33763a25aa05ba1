import pg from 'pg'
import { expect, test } from 'vitest'
import { warehouseFault } from '../../../src/actors/redshift/faults.ts'
import { Fault } from '../../../src/errors.ts'

function refusal(code: string | undefined, more: { readonly detail?: string; readonly where?: string } = {}) {
  return Object.assign(new pg.DatabaseError('no', 2, 'error'), code === undefined ? more : { code, ...more })
}

test('every SQLSTATE has a verdict', () => {
  const verdicts = [
    ['40001', 'warehouse-conflict', true],
    ['40P01', 'warehouse-conflict', true],
    ['55P03', 'warehouse-busy', true],
    ['57014', 'warehouse-timeout', true],
    ['25P03', 'warehouse-timeout', true],
    ['57P01', 'unreachable', true],
    ['57P03', 'unreachable', true],
    ['08006', 'unreachable', true],
    ['53300', 'warehouse-overloaded', true],
    ['53100', 'disk-full', true],
    ['28P01', 'warehouse-denied', false],
    ['42501', 'warehouse-denied', false],
    ['42703', 'warehouse-mismatch', false],
    ['22P02', 'rows-refused', false],
    ['23502', 'rows-refused', false],
    ['XX000', 'warehouse-failed', false],
    [undefined, 'warehouse-failed', false]
  ] as const
  for (const [state, code, retryable] of verdicts) {
    expect(warehouseFault(refusal(state), 'load')).toMatchObject({ code, retryable })
  }
})

test('the place of a refused row is told, its values are not', () => {
  const fault = warehouseFault(
    refusal('22P02', {
      detail: 'Failing row contains (secret)',
      where: 'COPY t, line 3, column id: "secret"'
    }),
    'load'
  )
  expect(fault.message).toBe('load: no (SQLSTATE 22P02, COPY t, line 3, column id)')
  expect(JSON.stringify(fault) + String(fault.cause)).not.toContain('secret')
})

test('errors of the driver and of the system are classified; the rest is a defect', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
  for (const error of [
    new Error('Connection terminated unexpectedly'),
    new Error('Query read timeout'),
    refused
  ]) {
    expect(warehouseFault(error, 'load')).toMatchObject({ code: 'unreachable', retryable: true })
  }
  expect(warehouseFault(new TypeError('x is not a function'), 'load')).toMatchObject({
    code: 'warehouse-failed',
    retryable: false
  })
  expect(warehouseFault('odd', 'load')).toMatchObject({ code: 'warehouse-failed' })
  const fault = new Fault('file-missing', 'gone')
  expect(warehouseFault(fault, 'load')).toBe(fault)
})
