/**
 * The command line against a server, as a person and as a program uses it: what it prints, and how it ends.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SETTINGS } from '../../src/config.ts';
import { VERSION } from '../../src/version.ts';
import { type TestApp, startApp } from '../support/app.ts';
import { type OpenGround, onEveryGround } from '../support/grounds.ts';
import { type Ended, waybill } from '../support/command.ts';
import { TEAPOT, openShop } from '../support/shop.ts';

/** Where nobody listens. */
const NOWHERE = 'http://127.0.0.1:9';

describe('waybill', () => {
  const run = (...given: string[]): Promise<Ended> => waybill(NOWHERE, ...given);

  it('ends with 2 when nobody answers, and says what to do', async () => {
    const { code, err } = await run('orders');
    expect(code).toBe(2);
    expect(err).toContain('waybill start');
  });

  it('knows its version', async () => {
    expect(await run('--version')).toMatchObject({ code: 0, out: `${VERSION}\n` });
  });

  it('tells of settings that there are', async () => {
    const { out } = await run('start', '--help');
    const named = [...out.matchAll(/^ {2}([A-Z_]+) /gm)].map(([, name]) => name);
    expect(named).toContain('PORT');
    expect(Object.keys(SETTINGS)).toEqual(expect.arrayContaining(named));
  });

  it('ends with 64 when it is not understood', async () => {
    expect(await run('bogus')).toMatchObject({ code: 64, out: '' });
    expect(await run('place', '--sku', 'A', '--quantity', 'two', '--customer', 'c1')).toMatchObject({ code: 64, out: '' });
    expect(await run('place', '--sku', 'A')).toMatchObject({ code: 64, out: '' });
  });

  it.each([
    [],
    ['start'],
    ['place'],
    ['orders'],
    ['show'],
    ['explain'],
    ['what-if'],
    ['dead-letters'],
    ['dead-letters', 'groups'],
    ['dead-letters', 'redrive'],
    ['dead-letters', 'discard'],
    ['dead-letters', 'redrives'],
    ['dead-letters', 'redrives', 'show'],
    ['gaps'],
    ['consumers'],
    ['audit'],
    ['doctor'],
    ['import'],
    ['import', 'online-retail'],
  ])('helps with %j', async (...names: string[]) => {
    const { code, out } = await run(...names, '--help');
    expect(code).toBe(0);
    expect(out).toContain(`Usage: ${['waybill', ...names].join(' ')}`);
  });
});

