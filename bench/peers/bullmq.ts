/** A queue a step in Redis, the rows in PostgreSQL: two writes, one after the other; a job id per order and step keeps it from being added twice. */
import { Queue, Worker } from 'bullmq';
import { done, drive, task } from './driver.ts';
import { STEPS, type Step, isExact, nextOf, openShop, statement } from './steps.ts';

const job = task();
const shop = await openShop(job.databaseUrl, 32);
const connection = { host: '127.0.0.1', port: job.redisPort };
const options = { connection, defaultJobOptions: { removeOnComplete: true, attempts: 5 } };
const queues = new Map(STEPS.map((step) => [step, new Queue<{ id: number }>(step, options)]));
const entry = (step: Step, id: number) => ({ name: step, data: { id }, opts: { jobId: `order-${id}` } });
for (const step of STEPS) {
  const next = nextOf(step);
  const worker = new Worker<{ id: number }>(
    step,
    async ({ data: { id } }) => {
      await shop.query(statement(step, [id]));
      if (next !== undefined) await queues.get(next)!.add(next, { id }, entry(next, id).opts);
      done(1, step);
    },
    { connection, concurrency: 50 },
  );
  worker.on('error', console.error);
}
const [first] = STEPS;
await drive(job, {
  bulk: 250,
  submitters: 1,
  open: 2_000,
  submit: (ids) => queues.get(first)!.addBulk(ids.map((id) => entry(first, id))),
  exact: (orders) => isExact(shop, orders),
});
