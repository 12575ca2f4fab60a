/** Shipments and returns at the command line, as a person and as a program uses them, on every ground. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type TestApp, startApp } from '../support/app.ts';
import { type Ended, waybill } from '../support/command.ts';
import { type OpenGround, onEveryGround } from '../support/grounds.ts';
import { type Order, type Shop, TEAPOT, openShop } from '../support/shop.ts';

onEveryGround((ground) => {
  let opened: OpenGround;
  let app: TestApp;
  let shop: Shop;
  let folder: string;
  let order: Order;
  let id: string;
  const run = (...given: string[]): Promise<Ended> => waybill(app.url(), ...given);
  /** What must go well, as a program reads it. */
  async function json<Answer>(...given: string[]): Promise<Answer> {
    const { code, out, err } = await run(...given, '--json');
    expect(code, out + err).toBe(0);
    return JSON.parse(out) as Answer;
  }
  beforeAll(async () => {
    opened = await ground.open();
    app = await startApp({ settings: opened.settings });
    shop = await openShop(app);
    folder = await mkdtemp(join(tmpdir(), 'waybill-labels-'));
    order = await shop.place();
    ({ id } = await shop.shipment(order.id, 'ready'));
  });
  afterAll(async () => {
    await app?.stop();
    await opened?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  it('lists shipments and shows one', async () => {
    const { out } = await run('shipments', 'list', '--status', 'ready');
    expect(out).toContain(order.number);
    expect(out).toContain(`${TEAPOT} × 2`);
    const shown = await run('shipments', 'show', id);
    expect(shown.out).toMatch(/status +ready/);
  });

  it('packs into parcels by sku, and tries it out before', async () => {
    const parcels = ['--parcel', `${TEAPOT}=1`, '--parcel', `${TEAPOT}=1`, '--weight', '900', '--dims', '300x200x150'];
    const tried = await run('shipments', 'pack', id, ...parcels, '--dry-run');
    expect(tried.err).toContain('nothing was changed');
    await json('shipments', 'pick', id);
    expect(await json('shipments', 'pack', id, ...parcels)).toMatchObject({
      status: 'packed',
      parcels: [{ weight_g: 900, dims_mm: [300, 200, 150] }, { weight_g: null }],
    });
    const again = await run('shipments', 'pack', id);
    expect([again.code, again.err]).toEqual([1, expect.stringContaining('it can be dispatched or unpacked')]);
  });

  it('says how pieces are written, and which there are', async () => {
    for (const [pieces, why] of [
      ['TEAPOT', '<sku>=<pieces>'],
      ['CUP=1', `there are ${TEAPOT}`],
      ['CUP=0', '<sku>=<pieces>'],
    ] as const) {
      const { code, err } = await run('shipments', 'short', id, '--missing', pieces, '--reason', 'broken');
      expect([code, err]).toEqual([64, expect.stringContaining(why)]);
    }
    expect((await run('shipments', 'pack', id, '--dims', 'large')).code).toBe(64);
    expect((await run('shipments', 'pack', id, '--weight', '1', '--weight', '2')).code).toBe(64);
  });

  it('buys labels and saves them', async () => {
    const bought = await json<{ parcel_id: string; file: string }[]>('shipments', 'labels', id, '--out', join(folder, 'new'));
    expect(bought).toHaveLength(2);
    for (const { file } of bought) expect((await readFile(file)).subarray(0, 5).toString()).toBe('%PDF-');
  });

  it('hands over, follows by tracking number, and says what came', async () => {
    await json('shipments', 'dispatch', id);
    await shop.shipment(order.id, 'in_transit');
    const { parcels } = await json<{ parcels: { tracking_number: string }[] }>('shipments', 'show', id);
    const [first, second] = parcels.map(({ tracking_number }) => tracking_number) as [string, string];
    await json('shipments', 'track', first, '--code', 'picked_up', '--at', '2026-03-01T09:30:00Z', '--event', 'e1', '--place', 'Bremen');
    expect(await json('shipments', 'exception', first, '--parcel', (await json<{ parcels: { id: string }[] }>('shipments', 'show', id)).parcels[0]!.id, '--note', 'wet')).toMatchObject({ status: 'exception' }); // oxfmt-ignore
    await json('shipments', 'resolve', id, '--as', 'delivered');
    expect(await json('shipments', 'track', second, '--code', 'delivered')).toMatchObject({ status: 'delivered' });
    const { out } = await run('shipments', 'show', first);
    expect(out).toMatch(/picked_up +Bremen/);
    expect(out).toMatch(/exception +wet +by local/);
  });

  it('takes goods back', async () => {
    await shop.reaches(order.id, 'delivered');
    await app.until<{ items: { on_hand: number }[] }>(`/v1/stock?sku=${TEAPOT}`, ({ items: [level] }) => level?.on_hand === 8);
    expect(await json('returns', 'returnable', order.number)).toMatchObject([{ sku: TEAPOT, delivered: 2, returnable: 2 }]);
    const asked = await json<{ id: string; number: string }>('returns', 'request', order.number, '--pieces', `${TEAPOT}=2`, '--reason', 'chipped');
    const refused = await run('returns', 'request', order.id, '--pieces', `${TEAPOT}=1`, '--reason', 'chipped');
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('must be at most 0: 2 delivered, 2 in returns')]);
    await json('returns', 'approve', asked.number);
    const receive = ['returns', 'receive', asked.number, '--restock', `${TEAPOT}=1`, '--scrap', `${TEAPOT}=1`];
    expect(await json(...receive, '--dry-run')).toMatchObject({ received: [{ disposition: 'restock' }, { disposition: 'scrap' }] });
    await json(...receive);
    await app.until<{ status: string }>(`/v1/returns/${asked.id}`, ({ status }) => status === 'received');
    await json('returns', 'close', asked.number);
    const shown = await run('returns', 'show', asked.number);
    expect(shown.out).toMatch(new RegExp(`came +${TEAPOT} × 1 \\(restock\\), ${TEAPOT} × 1 \\(scrap\\)`));
    expect((await run('returns', 'list', '--status', 'closed')).out).toContain(asked.number);
    expect((await run('returns', 'show', 'RT0000')).code).toBe(1);
  });
});
