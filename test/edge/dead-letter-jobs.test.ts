/** Many dead letters behind the doors: rehearsed, begun once, looked at, paused, resumed, cancelled. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { resolve } from '../../src/messaging/dead-letters.ts';
import { until } from '../support/server.ts';
import { type Doors, openDoors } from './operated.ts';

interface Job {
  id: string;
  service: string;
  state: string;
  actor: string;
  reason: string;
  selection: object;
  total: number;
  waiting: number;
  redriven: number;
  succeeded: number;
  discarded: number;
  created_at: string;
  history: { action: string; actor: string; detail: string }[];
  code?: string;
  errors?: { field: string; rule: string; remedy?: string }[];
}
interface Preview {
  dry_run: true;
  total: number;
  kinds: { service: string; count: number }[];
  samples: { id: string; service: string; order_id: string; misfit: string | null }[];
  not_open: string[];
}

const REDRIVES = '/v1/dead-letters/redrives';
const DISCARDS = '/v1/dead-letters/discards';

let doors: Doors;
beforeEach(async () => {
  doors = await openDoors({ jobs: true });
  for (const subject of ['ord_0', 'ord_1', 'ord_2']) await doors.bury('payments', subject);
});
afterEach(() => doors.close());

const begin = (body: object, headers: Record<string, string> = {}, path = REDRIVES) => doors.post<Job>(path, body, headers);
const read = (job: Job, path = REDRIVES): Promise<Job> => doors.get<Job>(`${path}/${job.id}`);
const reaches = (job: Job, fits: (now: Job) => boolean, path = REDRIVES): Promise<Job> =>
  until(async () => {
    const now = await read(job, path);
    return fits(now) ? now : undefined;
  }, 'the job is as expected');
const groupOf = async (service: string): Promise<string> =>
  (await doors.get<{ items: { fingerprint: string }[] }>(`/v1/dead-letters/groups?service=${service}`)).items[0]!.fingerprint;
/** As the consumer does that has handled what was sent again. */
async function handled(service: string): Promise<void> {
  const { mailbox } = doors.services.find((one) => one.service === service)!;
  const messages = doors.said(service).filter(({ redrive }) => redrive !== undefined);
  await mailbox.write((unit) => resolve(unit, messages));
}

describe('a dry run', () => {
  test('says how many of what kind, with examples, and changes nothing', async () => {
    await doors.bury('orders', 'ord_9');
    const { status, body } = await doors.post<Preview>(REDRIVES, { filter: {}, dry_run: true });
    expect([status, body.dry_run, body.total]).toEqual([200, true, 4]);
    expect(body.kinds).toEqual([
      { service: 'payments', consumer: 'payments', type: 'payment.authorize', code: 'internal', count: 3 },
      { service: 'orders', consumer: 'orders', type: 'payment.authorize', code: 'internal', count: 1 },
    ]);
    expect(body.samples.map(({ service, order_id, misfit }) => `${service} ${order_id} ${misfit}`).toSorted()).toEqual([
      'orders ord_9 null',
      'payments ord_0 null',
      'payments ord_1 null',
      'payments ord_2 null',
    ]);
    expect(JSON.stringify(body)).not.toContain('tok_secret');
    expect((await doors.get<{ items: Job[] }>(REDRIVES)).items).toEqual([]);
    expect((await doors.get<{ items: object[] }>('/v1/dead-letters?status=open')).items).toHaveLength(4);
  });

  test('knows groups, filters, ids and times, and which ids would be passed over', async () => {
    const total = async (body: object): Promise<number> => (await doors.post<Preview>(DISCARDS, { ...body, dry_run: true })).body.total;
    expect(await total({ group: await groupOf('payments') })).toBe(3);
    expect(await total({ filter: { order_id: 'ord_1' } })).toBe(1);
    expect(await total({ filter: { consumer: 'payments', type: 'payment.authorize', code: 'internal' } })).toBe(3);
    expect(await total({ filter: { code: 'conflict' } })).toBe(0);
    expect(await total({ filter: { since: '2026-01-01T00:00:01Z', until: '2026-01-01T00:00:02Z' } })).toBe(1);
    const [sample] = (await doors.post<Preview>(REDRIVES, { filter: {}, dry_run: true })).body.samples;
    const { body } = await doors.post<Preview>(REDRIVES, { ids: [sample!.id, 'dl_none'], dry_run: true });
    expect([body.total, body.not_open]).toEqual([1, ['dl_none']]);
  });
});

