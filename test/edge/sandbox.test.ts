/** The sandbox: its clock is put forward, and what takes days happens at once. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, startApp } from '../support/app.ts';
import { type Payment, type Shop, openShop } from '../support/shop.ts';

interface Clock {
  readonly now: string;
  readonly ahead_ms: number;
}
const DAY = 86_400_000;
let app: TestApp;
let shop: Shop;
beforeAll(async () => {
  app = await startApp({ settings: { SANDBOX: 'true' } });
  shop = await openShop(app);
});
afterAll(() => app.stop());

describe('the clock of a sandbox', () => {
  test('goes forward, and stays there after a restart', async () => {
    const before = await app.get<Clock>('/v1/sandbox/clock');
    expect(before.ahead_ms).toBe(0);
    expect(await app.post<Clock>('/v1/sandbox/clock', { advance: 'P1DT12H' })).toMatchObject({ ahead_ms: 1.5 * DAY });
    expect(await app.post<Clock>('/v1/sandbox/clock', { advance: 0.5 * DAY })).toMatchObject({ ahead_ms: 2 * DAY });
    await app.restart();
    const after = await app.get<Clock>('/v1/sandbox/clock');
    expect(after.ahead_ms).toBe(2 * DAY);
    expect(Date.parse(after.now) - Date.parse(before.now)).toBeGreaterThanOrEqual(2 * DAY);
    for (const advance of [0, -1, 'P', 'P2Y', 367 * DAY, 1.5]) expect((await app.ask('POST', '/v1/sandbox/clock', { advance })).status).toBe(400);
  });

  test('an authorisation lapses', async () => {
    const { id } = await shop.place({ payment: { token: 'tok_expires' } });
    await shop.shipment(id, 'ready');
    expect(await shop.payment(id)).toMatchObject({ status: 'authorized' });
    await app.post('/v1/sandbox/clock', { advance: 'P8D' });
    await app.until<{ items: Payment[] }>(`/v1/payments?order_id=${id}`, ({ items: [payment] }) => payment?.status === 'expired');
    expect(await shop.audit()).toMatchObject({ ok: true });
  });
});

test('elsewhere there is none', async () => {
  const real = await startApp();
  try {
    expect(await real.ask('POST', '/v1/sandbox/clock', { advance: 'P8D' })).toMatchObject({ status: 404, body: { code: 'route_not_found' } });
  } finally {
    await real.stop();
  }
});
