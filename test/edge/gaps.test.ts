/** What is missing in a stream, behind the doors: listed over all services, told by the order that waits, given up by somebody. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bury } from '../../src/messaging/dead-letters.ts';
import { freshOf } from '../../src/messaging/dedupe.ts';
import { startApp } from '../support/app.ts';
import { openShop } from '../support/shop.ts';
import { messageOf } from '../support/mailbox.ts';
import { type Doors, GAP_LIMIT, openDoors } from './operated.ts';

interface Gap {
  id: string;
  service: string;
  order_id: string;
  missing_from: number;
  missing_to: number;
  waiting: number;
  overdue: boolean;
  dead_letter_id: string | null;
}
interface Page<Item> {
  items: Item[];
  next_cursor: string | null;
}

let doors: Doors;
beforeEach(async () => {
  doors = await openDoors();
});
afterEach(() => doors.close());

const mailboxOf = (service: string) => doors.services.find((one) => one.service === service)!.mailbox;
const message = (subject: string, sequence: number) => messageOf(doors.world, 'stock.released', subject, { order_id: subject }, { sequence });
/** A strict subscription of the service takes messages of one stream. */
async function take(service: string, subject: string, ...sequences: number[]): Promise<void> {
  const messages = sequences.map((sequence) => message(subject, sequence));
  await mailboxOf(service).write(({ tx, now }) => freshOf(tx, 'stock.released', 'strict', messages, now));
  doors.world.advance(1_000);
}
const list = async (query = ''): Promise<Gap[]> => (await doors.get<Page<Gap>>(`/v1/gaps${query}`)).items;

describe('gaps', () => {
  test('are listed over all services, the oldest first, page by page, by order and by age', async () => {
    await take('payments', 'ord_1', 3);
    await take('orders', 'ord_2', 1, 5, 6);
    doors.world.advance(GAP_LIMIT);
    await take('payments', 'ord_2', 2);
    const whole = await list();
    expect(whole).toMatchObject([
      { id: 'payments-1', service: 'payments', order_id: 'ord_1', missing_from: 1, missing_to: 2, waiting: 1, overdue: true, dead_letter_id: null },
      { id: 'orders-1', service: 'orders', order_id: 'ord_2', missing_from: 2, missing_to: 4, waiting: 2, overdue: true },
      { id: 'payments-2', service: 'payments', order_id: 'ord_2', missing_from: 1, missing_to: 1, overdue: false },
    ]);
    const paged: Gap[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Page<Gap> = await doors.get(`/v1/gaps?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`);
      paged.push(...page.items);
      cursor = page.next_cursor;
    }
    expect(paged).toEqual(whole);
    expect((await list('?order_id=ord_2')).map(({ id }) => id)).toEqual(['orders-1', 'payments-2']);
    expect((await list('?overdue=true&service=payments')).map(({ id }) => id)).toEqual(['payments-1']);
  });

  test('are given up once, for a reason, by somebody, after the limit', async () => {
    await take('orders', 'ord_1', 3);
    const skip = (headers = {}, body: object = { reason: 'lost by its sender' }) =>
      doors.post<{ code?: string }>('/v1/gaps/orders-1/skip', body, headers);
    expect(await skip({}, {})).toMatchObject({ status: 400 });
    expect(await skip()).toMatchObject({ status: 409, body: { code: 'gap_is_young' } });
    doors.world.advance(GAP_LIMIT);
    const key = { 'idempotency-key': 'k', 'operation-name': 'night shift' };
    expect(await skip(key)).toMatchObject({ status: 200, body: { id: 'orders-1', skipped: true } });
    expect(await skip(key)).toMatchObject({ status: 200 });
    expect(await skip()).toMatchObject({ status: 404, body: { code: 'gap_not_found' } });
    expect(await list()).toEqual([]);
    expect(doors.said('orders')).toMatchObject([{ type: 'stock.released', sequence: 3 }]);
    const { items, next_cursor } = await doors.get<Page<object>>('/v1/gaps/skips?limit=1');
    expect([items, next_cursor]).toMatchObject([
      [{ service: 'orders', order_id: 'ord_1', missing_from: 1, missing_to: 2, actor: 'local: night shift', reason: 'lost by its sender' }],
      null,
    ]);
    for (const id of ['orders-99', 'nobody-1', 'x'])
      expect(await doors.post(`/v1/gaps/${id}/skip`, { reason: 'x' })).toMatchObject({ status: 404, body: { code: 'gap_not_found' } });
  });

  test('that are a dead letter name it, and are not given up', async () => {
    const burial = { world: doors.world, destination: 'orders', attempts: 4, firstAt: 1 };
    await mailboxOf('orders').write((unit) => bury(unit, [message('ord_1', 1)], new Error('it broke'), burial));
    await take('orders', 'ord_1', 2);
    doors.world.advance(GAP_LIMIT);
    expect(await list()).toMatchObject([{ dead_letter_id: expect.stringMatching(/^dl_/) }]);
    expect(await doors.post('/v1/gaps/orders-1/skip', { reason: 'x' })).toMatchObject({ status: 409, body: { code: 'gap_has_dead_letter' } });
  });
});

test('an overdue gap is told by the order that waits, by /health and by /metrics', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-gaps-'));
  const app = await startApp({ settings: { DATA_DIR: folder, GAP_LIMIT: '1s' } });
  try {
    const shop = await openShop(app);
    const { id } = await shop.place();
    await shop.shipment(id, 'ready');
    const file = new DatabaseSync(join(folder, 'notifications.db'));
    file
      .prepare(
        `insert into gap (consumer, stream, source, subject, correlationid, missing_from, missing_to, waiting, since)
         values ('telling', 'shipping:s', 'shipping', 's', ?, 4, 5, 7, ?)`,
      )
      .run(id, Date.now() - 60_000);
    file.close();
    const blockers = await app.get<{ blockers: object[] }>(`/v1/orders/${id}/explain`);
    expect(blockers.blockers).toMatchObject([
      { blocker: 'ready' },
      {
        blocker: 'gap',
        owner: 'operator',
        legal_commands: ['skip_gap'],
        evidence: { awaits: ['messages 4 to 5 of shipping about s'], note: 'gap notifications-1: 7 wait behind it in notifications' },
      },
    ]);
    const { checks } = await app.get<{ checks: Record<string, object> }>('/health');
    expect(checks['consumer notifications']).toEqual({ status: 'degraded', detail: '1 gap is overdue' });
    const { body } = await app.ask<string>('GET', '/metrics');
    expect(body).toContain('waybill_gaps_overdue{service="notifications"} 1');
    expect(body).toContain('waybill_parked_messages{service="notifications"} 7');
  } finally {
    await app.stop();
    await rm(folder, { recursive: true, force: true });
  }
});
