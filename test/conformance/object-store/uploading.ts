import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  type CompleteMultipartUploadCommandOutput,
  CreateMultipartUploadCommand,
  type CreateMultipartUploadCommandInput,
  UploadPartCommand,
  type UploadPartCommandOutput
} from '@aws-sdk/client-s3'
import { type Bench, BUCKET } from './bench.ts'

/** What a Complete may be asked besides its parts. */
export interface Completion {
  readonly IfNoneMatch?: string
  readonly IfMatch?: string
  /** Instead of those that were uploaded. */
  readonly parts?: readonly CompletedPart[]
}

/** An upload whose parts are there. */
export interface BegunUpload {
  readonly id: string
  readonly parts: readonly CompletedPart[]
  put(PartNumber: number, Body: Buffer, more?: object): Promise<UploadPartCommandOutput>
  complete(completion?: Completion): Promise<CompleteMultipartUploadCommandOutput>
  abort(): Promise<unknown>
}

export async function beginUpload(
  bench: Bench,
  Key: string,
  bodies: readonly Buffer[],
  more: Partial<CreateMultipartUploadCommandInput> = {}
): Promise<BegunUpload> {
  const object = { Bucket: BUCKET, Key }
  const { UploadId = '' } = await bench.s3.send(new CreateMultipartUploadCommand({ ...object, ...more }))
  const { ChecksumAlgorithm } = more
  const put = (PartNumber: number, Body: Buffer, extra: object = {}) =>
    bench.s3.send(
      new UploadPartCommand({ ...object, UploadId, PartNumber, Body, ChecksumAlgorithm, ...extra })
    )
  const parts: CompletedPart[] = []
  for (const [index, body] of bodies.entries()) {
    const { ETag, ChecksumCRC32, ChecksumCRC32C, ChecksumSHA256 } = await put(index + 1, body)
    // Naming the checksums of the parts is for uploads that were begun with an algorithm.
    const sums = ChecksumAlgorithm === undefined ? {} : { ChecksumCRC32, ChecksumCRC32C, ChecksumSHA256 }
    parts.push({ PartNumber: index + 1, ETag, ...sums })
  }
  return {
    ...{ id: UploadId, parts, put },
    complete: ({ parts: Parts = parts, ...conditions } = {}) => {
      const MultipartUpload = { Parts: [...Parts] }
      const command = { ...object, UploadId, MultipartUpload, ...conditions }
      return bench.s3.send(new CompleteMultipartUploadCommand(command))
    },
    abort: () => bench.s3.send(new AbortMultipartUploadCommand({ ...object, UploadId }))
  }
}
