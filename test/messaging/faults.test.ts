/** Faults around the kernel that no other suite is about: a database out of reach, a producer ahead of its consumer, a message too large. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MESSAGE_BYTES_MAX } from '../../src/contracts/envelope.ts';
import type { Database } from '../../src/db/database.ts';
import { Fault } from '../../src/kernel/errors.ts';
import * as deadLetters from '../../src/messaging/dead-letters.ts';
import { openShares } from '../../src/messaging/shards.ts';
import { databases } from '../support/databases.ts';
import { type Bench, type HandTransport, command, effects, event, handTransport, openBench, recording, until } from './support.ts';

describe.each(databases())('faults on $name', (database) => {
  let bench: Bench;
  let transport: HandTransport;
  beforeEach(async () => {
    bench = await openBench(database);
    transport = handTransport();
  });
  afterEach(() => bench.close());

  it('a relay that cannot reach its database steps down before its lease has run out there', async (context) => {
    if (database.name !== 'postgres') context.skip(); // SQLite files belong to one process
    const station = await bench.service('orders', { transport, parts: [] });
    let reachable = true;
    const db: Database = {
      ...station.mailbox.db,
      write: (work, options) => (reachable ? station.mailbox.db.write(work, options) : Promise.reject(new Fault('unavailable', 'no way to it'))),
    };
    const mine = openShares(db, 'orders', 1, bench.world);
    expect(await mine.held(0)).toBe(true);
    reachable = false;
    bench.world.advance(4_000);
    expect(await mine.held(0)).toBe(true); // 11 s are left at the database
    bench.world.advance(2_000);
    await expect(mine.held(0)).rejects.toMatchObject({ code: 'unavailable' }); // it is due for renewal: nothing is done without
    reachable = true;
    expect(await mine.held(0)).toBe(true);
  });

  it('what a consumer does not know yet is a dead letter, and is handled when it is sent again after the deployment', async () => {
    const before = await bench.service('inventory', { transport, subscriptions: [recording(['stock.release'], 'inbox')] });
    await transport.deliver([event('o1', 1), command('o2')]);
    const [letter] = (await deadLetters.list(before.mailbox.db, {}, undefined, 50)).items;
    expect(letter).toMatchObject({ code: 'contract_violation', type: 'stock.released', attempts: 1 });
    await before.stop();
    const after = await bench.sibling(before, {
      transport,
      subscriptions: [recording(['stock.release'], 'inbox'), recording(['stock.released'], 'strict')],
    });
    await after.mailbox.write((unit) => deadLetters.redrive(unit, letter!.id, 'ada'));
    await until('it is on its way', () => transport.published.some(({ destination }) => destination === 'inventory'));
    await transport.deliver(transport.published.find(({ destination }) => destination === 'inventory')!.messages);
    expect((await effects(after)).map(({ subject }) => subject).toSorted()).toEqual(['o1', 'o2']);
    expect(await deadLetters.get(after.mailbox.db, letter!.id)).toMatchObject({ status: 'resolved' });
  });

  it('a message larger than any bus takes is refused before the commit, and leaves nothing', async () => {
    const orders = await bench.service('orders', { transport });
    const reason = 'x'.repeat(MESSAGE_BYTES_MAX);
    const saying = orders.mailbox.write(async (unit) => {
      await unit.tx.raw(`insert into effect (message_id, subject, note) values ('m', 'o1', '')`);
      unit.say([{ type: 'stock.release', subject: 'o1', data: { order_id: 'o1', reason } }]);
    });
    await expect(saying).rejects.toMatchObject({ code: 'contract_violation', message: expect.stringContaining('larger than') as string });
    expect([await orders.count('effect'), await orders.count('outbox')]).toEqual([0, 0]);
  });
});
