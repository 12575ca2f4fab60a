/**
 * The program killed with SIGKILL again and again under load, then compared with what its clients were told.
 *
 *   node bench/kill.ts [--kills 20] [--connections 64]
 *
 * Ends with 1 when anything was lost, doubled, or left lying.
 */
import { parseArgs } from 'node:util';
import { killAgainAndAgain } from '../test/crash/kills.ts';

const { values } = parseArgs({ options: { kills: { type: 'string', default: '20' }, connections: { type: 'string', default: '64' } } });
const { accepted, unanswered, complaints } = await killAgainAndAgain({
  kills: Number(values.kills),
  connections: Number(values.connections),
  between: [50, 3_000],
  random: Math.random,
  killed: (n, before) => console.log(`kill ${n}: ${before} orders were accepted so far`),
});
console.log(`${accepted} orders accepted, ${unanswered} requests without an answer sent again`);
for (const complaint of complaints) console.error(complaint);
console.log(complaints.length === 0 ? 'nothing lost, nothing doubled, every parcel ready, the books agree' : `${complaints.length} complaints`);
process.exitCode = complaints.length === 0 ? 0 : 1;
