import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTestClock, refuseSandboxIn } from './test-clock.ts';

const DAY = 86_400_000;
let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'waybill-clock-'))));
afterEach(() => rmSync(folder, { recursive: true }));

describe('a clock that is put forward', () => {
  it('wakes whoever has slept long enough, and nobody else', async () => {
    const { world, advance } = openTestClock(folder);
    const [day, week] = [world.sleep(DAY), world.sleep(7 * DAY)];
    const stop = new AbortController();
    const later = world.sleep(30 * DAY, stop.signal);
    const before = world.now();
    advance(2 * DAY);
    await day;
    expect(world.now() - before).toBeGreaterThanOrEqual(2 * DAY);
    expect(await Promise.race([week, Promise.resolve('asleep')])).toBe('asleep');
    advance(5 * DAY);
    await week;
    let over = false;
    void later.then(() => (over = true));
    await world.sleep(20); // a timer of more than 24 days that is not divided would have rung by now
    expect(over).toBe(false);
    stop.abort();
    await later;
    await world.sleep(30 * DAY, stop.signal);
  });

  it('is remembered by its folder, which is no longer one of a real shop', () => {
    refuseSandboxIn(folder);
    openTestClock(folder).advance(DAY);
    openTestClock(folder).advance(DAY);
    expect(openTestClock(folder).ahead()).toBe(2 * DAY);
    expect(() => refuseSandboxIn(folder)).toThrow(/is that of a sandbox whose clock was put forward: set SANDBOX=true/);
    writeFileSync(join(folder, 'sandbox-clock'), 'noon');
    expect(() => openTestClock(folder)).toThrow(/does not hold a number/);
  });
});