onEveryGround((ground) => {
  let opened: OpenGround;
  let app: TestApp;
  let run: (...given: string[]) => Promise<Ended>;
  beforeAll(async () => {
    opened = await ground.open();
    app = await startApp({ settings: opened.settings });
    await openShop(app, { stock: 5 });
    run = (...given) => waybill(app.url(), ...given);
  });
  afterAll(async () => {
    await app?.stop();
    await opened?.remove();
  });

  it('places an order and watches it until its parcel is ready', async () => {
    const { code, out, err } = await run('place', '--sku', TEAPOT, '--quantity', '2', '--customer', 'c1', '--watch');
    expect(code, err).toBe(0);
    expect(err).toContain('order.placed');
    expect(err).toContain('shipment.ready');
    expect(out).toContain('49.98 EUR');
    expect(out).toMatch(/waits for +warehouse \(ready\)/);
  });

  it('places an order once, however often it is asked with one key', async () => {
    const place = () => run('place', '--sku', TEAPOT, '--customer', 'c2', '--key', 'once', '--no-watch', '--json');
    const [first, second] = [await place(), await place()];
    expect(JSON.parse(first.out)).toMatchObject({ total: 2_499, customer: { id: 'c2' } });
    expect(second.out).toBe(first.out);
    const { out } = await run('orders', '--customer', 'c2', '--json');
    expect(JSON.parse(out)).toHaveLength(1);
  });

  it('shows an order by its number, with what happened to it', async () => {
    const { code, out } = await run('show', 'ORD-' + new Date().getUTCFullYear() + '-000001');
    expect(code).toBe(0);
    expect(out).toContain('order.placed');
    expect(out).toContain('stock done, payment done, shipping done');
  });

  it('ends with 1 when an order is cancelled, and says why', async () => {
    const { code, out, err } = await run('place', '--sku', TEAPOT, '--quantity', '99', '--customer', 'c3', '--watch');
    expect(code).toBe(1);
    expect(err).toContain('stock.rejected');
    expect(out).toContain('cancelled (out_of_stock)');
  });

  it('ends with 1 when the server says no, and names the field and the remedy', async () => {
    const { code, out, err } = await run('place', '--sku', 'NOPE', '--customer', 'c1');
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('lines.0.sku');
    expect(err).toContain('Create the product first');
    const json = await run('place', '--sku', 'NOPE', '--customer', 'c1', '--json');
    expect(JSON.parse(json.out)).toMatchObject({ ok: false, code: 'unknown_sku' });
  });

  it('compares what was allocated with what a closed warehouse would have left', async () => {
    expect(await run('place', '--sku', TEAPOT, '--customer', 'c4', '--watch')).toMatchObject({ code: 0 });
    const listed = await fetch(`${app.url()}/v1/warehouses`);
    const { items } = (await listed.json()) as { items: { id: string }[] };
    const closed = items.flatMap(({ id }) => ['--without-warehouse', id]);
    const { code, out, err } = await run('what-if', ...closed, '--cost-per-parcel', '450', '--no-split', '--json');
    expect(code, err).toBe(0);
    const told = JSON.parse(out) as { was: { orders: number }; different_orders: number };
    expect(told.was.orders).toBeGreaterThan(0);
    expect(told).toMatchObject({ would_be: { parcels: 0, cost: 0, unfilled_orders: told.was.orders } });
    const table = await run('what-if', ...closed, '--limit', '1');
    expect(table.out).toMatch(/^parcels +\d+ +0 +-\d+$/m);
    expect(table.out).toContain('would have come from elsewhere');
    expect(await run('what-if', '--without-warehouse', 'none')).toMatchObject({ code: 1, err: expect.stringContaining('warehouse') });
    expect(await run('what-if', '--strategy', 'cheapest')).toMatchObject({ code: 64, out: '' });
  });

  it('looks at the folder of a start only when there is no server to look after its own', async () => {
    const alone = await waybill(NOWHERE, 'doctor');
    expect(alone.code).toBe(2);
    expect(alone.out).toMatch(/data folder .*data/);
    expect((await run('doctor')).out).not.toContain('data folder');
  });

  it('pauses and resumes a consumer', async () => {
    expect(await run('consumers', 'pause', 'shipping', '--reason', 'stocktaking')).toMatchObject({ code: 0 });
    expect((await run('consumers', 'list')).out).toMatch(/shipping +paused.*stocktaking/);
    const doctor = await run('doctor');
    expect(doctor.out).toContain('waybill consumers resume shipping');
    expect(await run('consumers', 'resume', 'shipping')).toMatchObject({ code: 0 });
    expect((await run('consumers', 'list')).out).toMatch(/shipping +running/);
  });

  it('finds no gaps, and says so of one that never was', async () => {
    expect(await run('gaps', 'list', '--overdue')).toMatchObject({ code: 0, out: '(none)\n' });
    expect(await run('gaps', 'skips')).toMatchObject({ code: 0, out: '(none)\n' });
    expect(await run('gaps', 'skip', 'orders-1', '--reason', 'test')).toMatchObject({ code: 1, err: expect.stringContaining('gap') });
  });

  it('finds no dead letters, and says so of one that never was', async () => {
    expect(await run('dead-letters', 'list')).toMatchObject({ code: 0, out: '(none)\n' });
    expect(await run('dead-letters', 'redrive', 'dl_none')).toMatchObject({ code: 1 });
    expect(await run('dead-letters', 'discard', 'dl_none', '--reason', 'test')).toMatchObject({ code: 1 });
  });

  it('audits, and is well', async () => {
    const { code, out } = await run('audit', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ ok: true, violations: 0 });
    const doctor = await run('doctor', '--json');
    expect(doctor.code, doctor.out).toBe(0);
    expect((JSON.parse(doctor.out) as { state: string }[]).map(({ state }) => state)).not.toContain('bad');
  });
});
