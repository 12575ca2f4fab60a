/** A workflow an order, a checkpointed step each; rows and checkpoint are two commits, so that a step may run again after a crash. */
import { DBOS } from '@dbos-inc/dbos-sdk';
import { done, drive, task } from './driver.ts';
import { STEPS, isExact, openShop, statement } from './steps.ts';

const job = task();
const IN_FLIGHT = 100;
const shop = await openShop(job.databaseUrl, 20);
DBOS.setConfig({ name: 'peer', systemDatabaseUrl: job.databaseUrl, systemDatabasePoolSize: 20, logLevel: 'error', runAdminServer: false });
const journey = DBOS.registerWorkflow(
  async (id: number) => {
    for (const step of STEPS) {
      await DBOS.runStep(
        async () => {
          await shop.query(statement(step, [id]));
        },
        { name: step },
      );
      done(1, step);
    }
  },
  { name: 'journey' },
);
await DBOS.launch();
const queued = job.way === 'queue';
if (queued) await DBOS.registerQueue('orders', { workerConcurrency: IN_FLIGHT, minPollingIntervalMs: 20 });
await drive(job, {
  bulk: 1,
  submitters: 50,
  open: queued ? 1_000 : IN_FLIGHT,
  submit: ([id]) => DBOS.startWorkflow(journey, { workflowID: `order-${id}`, ...(queued ? { queueName: 'orders' } : {}) })(id!),
  exact: (orders) => isExact(shop, orders),
});
