/** The `waybill` command line: bin/waybill.mjs loads this file, under a Node that can. The commands are in cli/commands.ts. */
import { run } from './cli/commands.ts';

await run(process.argv.slice(2));
