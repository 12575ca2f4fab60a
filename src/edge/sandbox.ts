/**
 * The sandbox: what nobody may do to a real shop. Its routes exist with SANDBOX=true only.
 */
import { z } from 'zod';
import { timestamp } from '../contracts/rest.ts';
import type { TestClock } from '../kernel/test-clock.ts';
import { rfc3339 } from '../kernel/time.ts';
import { type Route, route } from '../messaging/service.ts';

/** A year at a time. */
const ADVANCE_MAX = 366 * 86_400_000;
const ISO = /^P(?:(\d{1,3})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?$/;

/** `P8D`, `PT36H`, `P1DT12H30M`, or milliseconds. */
const advanceSchema = z
  .union([
    z.int(),
    z
      .string()
      .regex(ISO, 'a duration such as P8D, PT36H or P1DT30M')
      .transform((text) => {
        const [, days = 0, hours = 0, minutes = 0, seconds = 0] = ISO.exec(text)!;
        return (((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000;
      }),
  ])
  .pipe(z.int().min(1).max(ADVANCE_MAX))
  .meta({ description: 'A duration such as `P8D` or `PT36H`, or milliseconds; a year at most.', examples: ['P8D'] });

const clockSchema = z
  .object({ now: timestamp, ahead_ms: z.int().meta({ description: 'How far it is ahead of the clock of the machine.' }) })
  .meta({ id: 'SandboxClock' });

export function sandboxRoutes(clock: TestClock): Route[] {
  const read = () => ({ now: rfc3339(clock.world.now()), ahead_ms: clock.ahead() });
  return [
    route({
      method: 'GET',
      path: '/v1/sandbox/clock',
      tag: 'Sandbox',
      summary: 'The time it is',
      output: clockSchema,
      answers: 'ok',
      handle: async () => read(),
    }),
    route({
      method: 'POST',
      path: '/v1/sandbox/clock',
      tag: 'Sandbox',
      summary: 'Put the clock forward; whatever is due by then happens at once',
      body: z.object({ advance: advanceSchema }),
      output: clockSchema,
      answers: 'ok',
      async handle({ body }) {
        clock.advance(body.advance);
        return read();
      },
    }),
  ];
}
