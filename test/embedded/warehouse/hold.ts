import { startWarehouse } from '../../../src/embedded/warehouse/warehouse.ts'

/** Holds a warehouse open for `warehouse.test.ts`, which kills this process. Prints the server's process id and URL. */
const [dataDir, password] = process.argv.slice(2)
if (dataDir === undefined || password === undefined) throw new Error('usage: hold.ts DATA_DIR PASSWORD')
const warehouse = await startWarehouse({ dataDir, user: 'causeway', password, database: 'events' })
console.log(JSON.stringify({ pid: warehouse.pid, url: warehouse.url }))
setInterval(() => {}, 60_000)
