/** The rows of the little shop without any queue: what PostgreSQL makes of the same statements, in sets of 100 orders or order by order. */
import { done, drive, task } from './driver.ts';
import { STEPS, isExact, openShop, statement } from './steps.ts';

const job = task();
const sets = job.way === 'sets';
const submitters = sets ? 2 : 8;
const shop = await openShop(job.databaseUrl, submitters);
await drive(job, {
  bulk: sets ? 100 : 1,
  submitters,
  open: Number.POSITIVE_INFINITY,
  async submit(ids) {
    for (const step of STEPS) {
      await shop.query(statement(step, ids)); // each a transaction of its own
      done(ids.length, step);
    }
  },
  exact: (orders) => isExact(shop, orders),
});
