/** Batches of 200 in transactional workers: the rows, the next jobs and the completion are one commit. */
import { type Db, type Job, PgBoss } from 'pg-boss';
import { done, drive, task } from './driver.ts';
import { SQL, STEPS, isExact, nextOf, openShop } from './steps.ts';

const job = task();
const bulk = job.way === 'bulk';
const shop = await openShop(job.databaseUrl, 2);
const boss = new PgBoss({ connectionString: job.databaseUrl, max: 12, useListenNotify: bulk, schedule: false });
boss.on('error', console.error);
await boss.start();
for (const step of STEPS) await boss.createQueue(step, { notify: bulk });
const polling = { pollingIntervalSeconds: 0.5, burstWhenBatchFull: true };
for (const step of STEPS) {
  const next = nextOf(step);
  await boss.work(step, { batchSize: 200, transactional: true, ...polling }, async (jobs: Job<{ id: number }>[], tx: Db) => {
    await tx.executeSql(SQL[step], [jobs.map(({ data }) => data.id)]);
    if (next !== undefined)
      await boss.insert(
        next,
        jobs.map(({ data }) => ({ data })),
        { db: tx },
      );
    done(jobs.length, step); // one commit early
  });
}
const [first] = STEPS;
await drive(job, {
  bulk: bulk ? 500 : 1,
  submitters: bulk ? 2 : 50,
  open: 4_000,
  submit: (ids) =>
    bulk
      ? boss.insert(
          first,
          ids.map((id) => ({ data: { id } })),
        )
      : boss.send(first, { id: ids[0]! }),
  exact: (orders) => isExact(shop, orders),
});
