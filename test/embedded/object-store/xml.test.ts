import fc from 'fast-check'
import { expect, test } from 'vitest'
import { childText, parseXml, toXml } from '../../../src/embedded/object-store/xml.ts'

test('what is written is read again, whatever the text holds', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const document = parseXml(toXml('Result', { Key: text, Empty: '', Item: [{ A: 1 }, { A: 2 }] }))
      expect(document?.name).toBe('Result')
      expect(document === undefined ? '' : childText(document, 'Key')).toBe(text)
      expect(document?.children.map((child) => child.name)).toEqual(['Key', 'Empty', 'Item', 'Item'])
    })
  )
})

test.each(['', 'text', '<a>', '<a></b>', '</a>', '<a/><b/>', '<a><b></a></b>', '<a'])(
  '%j is no document',
  (text) => {
    expect(parseXml(text)).toBeUndefined()
  }
)

test('a prolog, comments, attributes, references and empty elements are understood', () => {
  const document = parseXml('<?xml version="1.0"?><!-- c --><a x="1"><b>&lt;&#65;&#x1F30A;&amp;</b><c/></a>')
  expect(document?.children).toEqual([
    { name: 'b', text: '<A🌊&', children: [] },
    { name: 'c', text: '', children: [] }
  ])
})