describe('a job', () => {
  test('sends what was selected again, and says who asked, why, and what became of each', async () => {
    const asked = { group: await groupOf('payments'), reason: 'provider is back', ramp: false, rate: 1_000 };
    const { status, body: job } = await begin(asked, { 'operation-name': 'night shift' });
    expect([status, job]).toMatchObject([
      200,
      {
        service: 'payments',
        state: 'running',
        actor: 'local: night shift',
        reason: 'provider is back',
        total: 3,
        selection: { fingerprint: asked.group },
      },
    ]);
    await doors.bury('payments', 'ord_3'); // of the same group, and later
    await reaches(job, ({ redriven }) => redriven === 3);
    await handled('payments');
    const done = await reaches(job, ({ state }) => state === 'done');
    expect(done).toMatchObject({ succeeded: 3, total: 3, waiting: 0, redriven: 0 });
    expect(done.history.map(({ action, actor }) => `${action} ${actor}`)).toEqual(['created local: night shift', 'done runner']);
    const items = await doors.get<{ items: { outcome: string }[]; next_cursor: string }>(`${REDRIVES}/${job.id}/items?limit=2`);
    expect(items.items.map(({ outcome }) => outcome)).toEqual(['succeeded', 'succeeded']);
    const rest = await doors.get<{ items: object[]; next_cursor: null }>(`${REDRIVES}/${job.id}/items?limit=2&cursor=${items.next_cursor}`);
    expect([rest.items.length, rest.next_cursor]).toEqual([1, null]);
    expect((await doors.get<{ items: { message_id: string }[] }>('/v1/dead-letters?status=open')).items).toHaveLength(1);
  });

  test('asked for twice with one key is one job, even when nothing is left to select', async () => {
    const key = { 'idempotency-key': 'k' };
    const asked = { filter: {}, reason: 'mended', ramp: false };
    const first = await begin(asked, key);
    doors.world.advance(1_000);
    await reaches(first.body, ({ redriven }) => redriven === 3);
    const again = await begin(asked, key);
    expect([again.status, again.body.id]).toEqual([200, first.body.id]);
    expect(await begin({ ...asked, reason: 'another' }, key)).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
    expect((await doors.get<{ items: Job[] }>(REDRIVES)).items).toHaveLength(1);
    expect(await begin(asked)).toMatchObject({ status: 422, body: { code: 'nothing_selected' } });
  });

  test('is of one service: a selection of several is refused and says which', async () => {
    await doors.bury('orders', 'ord_9');
    const refused = await begin({ filter: { type: 'payment.authorize' }, reason: 'mended' });
    expect(refused).toMatchObject({
      status: 422,
      body: { code: 'several_services', errors: [{ field: 'service', remedy: 'Send one of orders, payments.' }] },
    });
    expect(await begin({ filter: {}, service: 'orders', reason: 'mended' })).toMatchObject({ status: 200, body: { service: 'orders', total: 1 } });
  });

  test('is paused, resumed at another rate, and cancelled, each by somebody', async () => {
    const { body: job } = await begin({ filter: {}, reason: 'mended' });
    await reaches(job, ({ redriven }) => redriven === 1);
    const path = `${REDRIVES}/${job.id}`;
    expect(await doors.post(`${path}/pause`, { reason: 'the provider complains' })).toMatchObject({
      status: 200,
      body: { state: 'paused', waiting: 2 },
    });
    expect(await doors.post(`${path}/pause`)).toMatchObject({ status: 409, body: { code: 'dead_letter_job_state' } });
    expect(await doors.post(`${path}/pause`, { rate: 5 })).toMatchObject({ status: 400, body: { errors: [{ field: 'rate' }] } });
    expect(await doors.post(`${path}/resume`, { rate: 5 })).toMatchObject({ status: 200, body: { state: 'running', rate: 5 } });
    expect(await doors.post(`${path}/cancel`)).toMatchObject({ status: 200, body: { state: 'cancelled' } });
    await handled('payments');
    const over = await reaches(job, ({ redriven }) => redriven === 0);
    expect(over).toMatchObject({ state: 'cancelled', succeeded: 1, waiting: 2 });
    expect(over.history.map(({ action, detail }) => `${action}: ${detail}`)).toEqual([
      'created: mended',
      'paused: the provider complains',
      'resumed: ',
      'cancelled: ',
    ]);
    expect((await doors.get<{ items: Job[] }>(`${REDRIVES}?state=cancelled`)).items.map(({ id }) => id)).toEqual([job.id]);
    expect((await doors.get<{ items: Job[] }>(`${REDRIVES}?state=running`)).items).toEqual([]);
  });

  test('discards what was selected, and is found among discards only', async () => {
    const ids = (await doors.get<{ items: { id: string }[] }>('/v1/dead-letters?limit=2')).items.map(({ id }) => id);
    const { status, body: job } = await begin({ ids, reason: 'test orders' }, {}, DISCARDS);
    expect([status, job.total]).toEqual([200, 2]);
    expect(await reaches(job, ({ state }) => state === 'done', DISCARDS)).toMatchObject({ discarded: 2 });
    expect(await doors.get(`${REDRIVES}/${job.id}`)).toMatchObject({ code: 'dead_letter_job_not_found' });
    const { history } = await doors.get<{ history: { action: string; detail: string }[] }>(`/v1/dead-letters/${ids[0]}`);
    expect(history.at(-1)).toMatchObject({ action: 'discarded', detail: `job ${job.id}: test orders` });
  });

  test('that cannot be meant so is refused, and names what is wrong', async () => {
    const faults = async (body: object, path = REDRIVES): Promise<string[]> => {
      const answer = await begin(body, {}, path);
      expect(answer.status).toBe(400);
      return (answer.body.errors ?? []).map(({ field, rule }) => `${field} ${rule}`);
    };
    expect(await faults({ reason: 'x' })).toEqual(['group is required, or ids, or filter: one of them says which dead letters are meant']);
    expect(await faults({ group: 'a', ids: ['dl_1'], reason: 'x' })).toEqual(['ids cannot be given beside group: leave one of them out']);
    expect(await faults({ filter: {} })).toEqual(['reason is required, unless dry_run is true']);
    expect(await faults({ filter: { since: 'yesterday' }, reason: 'x', rate: 0 })).toHaveLength(2);
    expect(await faults({ filter: {}, reason: 'x', rate: 5 }, DISCARDS)).toEqual(['rate is not a field of this request']);
    expect(await begin({ ids: ['dl_none'], reason: 'x' })).toMatchObject({ status: 422, body: { code: 'nothing_selected' } });
    expect(await doors.get(`${REDRIVES}/dlj_none/items`)).toMatchObject({ code: 'dead_letter_job_not_found' });
    expect(await doors.get(`${REDRIVES}?cursor=abc`)).toMatchObject({ code: 'invalid_cursor' });
  });
});
