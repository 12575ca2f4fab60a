/**
 * Scripts of the model beside the whole program (test/model/README.md), until nothing new has been seen for a while or the time is over.
 *
 *   npm run model -- [--minutes 5] [--seed 1] [--steps 40] [--plateau 20] [--patience 30] [--postgres]
 */
import { parseArgs } from 'node:util';
import { type Seen, follow } from '../test/model/script.ts';
import { startApp } from '../test/support/app.ts';
import { postgresUrl } from '../test/support/databases.ts';
import { testWorld } from '../test/support/world.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: '1' },
    steps: { type: 'string', default: '40' },
    /** Scripts in a row that show nothing new before it ends. */
    plateau: { type: 'string', default: '20' },
    /** Seconds the program has to come to rest after a step. */
    patience: { type: 'string', default: '30' },
    postgres: { type: 'boolean', default: false },
  },
});
if (values.postgres && postgresUrl === undefined) throw new Error('there is no PostgreSQL: set WAYBILL_TEST_POSTGRES_URL');
const end = performance.now() + Number(values.minutes) * 60_000;
const seen: Seen = new Set();
const app = await startApp({ postgres: values.postgres ? postgresUrl : undefined });
try {
  let idle = 0;
  for (let seed = Number(values.seed); performance.now() < end && idle < Number(values.plateau); seed += 1) {
    const known = seen.size;
    await follow(app, {
      name: `seed-${seed}`,
      steps: Number(values.steps),
      chance: testWorld(seed).random,
      seen,
      patience: Number(values.patience),
    }).catch((error: unknown) => {
      throw new Error(`seed ${seed}`, { cause: error });
    });
    idle = seen.size > known ? 0 : idle + 1;
    console.log(`seed ${seed}: ${seen.size} kinds of steps seen, ${seen.size - known} of them new`);
  }
  console.log(idle < Number(values.plateau) ? 'the time is over' : `nothing new in ${idle} scripts`);
  console.log([...seen].sort().join('\n'));
} finally {
  await app.stop();
}
