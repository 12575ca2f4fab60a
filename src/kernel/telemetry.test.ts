import { expect, test } from 'vitest';
import { samplesOf, valueOf } from '../../test/support/metrics.ts';
import { createMetrics, exposition } from './telemetry.ts';

test('of several threads counts are added up, and what is of the whole process is told once', async () => {
  const [main, second] = [createMetrics(), createMetrics()];
  main.others.push(() => second.registry.getMetricsAsJSON());
  for (const { published, eventLoopDelay, outboxDepth } of [main, second]) {
    published.inc({ service: 'orders' }, 3);
    eventLoopDelay.observe(0.5);
    outboxDepth.set({ service: 'orders' }, 7);
  }
  const samples = samplesOf(await exposition(main));
  expect(valueOf(samples, 'waybill_messages_published_total')).toBe(6);
  expect(valueOf(samples, 'waybill_event_loop_delay_seconds_count')).toBe(2);
  expect(valueOf(samples, 'waybill_outbox_messages')).toBe(7);
  const { user, system } = process.cpuUsage();
  expect(valueOf(samples, 'process_cpu_seconds_total')).toBeLessThanOrEqual((user + system) / 1e6);
  expect(valueOf(samples, 'process_resident_memory_bytes')).toBeLessThan(process.memoryUsage.rss() * 1.5);
});
