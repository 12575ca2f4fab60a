/** Clocks that are set back by hours, a machine's and a database's: what is due comes when it is due. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type World, realWorld } from '../../src/kernel/world.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openShares } from '../../src/messaging/shards.ts';
import { mailboxMigrations, messagingFor } from '../../src/messaging/messaging.ts';
import { type Runnable, startAll, stopAll } from '../../src/kernel/lifecycle.ts';
import { skewOf } from '../../src/messaging/timekeeper.ts';
import { type OpenDatabase, databases } from '../support/databases.ts';
import { type HandTransport, command, handTransport, recording, telemetry, until } from './support.ts';

const HOURS = 3 * 3_600_000;

describe.each(databases())('a clock set back by hours on $name', (database) => {
  let open: OpenDatabase;
  let transport: HandTransport;
  /** How far the machine's clock was set back. */
  let back: number;
  const running: Runnable[] = [];
  beforeEach(async () => {
    open = await database.open();
    await migrate(open.db, [mailboxMigrations], 0);
    await open.db.script('create table effect (message_id text, subject text, note text)');
    transport = handTransport();
    back = 0;
  });
  afterEach(async () => {
    await stopAll(running.splice(0));
    await open.drop();
  });

  /** A process of the service: a clock of its own, on the machine there is. */
  async function start(world: World = realWorld({ wall: () => Date.now() - back })) {
    const messaging = messagingFor({ service: 'inventory', db: open.db, world, telemetry, transport });
    let broken = true;
    const consumer = messaging.consumer([
      recording(['stock.release'], 'inbox', () => {
        if (broken) throw new Error('at first');
      }),
    ]);
    const things = [messaging.timekeeper, messaging.relay, messaging.scheduler, consumer];
    running.push(...things);
    await startAll(things);
    return { ...messaging, consumer, mend: () => (broken = false), stop: () => stopAll(running.splice(0)) };
  }
  type Process = Awaited<ReturnType<typeof start>>;
  const remind = ({ mailbox }: Process, subject: string, inMs: number): Promise<void> =>
    mailbox.write((unit) =>
      unit.setTimers([
        {
          key: subject,
          dueAt: unit.now + inMs,
          saying: { type: 'order.check_deadline', subject, data: { order_id: subject, stop: 'stock', epoch: 1 } },
        },
      ]),
    );
  const said = (): string[] => transport.published.flatMap(({ messages }) => messages.map(({ subject }) => subject));

  it('under a process: retries, timers, what others said and what people paused go on', async () => {
    const process = await start();
    await remind(process, 'timer', 300);
    expect(await transport.deliver([command('retry')])).toBe('acked');
    back = HOURS;
    await until('the timer fired', () => said().includes('timer'));
    await until('the retry is on its way', () => said().includes('retry'));
    process.mend();
    await transport.deliver(transport.published.find(({ destination }) => destination === 'inventory')!.messages);
    expect(await open.db.read.raw('select subject from effect')).toEqual([{ subject: 'retry' }]);
    await open.db.write((tx) =>
      tx.raw(`insert into consumer_control (consumer, paused, reason, actor, changed_at) values ('inventory', 1, 'by another process', 'ada', 0)`),
    );
    await until('the pause is seen', () => process.consumer.activity().status === 'paused');
  });

  it('between two processes: what the first one set is due by its clock', async () => {
    const first = await start();
    await remind(first, 'timer', 300);
    await first.stop();
    back = HOURS;
    const world = realWorld({ wall: () => Date.now() - back });
    await start(world);
    await until('the timer fired', () => said().includes('timer'));
    expect(await skewOf(open.db, world)).toBeGreaterThan(-5_000); // where the first one was, not where the machine is
  });

  it('between two processes, the first of which was killed: the same, from what was written down last', async () => {
    const first = await start();
    const written = async (): Promise<number> => (await open.db.read.raw<{ at: number }>('select at from time_seen'))[0]!.at;
    await until('it is written down', async () => (await written()) > 0);
    const atTheKill = await written();
    await remind(first, 'timer', 300);
    await first.stop();
    await open.db.write((tx) => tx.raw('update time_seen set at = $1', [atTheKill])); // a killed one writes no last word
    back = HOURS;
    await start();
    await until('the timer fired', () => said().includes('timer'));
  });

  it('at the database: a lease of somebody who is gone is taken all the same', async (context) => {
    if (database.name !== 'postgres') context.skip(); // SQLite files belong to one process
    const gone = openShares(open.db, 'inventory', 1, realWorld());
    const next = openShares(open.another(), 'inventory', 1, realWorld());
    expect([await gone.held(0), await next.held(0)]).toEqual([true, false]);
    // What a lease looks like whose database went back by hours after it was taken.
    await open.db.write((tx) => tx.raw('update lease set expires_at = expires_at + $1', [HOURS]));
    await until('it is taken', () => next.held(0));
  });
});
