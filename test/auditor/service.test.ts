import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { auditorService } from '../../src/auditor/service.ts';
import type { Database } from '../../src/db/database.ts';
import { createMetrics, createTelemetry } from '../../src/kernel/telemetry.ts';
import type { Service } from '../../src/messaging/service.ts';
import { sqlite } from '../support/databases.ts';
import { call } from '../support/mailbox.ts';
import { testWorld } from '../support/world.ts';
import { type Books, openBooks } from './books.ts';

interface Answer {
  readonly ok: boolean;
  readonly violations: number;
  readonly equations: readonly { readonly id: string; readonly first?: { readonly subject: string } }[];
  readonly started_at: string;
}

describe('GET /v1/audit', () => {
  let books: Books;
  beforeAll(async () => {
    books = await openBooks(sqlite);
  });
  beforeEach(() => books.restore());
  afterAll(() => books.drop());

  const open = () => {
    const world = { ...testWorld(), sleep: async () => undefined };
    const telemetry = { log: createTelemetry({ level: 'silent' }).log, metrics: createMetrics() };
    let reads = 0;
    const counted = (db: Database): Database => ({
      ...db,
      read: { ...db.read, raw: (text, parameters) => ((reads += 1), db.read.raw(text, parameters)) },
    });
    const databases = Object.fromEntries(Object.entries(books.databases).map(([name, db]) => [name, counted(db)]));
    const service = auditorService({ databases, world, telemetry });
    const ask = (query: object = {}): Promise<Answer> => call(service as Service, 'GET', '/v1/audit', { query }) as Promise<Answer>;
    return { ask, metrics: telemetry.metrics, reads: () => reads };
  };

  it('looks when nobody has looked yet, and answers with the last pass until asked for a fresh one', async () => {
    const { ask } = open();
    expect(await ask()).toMatchObject({ ok: true, violations: 0 });
    await books.spoil('orders', `update orders set status = 'shipped' where id = 'ord_ready'`);
    expect(await ask()).toMatchObject({ ok: true });
    const fresh = await ask({ fresh: 'true' });
    expect(fresh).toMatchObject({ ok: false, violations: 1 });
    expect(fresh.equations.find(({ id }) => id === 'O1')?.first?.subject).toBe('order ord_ready');
    expect(await ask()).toEqual(fresh);
  });

  it('runs one pass for all who ask while it is under way', async () => {
    const { ask, reads } = open();
    await ask({ fresh: 'true' });
    const alone = reads();
    const [one, other] = await Promise.all([ask({ fresh: 'true' }), ask({ fresh: 'true' })]);
    expect(one).toEqual(other);
    expect(reads()).toBe(2 * alone);
  });

  it('tells the metrics', async () => {
    const { ask, metrics } = open();
    await books.spoil('payments', `update payment set refunded = -1 where id = 'pay_over'`);
    await ask({ fresh: 'true' });
    const text = await metrics.registry.metrics();
    expect(text).toContain('waybill_audit_violations{equation="S1"} 1');
    expect(text).toContain('waybill_audit_violations{equation="S2"} 0');
    expect(text).toMatch(/waybill_audit_rows\{equation="O1"\} 5\b/);
  });
});
