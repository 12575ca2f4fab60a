/**
 * What lies in the databases before the program starts, where a story begins with something that went wrong before.
 */
import { join } from 'node:path';
import type { Message } from '../../src/contracts/envelope.ts';
import { migrate } from '../../src/db/migrate.ts';
import type { Database } from '../../src/db/database.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { openSqlite } from '../../src/db/sqlite.ts';
import { Fault } from '../../src/kernel/errors.ts';
import { type World, realWorld } from '../../src/kernel/world.ts';
import { bury } from '../../src/messaging/dead-letters.ts';
import { openMailbox } from '../../src/messaging/mailbox.ts';
import { mailboxMigrations } from '../../src/messaging/messaging.ts';
import type { GroundSettings } from './grounds.ts';

interface Scene {
  /** Dead letters of inventory that would be handled now: goods to be given back of orders nobody knows. */
  readonly mended: number;
  /** Others that break their contract, now as before. */
  readonly broken: number;
}

/** Where a program will find its databases. */
export type Place = GroundSettings & { readonly DATA_DIR: string };

const openInventory = ({ DATABASE_URL: url, DATA_DIR }: Place, world: World): Database =>
  url === undefined
    ? openSqlite({ name: 'inventory', file: join(DATA_DIR, 'inventory.db') })
    : openPostgres({ name: 'inventory', url, schema: 'waybill_inventory', world });

/** Makes the scene where no program runs yet. */
export async function deadLettersIn(place: Place, { mended, broken }: Scene): Promise<void> {
  const world = realWorld();
  const db = openInventory(place, world);
  try {
    const folder = new URL('../../src/inventory/migrations/', import.meta.url);
    await migrate(db, [mailboxMigrations, { room: 'inventory', folder }], world.now());
    const mailbox = openMailbox({ service: 'inventory', db, world, committed: () => undefined });
    const message = (data: (order: string) => object) => (): Message => {
      const order = world.id('ord');
      const envelope = { source: 'orders', subject: order, partitionkey: order, correlationid: order, hops: 1 };
      return { id: world.id('msg'), type: 'stock.release', time: world.now(), ...envelope, data: data(order) };
    };
    const burial = { world, destination: 'inventory', attempts: 4, firstAt: world.now() };
    const give = (messages: readonly Message[], fault: Fault): Promise<void> => mailbox.write((unit) => bury(unit, messages, fault, burial));
    const sound = Array.from(
      { length: mended },
      message((order_id) => ({ order_id, reason: 'customer' })),
    );
    const unsound = Array.from(
      { length: broken },
      message(() => ({ order_id: 7 })),
    );
    if (mended > 0) await give(sound, new Fault('internal', 'the warehouse table was being rebuilt'));
    if (broken > 0) await give(unsound, new Fault('contract_violation', 'stock.release: order_id is not a text'));
  } finally {
    await db.close();
  }
}

/** By the name a document says it begins with. */
export const SCENES: Readonly<Record<string, (place: Place) => Promise<void>>> = {
  'dead letters': (place) => deadLettersIn(place, { mended: 40, broken: 3 }),
};
