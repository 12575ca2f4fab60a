/** Dead letters of several services behind one door. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Doors, openDoors } from './operated.ts';

interface Letter {
  id: string;
  service: string;
  type: string;
  status: string;
  redrives: number;
  first_failed_at: string;
  message: { data: Record<string, unknown> };
  history: { action: string; actor: string; detail: string }[];
}
interface Page {
  items: Letter[];
  next_cursor: string | null;
}

let doors: Doors;
beforeEach(async () => {
  doors = await openDoors();
  for (const [i, service] of ['orders', 'payments', 'orders', 'payments'].entries()) await doors.bury(service, `ord_${i}`);
});
afterEach(() => doors.close());

const get = <Body>(path: string): Promise<Body> => doors.get(path);
const post = (path: string, body?: object, headers?: Record<string, string>) => doors.post<Letter & { code?: string }>(path, body, headers);
const all = async (): Promise<Letter[]> => (await get<Page>('/v1/dead-letters')).items;

describe('the list', () => {
  test('puts the services together, newest first, and pages through all of them', async () => {
    const whole = await all();
    expect(whole.map(({ service }) => service)).toEqual(['payments', 'orders', 'payments', 'orders']);
    const paged: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Page = await get(`/v1/dead-letters?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`);
      paged.push(...page.items.map(({ id }) => id));
      cursor = page.next_cursor;
    }
    expect(paged).toEqual(whole.map(({ id }) => id));
  });

  test('is narrowed by service and by order', async () => {
    expect((await get<Page>('/v1/dead-letters?service=orders')).items).toHaveLength(2);
    expect((await get<Page>('/v1/dead-letters?order_id=ord_1')).items).toMatchObject([{ service: 'payments' }]);
    expect((await get<Page>('/v1/dead-letters?status=resolved')).items).toEqual([]);
  });

  test('shows when it happened, and no token', async () => {
    const letters = await all();
    expect(letters.at(-1)).toMatchObject({
      type: 'payment.authorize',
      first_failed_at: '2026-01-01T00:00:00.000Z',
      message: { data: { token: '[redacted]', order_id: 'ord_0' } },
    });
    expect(JSON.stringify(letters)).not.toContain('tok_secret');
  });

  test('groups what looks alike, page by page, with what may be done about it', async () => {
    type Groups = { items: { service: string; consumer: string; open: number; error: string; samples: string[] }[]; next_cursor: string | null };
    const { items } = await get<Groups>('/v1/dead-letters/groups');
    expect(items.map(({ service, consumer, open }) => `${service} ${consumer} ${open}`).toSorted()).toEqual([
      'orders orders 2',
      'payments payments 2',
    ]);
    const mine = (await all()).filter(({ service }) => service === items[0]!.service).map(({ id }) => id);
    expect(items[0]).toMatchObject({ error: 'it broke', samples: mine });
    for (const order of ['open', 'recent']) {
      const paged: Groups['items'] = [];
      let cursor: string | null = '';
      while (cursor !== null) {
        const page: Groups = await get(`/v1/dead-letters/groups?limit=1&order=${order}${cursor === '' ? '' : `&cursor=${cursor}`}`);
        paged.push(...page.items);
        cursor = page.next_cursor;
      }
      expect(paged, order).toEqual((await get<Groups>(`/v1/dead-letters/groups?order=${order}`)).items);
    }
    expect((await get<Groups>('/v1/dead-letters/groups?consumer=orders&code=internal&type=payment.authorize')).items).toHaveLength(1);
    expect((await get<Groups>('/v1/dead-letters/groups?code=conflict')).items).toEqual([]);
  });

  test('of groups follows what becomes of them', async () => {
    const counts = async (more = ''): Promise<object[]> => {
      const { items } = await get<{ items: Record<string, unknown>[] }>(`/v1/dead-letters/groups?service=payments${more}`);
      return items.map(({ open, redriving, resolved, discarded }) => ({ open, redriving, resolved, discarded }));
    };
    const [one, two] = (await all()).filter(({ service }) => service === 'payments');
    await post(`/v1/dead-letters/${one!.id}/redrive`);
    expect(await counts()).toEqual([{ open: 1, redriving: 1, resolved: 0, discarded: 0 }]);
    await post(`/v1/dead-letters/${two!.id}/discard`, { reason: 'a test order' });
    expect(await counts()).toEqual([]);
    expect(await counts('&all=true')).toEqual([{ open: 0, redriving: 1, resolved: 0, discarded: 1 }]);
  });
});

describe('what a person does', () => {
  test('sends one again, once, whole, under its own name', async () => {
    const letter = (await all()).find(({ service }) => service === 'payments')!;
    const path = `/v1/dead-letters/${letter.id}/redrive`;
    const first = await post(path, undefined, { 'idempotency-key': 'k', 'operation-name': 'night shift' });
    expect(first).toMatchObject({ status: 200, body: { status: 'redriving' } });
    expect(first.body.history.at(-1)).toMatchObject({ action: 'redriven', actor: 'local: night shift' });
    const sent = () => doors.said('payments').filter(({ type }) => type === 'payment.authorize');
    expect(sent()).toMatchObject([{ data: { token: 'tok_secret' }, redrive: letter.id }]);
    expect(await post(path, undefined, { 'idempotency-key': 'k' })).toMatchObject({ status: 200 });
    expect(await post(path)).toMatchObject({ status: 409, body: { code: 'dead_letter_state' } });
    expect(sent()).toHaveLength(1);
  });

  test('sends one again with other data, the token untouched and unseen', async () => {
    const letter = (await all()).find(({ service }) => service === 'payments')!;
    const path = `/v1/dead-letters/${letter.id}/edit`;
    const reason = 'the amount was in euros';
    expect(await post(path, { data: { ...letter.message.data, amount: 'much' }, reason })).toMatchObject({
      status: 400,
      body: { code: 'invalid_request' },
    });
    expect(await post(path, { data: { ...letter.message.data, amount: 4_200 } })).toMatchObject({ status: 400 });
    const edited = await post(path, { data: { ...letter.message.data, amount: 4_200 }, reason });
    expect(edited).toMatchObject({ status: 200, body: { status: 'redriving', message: { data: { amount: 4_200, token: '[redacted]' } } } });
    expect(edited.body.history.map(({ action, detail }) => `${action} ${detail}`).slice(1)).toEqual([
      expect.stringMatching(/^edited amount: \d+ → 4200$/),
      `redriven ${reason}`,
    ]);
    const [sent] = doors.said('payments').filter(({ type }) => type === 'payment.authorize');
    expect(sent).toMatchObject({ data: { amount: 4_200, token: 'tok_secret' }, redrive: letter.id });
  });

  test('gives one up, and says why', async () => {
    const [letter] = await all();
    const path = `/v1/dead-letters/${letter!.id}/discard`;
    expect(await post(path, {})).toMatchObject({ status: 400 });
    const given = await post(path, { reason: 'a test order' });
    expect(given).toMatchObject({ status: 200, body: { status: 'discarded' } });
    expect(given.body.history.map(({ action, detail }) => `${action} ${detail}`)).toEqual(['opened internal: it broke', 'discarded a test order']);
  });
});
