import { expect, test } from 'vitest';
import { excess } from './pressure.ts';

const limits = { outbox: 100, queues: 200, lag: 50 };

test.each([
  [{ outbox: 100, queues: 200, lag: 50 }, undefined],
  [{ outbox: 101, queues: 0, lag: 0 }, '101 messages wait to be published'],
  [{ outbox: 0, queues: 201, lag: 0 }, '201 messages wait to be handled'],
  [{ outbox: 0, queues: 0, lag: 50.6 }, 'the process is 51 ms late'],
])('%j', (load, reason) => {
  expect(excess(load, limits)).toBe(reason);
});
