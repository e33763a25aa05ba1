/** What is used of WebAssembly's JavaScript interface, which neither `es2024` nor Node's types declare. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array)
  }

  class Instance {
    readonly exports: object
    constructor(module: Module, imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>)
  }

  interface Memory {
    /** Another one after the memory has grown; the old one is then empty. */
    readonly buffer: ArrayBuffer
    /** By pages of 64 KiB. */
    grow(pages: number): number
  }

  interface Global {
    readonly value: number
  }
}
