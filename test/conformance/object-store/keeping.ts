import { CopyObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { type Bench, BUCKET, type Property, refusal } from './bench.ts'
import { beginUpload } from './uploading.ts'

const StorageClass = 'REDUCED_REDUNDANCY'
const ServerSideEncryption = 'AES256'

/** How objects are kept: in which storage class, and encrypted how. */
export function keeping(property: Property): void {
  property(
    'an object is in the class that it was put or uploaded with; the standard one is not told',
    async (bench) => {
      const prefix = bench.fresh()
      await bench.put(`${prefix}put`, 'x', { StorageClass })
      const upload = await beginUpload(bench, `${prefix}uploaded`, [Buffer.from('x')], { StorageClass })
      await upload.complete()
      await bench.put(`${prefix}standard`, 'x')
      expect(await kept(bench, `${prefix}put`)).toMatchObject({ StorageClass })
      expect(await kept(bench, `${prefix}uploaded`)).toMatchObject({ StorageClass })
      expect((await kept(bench, `${prefix}standard`)).StorageClass).toBeUndefined()
    }
  )

  property('a copy is in the class of its own request, whatever its source is in', async (bench) => {
    const prefix = bench.fresh()
    await bench.put(`${prefix}from`, 'x', { StorageClass })
    await copy(bench, `${prefix}from`, `${prefix}to`)
    expect((await kept(bench, `${prefix}to`)).StorageClass).toBeUndefined()
    await copy(bench, `${prefix}to`, `${prefix}back`, { StorageClass })
    expect(await kept(bench, `${prefix}back`)).toMatchObject({ StorageClass })
  })

  property('a class that is none is InvalidStorageClass', async (bench) => {
    const refused = bench.put(bench.fresh(), 'x', { StorageClass: 'NONE' as typeof StorageClass })
    expect(await refusal(refused)).toEqual({ name: 'InvalidStorageClass', status: 400 })
  })

  property('an object is encrypted as it was put, uploaded or copied', async (bench) => {
    const prefix = bench.fresh()
    await bench.put(`${prefix}put`, 'x', { ServerSideEncryption })
    const upload = await beginUpload(bench, `${prefix}uploaded`, [Buffer.from('x')], { ServerSideEncryption })
    await upload.complete()
    await copy(bench, `${prefix}put`, `${prefix}to`, { ServerSideEncryption })
    for (const name of ['put', 'uploaded', 'to']) {
      expect(await kept(bench, `${prefix}${name}`), name).toMatchObject({ ServerSideEncryption })
    }
    expect((await bench.get(`${prefix}to`)).toString()).toBe('x')
  })

  property('an encryption that is none is refused', async (bench) => {
    const ServerSideEncryption = 'none' as 'AES256'
    const { status } = await refusal(bench.put(bench.fresh(), 'x', { ServerSideEncryption }))
    expect(status).toBe(400)
  })
}

function copy(bench: Bench, from: string, Key: string, more: object = {}) {
  const CopySource = `${BUCKET}/${from}`
  return bench.s3.send(new CopyObjectCommand({ Bucket: BUCKET, Key, CopySource, ...more }))
}

async function kept(bench: Bench, Key: string) {
  return await bench.s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key }))
}
