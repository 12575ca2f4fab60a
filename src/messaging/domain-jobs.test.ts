import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IN_FLIGHT_MAX, JOB_STATES, type JobState, type Pace, allowance, isOver, nextAt, nextState, remember, tooManyFail } from './domain-jobs.ts';

describe('the states of a job', () => {
  it('are those of the table, and lead nowhere else', () => {
    const table = JOB_STATES.map((state) => [
      state,
      ...(['pause', 'resume', 'cancel', 'too_many_fail', 'nothing_left'] as const).map((trigger) => nextState(state, trigger) ?? '–'),
    ]);
    expect(table).toEqual([
      ['running', 'paused', '–', 'cancelled', 'stopped', 'done'],
      ['paused', '–', 'running', 'cancelled', '–', '–'],
      ['stopped', '–', 'running', 'cancelled', '–', '–'],
      ['cancelled', '–', '–', '–', '–', '–'],
      ['done', '–', '–', '–', '–', '–'],
    ]);
    const over: JobState[] = ['cancelled', 'done'];
    expect(JOB_STATES.filter(isOver)).toEqual(over);
  });
});

describe('a slow start', () => {
  const pace = (sent: number, more: Partial<Pace> = {}): Pace => ({ rate: 10_000, ramp: true, sent, next_at: 0, ...more });
  const most = (sent: number, inFlight: number): number => allowance(pace(sent), inFlight, 1_000_000).most;

  it('sends one, then ten, then a hundred, each when the step before has come to its end', () => {
    expect([most(0, 0), most(1, 1), most(1, 0), most(4, 2), most(11, 1), most(11, 0), most(111, 5), most(111, 0)]).toEqual([
      1, 0, 10, 7, 0, 100, 0, 500,
    ]);
  });

  it('is left out when it is not wanted', () => {
    expect(allowance(pace(0, { ramp: false }), 0, 1_000_000).most).toBe(IN_FLIGHT_MAX);
  });
});

describe('the rate', () => {
  it('is kept over any second, but for what may be saved up', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2_000 }), fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 60 }), (rate, steps) => {
        let now = 1_000_000;
        let pace: Pace = { rate, ramp: false, sent: 0, next_at: now };
        const sent: { at: number; n: number }[] = [];
        for (const step of steps) {
          now += step;
          const { most } = allowance(pace, 0, now);
          if (most > 0) {
            sent.push({ at: now, n: most });
            pace = { ...pace, sent: pace.sent + most, next_at: nextAt(pace, most, now) };
          }
        }
        for (const { at } of sent) {
          const inSecond = sent.filter((one) => one.at >= at && one.at < at + 1_000).reduce((sum, { n }) => sum + n, 0);
          expect(inSecond).toBeLessThanOrEqual(rate * 1.25 + 2);
        }
      }),
    );
  });

  it('says when it is worth asking again', () => {
    expect(allowance({ rate: 1, ramp: false, sent: 5, next_at: 1_400 }, 0, 1_000)).toEqual({ most: 0, wait: 400 });
  });

  it('never has more on their way than the limit', () => {
    expect(allowance({ rate: 10_000, ramp: false, sent: 5, next_at: 0 }, IN_FLIGHT_MAX - 3, 1_000_000).most).toBe(3);
    expect(allowance({ rate: 10_000, ramp: false, sent: 5, next_at: 0 }, IN_FLIGHT_MAX, 1_000_000).most).toBe(0);
  });
});

describe('a job stops', () => {
  it('when its first message fails, and not when one of eleven does', () => {
    expect(tooManyFail({ settled: 1, failed: 1 }, 0, 10)).toBe(true);
    expect(tooManyFail({ settled: 2, failed: 1 }, 9, 10)).toBe(false);
    expect(tooManyFail({ settled: 3, failed: 2 }, 8, 10)).toBe(true);
  });

  it('soon after everything begins to fail, however many succeeded before', () => {
    let recent = { settled: 0, failed: 0 };
    for (let i = 0; i < 100_000; i += 1) recent = remember(recent, { settled: 1, failed: 0 });
    let failures = 0;
    while (!tooManyFail(recent, 0, 10)) {
      recent = remember(recent, { settled: 1, failed: 1 });
      failures += 1;
    }
    expect(failures).toBeLessThan(15);
  });

  it('never at 100 percent, and at the first failure at 0', () => {
    expect(tooManyFail({ settled: 10, failed: 10 }, 0, 100)).toBe(false);
    expect(tooManyFail({ settled: 90, failed: 1 }, 500, 0)).toBe(true);
    expect(tooManyFail({ settled: 90, failed: 0 }, 0, 0)).toBe(false);
  });
});
