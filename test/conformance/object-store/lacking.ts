/** What each real object store does not do, by the reason: properties of this suite, as `<group>: <title>`. */
const byStore: Readonly<
  Record<string, readonly (readonly [reason: string, properties: readonly string[]])[]>
> = {
  MinIO: [
    [
      'a key is a path of its file system: empty segments and dots are refused',
      ['objects: keys keep empty segments and dots']
    ],
    [
      'a listing does not descend below a key that is an object itself',
      ['listing: a key and the keys below it are both listed']
    ],
    [
      'an Abort answers 204 whether or not there is such an upload',
      ['multipart uploads: an Abort of an upload that was aborted is NoSuchUpload']
    ],
    ['tags are of ASCII letters only', ['tags: tags may be of the letters of any language']],
    [
      'a copy that asks for no class stays in that of its source',
      ['keeping: a copy is in the class of its own request, whatever its source is in']
    ]
  ],
  versitygw: [
    [
      'a key is a path of its file system: empty segments and dots are resolved',
      ['objects: keys keep empty segments and dots']
    ],
    ['only the file system limits keys', ['objects: a key over 1,024 bytes is KeyTooLongError']],
    [
      'an object is a file, so no keys can be below it (ObjectParentIsFile)',
      ['listing: a key and the keys below it are both listed']
    ],
    [
      'it keeps aws-chunked as the encoding of the object',
      ['chunked bodies: the encoding in which a body came is not that of the object']
    ],
    [
      'it cuts the connection of a body that it will not take',
      ['signatures: a large upload that is refused at once still hears why']
    ],
    [
      'it passes over storage classes and encryption',
      [
        'keeping: an object is in the class that it was put or uploaded with; the standard one is not told',
        'keeping: a copy is in the class of its own request, whatever its source is in',
        'keeping: a class that is none is InvalidStorageClass',
        'keeping: an object is encrypted as it was put, uploaded or copied'
      ]
    ],
    [
      'it has no lifecycles (501 NotImplemented)',
      [
        'lifecycle: a configuration is given back as it was put, and is NoSuchLifecycleConfiguration without',
        'lifecycle: what a rule fits by its prefix expires, and nothing else',
        'lifecycle: what a rule fits by its tag expires, and nothing else',
        'lifecycle: a rule that is disabled lets nothing expire',
        'lifecycle: HEAD says when an object will expire, a midnight after so many days',
        'lifecycle: a configuration that makes no sense is refused, and the last one stays'
      ]
    ]
  ],
  moto: [
    ['it takes any encryption', ['keeping: an encryption that is none is refused']],
    ['it limits no keys', ['objects: a key over 1,024 bytes is KeyTooLongError']],
    [
      'it neither verifies checksums nor keeps those that came without their algorithm',
      [
        'objects: a checksum that was sent is kept and given back',
        'objects: a body that is not what its checksum or MD5 says is BadDigest, and leaves nothing',
        'multipart uploads: parts with CRC32 make an object with the checksum of their checksums',
        'multipart uploads: parts with CRC32C make an object with the checksum of their checksums',
        'multipart uploads: parts with SHA256 make an object with the checksum of their checksums',
        'multipart uploads: a part that is not what its checksum says is refused',
        'multipart uploads: Complete wants the checksums that the upload was begun with',
        'chunked bodies: a trailing checksum of another body is refused, and leaves nothing'
      ]
    ],
    [
      'looking at a condition and writing are two steps: now and then two rivals win',
      [
        'conditions: of many rivals that create one key exactly one wins, and its content stays',
        'conditions: of two uploads that create one key by Complete one wins'
      ]
    ],
    ['Complete knows no If-Match', ['conditions: a Complete with If-Match needs the present ETag']],
    [
      'what is asked of an upload that has ended is an internal error (500)',
      [
        'multipart uploads: an upload that was aborted is NoSuchUpload, to parts and listings',
        'multipart uploads: a Complete of an upload that was aborted is NoSuchUpload'
      ]
    ],
    ['Complete takes parts in any order', ['multipart uploads: Complete refuses parts out of order']],
    [
      'it keeps the configuration, unchecked, and does not act on it',
      [
        'lifecycle: what a rule fits by its prefix expires, and nothing else',
        'lifecycle: what a rule fits by its tag expires, and nothing else',
        'lifecycle: a rule that is disabled lets nothing expire',
        'lifecycle: HEAD says when an object will expire, a midnight after so many days',
        'lifecycle: a configuration that makes no sense is refused, and the last one stays'
      ]
    ],
    [
      'it checks neither credentials nor signatures',
      [
        'chunked bodies: a chunk that is not what was signed is SignatureDoesNotMatch, and leaves nothing',
        'chunked bodies: a body that ends before its last chunk is refused, and leaves nothing',
        'signatures: a wrong secret is SignatureDoesNotMatch',
        'signatures: an unknown key is InvalidAccessKeyId',
        'signatures: a clock that is an hour off is RequestTimeTooSkewed',
        'signatures: another region is AuthorizationHeaderMalformed',
        'signatures: a request without a signature is AccessDenied',
        'signatures: a body that is not the one that was signed is refused, and leaves nothing',
        'signatures: a header or a query that is not the signed one is SignatureDoesNotMatch',
        'signatures: a large upload that is refused at once still hears why'
      ]
    ]
  ]
}

/** The same for the printed table: the reason by `Object store on <subject>: <property>`. */
export const lackingOfObjectStores: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(byStore).flatMap(([store, lacks]) =>
    lacks.flatMap(([reason, properties]) =>
      properties.map((property) => [`Object store on ${store}: ${property}`, reason])
    )
  )
)
