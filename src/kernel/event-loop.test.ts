import { expect, test } from 'vitest';
import { samplesIn, valueOf } from '../../test/support/metrics.ts';
import { testWorld } from '../../test/support/world.ts';
import { watchEventLoop } from './event-loop.ts';
import { createTelemetry } from './telemetry.ts';

test('how late the process answers its own timers is counted, and a standstill is told of once it is over', async () => {
  const world = testWorld();
  const telemetry = createTelemetry({ level: 'silent' });
  const told: unknown[] = [];
  telemetry.log.warn = (about: unknown) => void told.push(about);
  const watch = watchEventLoop({ world, telemetry });
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  await watch.start();
  await turn();
  for (const ms of [50, 50, 350, 50, 2_050, 50]) {
    world.advance(ms);
    await turn();
  }
  await watch.stop();
  const samples = await samplesIn(telemetry.metrics);
  const late = (le: string) => valueOf(samples, 'waybill_event_loop_delay_seconds_bucket', { le });
  expect([late('0.001'), late('0.5'), late('2.5'), late('+Inf')]).toEqual([4, 5, 6, 6]);
  expect(told).toEqual([{ late_ms: 2_000, thread: 'main' }]);
});
