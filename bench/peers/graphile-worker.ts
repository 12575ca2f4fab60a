/** A job a step; the rows and the next job are one commit, the completion of jobs is batched. */
import { makeWorkerUtils, run } from 'graphile-worker';
import pg from 'pg';
import { done, drive, task } from './driver.ts';
import { STEPS, isExact, nextOf, openShop, statement } from './steps.ts';

const job = task();
const shop = await openShop(job.databaseUrl, 2);
const pgPool = new pg.Pool({ connectionString: job.databaseUrl, max: 20 });
pgPool.on('error', console.error).on('connect', (client) => client.on('error', console.error));
const utils = await makeWorkerUtils({ pgPool });
await utils.migrate();
await run({
  pgPool,
  noHandleSignals: true,
  preset: { worker: { concurrentJobs: 12, localQueue: { size: 100 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
  taskList: Object.fromEntries(
    STEPS.map((step) => [
      step,
      async (payload, { withPgClient }) => {
        const { id } = payload as { id: number };
        const next = nextOf(step);
        await withPgClient(async (client) => {
          await client.query('begin');
          await client.query(statement(step, [id]));
          if (next !== undefined) await client.query({ name: 'add', text: 'select graphile_worker.add_job($1, $2::json)', values: [next, { id }] });
          await client.query('commit');
        });
        done(1, step);
      },
    ]),
  ),
});
const [first] = STEPS;
const bulk = job.way === 'bulk';
await drive(job, {
  bulk: bulk ? 250 : 1,
  submitters: bulk ? 1 : 50,
  open: 1_000,
  submit: (ids) => (bulk ? utils.addJobs(ids.map((id) => ({ identifier: first, payload: { id } }))) : utils.addJob(first, { id: ids[0] })),
  exact: (orders) => isExact(shop, orders),
});
