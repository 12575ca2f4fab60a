/**
 * A disk that runs full under the program, and is given room again. It takes a file system of its own, so whoever runs the tests must
 * be allowed to mount one.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ask, listOf } from '../support/client.ts';
import { startServer, until } from '../support/server.ts';

/** A small disk, or undefined where mounting is not permitted. */
function mountDisk(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-full-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', folder], { stdio: 'ignore' });
    return folder;
  } catch {
    rmSync(folder, { recursive: true });
    process.stderr.write('full-disk.test.ts: SKIPPED, this user may not mount a file system\n');
    return undefined;
  }
}

interface Answer {
  readonly id: string;
  readonly status: string;
  readonly code?: string;
  readonly items: readonly unknown[];
}

interface Health {
  readonly checks: Readonly<Record<string, { readonly status: string; readonly detail?: string }>>;
}

const disk = mountDisk();

describe.skipIf(disk === undefined)('a full disk', () => {
  afterAll(() => {
    execFileSync('umount', ['-l', disk!]);
    rmSync(disk!, { recursive: true });
  });

  test('refuses what would have to be written, answers what can be read, and goes on by itself when there is room', async () => {
    const server = await startServer({ dataDir: disk!, env: { LOG_LEVEL: 'silent' } });
    const { url } = server;
    const place = (key: string) => {
      const order = { customer: { id: 'ada' }, currency: 'EUR', lines: [{ sku: 'TEA', quantity: 1 }] };
      return ask<Answer>(url, 'POST', '/v1/orders', order, { 'idempotency-key': key });
    };
    try {
      await ask(url, 'POST', '/v1/products', { sku: 'TEA', name: 'Tea', price: 450, currency: 'EUR' });
      const { body: warehouse } = await ask<Answer>(url, 'POST', '/v1/warehouses', { name: 'Main', location: 'Lyon' });
      await ask(url, 'POST', '/v1/stock/receipts', { warehouse_id: warehouse.id, lines: [{ sku: 'TEA', quantity: 100_000 }] });
      const accepted = new Map<string, string>();
      for (let n = 0; n < 50; n += 1) accepted.set(`early-${n}`, (await place(`early-${n}`)).body.id);

      expect(() => writeFileSync(join(disk!, 'ballast'), Buffer.alloc(24 << 20))).toThrow('ENOSPC');
      const refused = await until(async () => {
        const key = `full-${accepted.size}`;
        const { status, body } = await place(key);
        if (status !== 201) return { key, status, body };
        accepted.set(key, body.id);
        return undefined;
      }, 'an order finds no room');
      expect(refused).toMatchObject({ status: 503, body: { code: 'storage_full', retryable: true } });

      expect((await ask(url, 'GET', `/v1/orders/${accepted.get('early-0')}/explain`)).status).toBe(200);
      expect((await ask(url, 'GET', '/v1/stock?sku=TEA')).status).toBe(200);
      expect((await ask(url, 'GET', '/health/live')).status).toBe(200);
      expect((await ask<Answer>(url, 'GET', '/health')).body.status).not.toBe('ok');

      rmSync(join(disk!, 'ballast'));
      const late = await until(async () => ((await place(refused.key)).status === 201 ? place(refused.key) : undefined), 'the same order is taken');
      accepted.set(refused.key, late.body.id);
      expect(server.process.exitCode).toBeNull();
      // All but the disk itself: on one as small as this there is always little room.
      const others = async (): Promise<string[]> => {
        const { disk: room, ...checks } = (await ask<Health>(url, 'GET', '/health')).body.checks;
        expect(room).toMatchObject({ status: 'degraded', detail: expect.stringContaining('MB free') as string });
        return Object.values(checks).map(({ status }) => status);
      };
      await until(async () => (await others()).every((status) => status === 'ok') || undefined, 'all is well again');
      const ready = () => listOf<{ order_id: string }>(url, '/v1/shipments?status=ready');
      const shipments = await until(async () => ((await ready()).length === accepted.size ? ready() : undefined), 'every parcel is ready');
      expect(new Set(shipments.map(({ order_id }) => order_id))).toEqual(new Set(accepted.values()));
      expect((await listOf(url, '/v1/orders')).length).toBe(accepted.size);
      expect((await listOf(url, '/v1/dead-letters')).length).toBe(0);
      expect((await ask(url, 'GET', '/v1/audit?fresh=true')).body).toMatchObject({ ok: true });
    } finally {
      await server.stop();
    }
  });
});
