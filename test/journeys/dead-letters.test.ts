/** A night shift with dead letters, at the command line: what there is, a rehearsal, a job that is followed, and what it leaves. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type TestApp, startApp } from '../support/app.ts';
import { waybill } from '../support/command.ts';
import { type OpenGround, onEveryGround } from '../support/grounds.ts';
import { deadLettersIn } from '../support/scenes.ts';

interface Job {
  readonly id: string;
  readonly state: string;
  readonly total: number;
  readonly succeeded: number;
  readonly failed_again: number;
  readonly redriven: number;
  readonly discarded: number;
  readonly items?: readonly { readonly outcome: string; readonly detail: string }[];
}
interface Group {
  readonly fingerprint: string;
  readonly open: number;
  readonly code: string;
}

onEveryGround((ground) => {
  let opened: OpenGround;
  let folder: string;
  let app: TestApp;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'waybill-dead-letters-'));
    opened = await ground.open();
    const settings = { ...opened.settings, DATA_DIR: folder };
    await deadLettersIn(settings, { mended: 40, broken: 3 });
    app = await startApp({ settings });
  });
  afterAll(async () => {
    await app?.stop();
    await opened?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  const run = (...given: string[]) => waybill(app.url(), 'dead-letters', ...given);
  async function json<Answer>(...given: string[]): Promise<Answer> {
    const { out } = await run(...given, '--json');
    return JSON.parse(out) as Answer;
  }
  const groups = (): Promise<Group[]> => json<Group[]>('groups');
  const groupOf = async (code: string): Promise<string> => (await groups()).find((group) => group.code === code)!.fingerprint;

  it('groups tells kinds and how many', async () => {
    expect((await groups()).map(({ code, open }) => [code, open])).toEqual([
      ['internal', 40],
      ['contract_violation', 3],
    ]);
    const { code, out } = await run('groups');
    expect([code, out]).toEqual([0, expect.stringMatching(/inventory +stock\.release +40 +0 .*the warehouse table was being rebuilt/)]);
    expect(await json<object[]>('list', '--group', await groupOf('contract_violation'))).toHaveLength(3);
  });

  it('a dry run says what a job would be about, and that some would fail again at once', async () => {
    const { code, out } = await run('redrive', '--all', '--dry-run');
    expect(code).toBe(0);
    expect(out).toContain('43 dead letters would be sent again; nothing was changed.');
    expect(out).toMatch(/inventory +inventory +stock\.release +internal +40/);
    const broken = await run('redrive', '--group', await groupOf('contract_violation'), '--dry-run');
    expect(broken.out).toContain('3 of these 3 would fail again at once');
    expect((await groups()).map(({ open }) => open)).toEqual([40, 3]);
  });

  it('a job is begun for a reason only, and by one way of selecting', async () => {
    expect(await run('redrive', '--all')).toMatchObject({ code: 1, err: expect.stringContaining('reason: is required, unless dry_run is true') });
    expect(await run('redrive', '--reason', 'x')).toMatchObject({ code: 1, err: expect.stringContaining('group: is required') });
    expect(await run('redrive', '--all', '--stop-above', '200')).toMatchObject({ code: 64 });
  });

  it('a job is followed until it is done, with a bar', async () => {
    const group = await groupOf('internal');
    const begun = ['redrive', '--group', group, '--reason', 'the table is back', '--rate', '500', '--watch', '--key', 'night'];
    const { code, out, err } = await run(...begun);
    expect(err).toMatch(/redrive +[█░]+ .* of 40/);
    expect([code, out]).toEqual([0, expect.stringMatching(/dead letters +40: 40 succeeded/)]);
    expect(out).toMatch(/created +local: the table is back\n.*done +runner: 40 succeeded/);
    expect((await groups()).map(({ open }) => open)).toEqual([3]);
    const again = await run(...begun);
    expect([again.code, again.out]).toEqual([0, out]); // the same job
  });

  it('a job whose first message fails stops, says how to look and to go on, and ends with 1', async () => {
    const { code, out } = await run('redrive', '--code', 'contract_violation', '--reason', 'perhaps', '--watch');
    expect([code, out]).toEqual([1, expect.stringMatching(/3: 1 failed again, 2 waiting/)]);
    const [job] = await json<Job[]>('redrives', 'list', '--state', 'stopped');
    expect(out).toContain(`waybill dead-letters redrives resume ${job!.id}`);
    expect(out).toMatch(/stopped +runner: 1 of the last 1 failed again/);
    const shown = await json<Job>('redrives', 'show', job!.id, '--outcome', 'failed_again');
    expect(shown.items).toMatchObject([{ outcome: 'failed_again', detail: expect.stringContaining('contract_violation') }]);
    expect((await run('redrives', 'show', job!.id, '--outcome', 'failed_again')).out).toMatch(/dl_\w+ +failed again/);
    await app.post('/v1/consumers/inventory/pause', { reason: 'so that what is sent stays on its way' });
    expect(await json<Job>('redrives', 'resume', job!.id, '--rate', '5')).toMatchObject({ state: 'running', rate: 5 });
    expect(await run('redrives', 'pause', job!.id)).toMatchObject({ code: 0, out: expect.stringContaining('paused') });
    await app.post('/v1/consumers/inventory/resume');
    await app.until<Job>(`/v1/dead-letters/redrives/${job!.id}`, ({ redriven }) => redriven === 0);
    expect(await run('redrives', 'cancel', job!.id, '--reason', 'no use')).toMatchObject({ code: 0, out: expect.stringContaining('cancelled') });
    expect(await run('redrives', 'resume', job!.id)).toMatchObject({ code: 1, err: expect.stringContaining('it cannot be resumed') });
  });

  it('the rest is discarded for a reason, and listed among the discards', async () => {
    const { code, out } = await run('discard', '--all', '--reason', 'sent by a test', '--watch');
    expect([code, out]).toEqual([0, expect.stringMatching(/dead letters +3: 3 discarded/)]);
    expect(await json<Job[]>('discards', 'list')).toMatchObject([{ state: 'done', discarded: 3 }]);
    expect(await groups()).toEqual([]);
    expect((await run('groups', '--all')).out).toMatch(/stock\.release +0 +0/);
  });

  it('what there is none of, or is over, is refused', async () => {
    const [letter] = await json<{ id: string }[]>('list', '--status', 'resolved', '--limit', '1');
    expect(await run('redrive', letter!.id)).toMatchObject({ code: 1, err: expect.stringContaining('is resolved, not open') });
    expect(await run('redrives', 'pause', 'dlj_none')).toMatchObject({ code: 1, err: expect.stringContaining('there is no redrive dlj_none') });
  });
});
