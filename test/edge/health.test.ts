import { describe, expect, test } from 'vitest';
import { clockFinding, diskFinding, durabilityFinding } from '../../src/edge/checks.ts';
import { type Check, healthDoors } from '../../src/edge/health.ts';
import { createMetrics } from '../../src/kernel/telemetry.ts';
import { TEST_EPOCH, testWorld } from '../support/world.ts';

const fine: Check = { name: 'database orders', about: 'db', run: async () => undefined };

function open(checks: readonly Check[], ready = true) {
  const world = testWorld();
  const doors = healthDoors({ world, metrics: createMetrics(), version: '1.2.3', checks, ready: () => ready, refresh: async () => undefined });
  const ask = async (path: string): Promise<{ status: number; body: { status: string; uptime_seconds: number; checks: Record<string, object> } }> => {
    const { status, body } = await doors.find((door) => door.path === path)!.answer(path);
    return { status, body: JSON.parse(String(body)) };
  };
  return { world, ask };
}

describe('health', () => {
  test('is the worst of its checks, and each part shows its own', async () => {
    const { ask } = open([
      fine,
      { name: 'bus', about: 'queue', run: async () => ({ status: 'down', detail: 'the disk is full' }) },
      { name: 'consumer orders', about: 'rest', run: async () => ({ status: 'degraded', detail: 'paused: x' }) },
    ]);
    expect(await ask('/health')).toMatchObject({
      status: 503,
      body: {
        status: 'down',
        checks: {
          'database orders': { status: 'ok' },
          bus: { status: 'down', detail: 'the disk is full' },
          'consumer orders': { status: 'degraded' },
        },
      },
    });
    expect(await ask('/health/db')).toMatchObject({ status: 200, body: { status: 'ok' } });
    expect(await ask('/health/queue')).toMatchObject({ status: 503 });
  });

  test('degraded is for people: requests still come', async () => {
    const { ask } = open([{ name: 'consumer orders', about: 'rest', run: async () => ({ status: 'degraded', detail: 'paused' }) }]);
    expect(await ask('/health')).toMatchObject({ status: 200, body: { status: 'degraded' } });
    expect(await ask('/health/ready')).toMatchObject({ status: 200, body: { status: 'ok' } });
  });

  test('alive is not ready: a database that is away is no reason to be restarted', async () => {
    const away: Check = { name: 'database orders', about: 'db', run: () => Promise.reject(new Error('connect db.internal')) };
    const { ask } = open([away]);
    expect(await ask('/health/live')).toMatchObject({ status: 200, body: { status: 'ok' } });
    const ready = await ask('/health/ready');
    expect(ready).toMatchObject({ status: 503, body: { checks: { 'database orders': { status: 'down', detail: 'does not answer' } } } });
  });

  test('a bus that is down is borne with for ten seconds, where it says since when', async () => {
    const since = TEST_EPOCH;
    const doors = open([{ name: 'bus', about: 'queue', run: async () => ({ status: 'down', detail: 'the broker is away', since }) }]);
    expect(await doors.ask('/health/ready')).toMatchObject({ status: 200, body: { status: 'degraded', checks: { bus: { status: 'degraded' } } } });
    expect(await doors.ask('/health/queue')).toMatchObject({ status: 503 });
    doors.world.advance(10_000);
    const down = { status: 'down', detail: 'the broker is away' };
    expect(await doors.ask('/health/ready')).toMatchObject({ status: 503, body: { status: 'down', checks: { bus: down } } });
  });

  test('a disk that fills up is for people, while there is still room', () => {
    expect(diskFinding(5e9)).toBeUndefined();
    expect(diskFinding(52_345_678)).toMatchObject({ status: 'degraded', detail: expect.stringContaining('52 MB free') as string });
  });

  test('a clock that somebody has set wrong is for people', () => {
    expect([clockFinding(250_000), clockFinding(-250_000)]).toEqual([undefined, undefined]);
    const detail = 'it is 180 min later here than by the clock of the database: set the wrong one right';
    expect(clockFinding(3 * 3_600_000)).toEqual({ status: 'degraded', detail });
    expect(clockFinding(-600_000)?.detail).toContain('10 min earlier here');
  });

  test('a server that does not flush is for people', () => {
    expect(durabilityFinding([])).toBeUndefined();
    expect(durabilityFinding(['fsync', 'full_page_writes'])).toEqual({
      status: 'degraded',
      detail: "fsync and full_page_writes are off at the database's server: a power cut can take what was accepted. Switch them on there",
    });
  });

  test('not ready before everything has started', async () => {
    expect(await open([fine], false).ask('/health/ready')).toMatchObject({ status: 503 });
    expect(await open([fine], false).ask('/health')).toMatchObject({ status: 200 });
  });

  test('a check that hangs is down after its deadline', async () => {
    const { world, ask } = open([{ ...fine, run: () => new Promise(() => undefined) }]);
    const asked = ask('/health/db');
    world.advance(2_000);
    expect(await asked).toMatchObject({
      status: 503,
      body: { checks: { 'database orders': { detail: 'no answer within 2 s' } }, uptime_seconds: 2 },
    });
  });
});
