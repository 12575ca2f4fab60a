import { expect, test } from 'vitest';
import { differenceIn } from './rabbit-declare.ts';

const refused = (text: string, code = 406): Error =>
  Object.assign(new Error(`Operation failed: QueueDeclare; ${code} (PRECONDITION-FAILED) with message "PRECONDITION_FAILED - ${text}"`), { code });

test.each([
  [
    `inequivalent arg 'x-delivery-limit' for queue 'q' in vhost '/': received '20' but current is '7'`,
    { argument: 'x-delivery-limit', wanted: 20, found: 7 },
  ],
  [
    `inequivalent arg 'x-delivery-limit' for queue 'q' in vhost '/': received the value '20' of type 'signedint' but current is none`,
    { argument: 'x-delivery-limit', wanted: 20, found: null },
  ],
  [
    `inequivalent arg 'x-overflow' for queue 'q' in vhost '/': received none but current is the value 'drop-head' of type 'longstr'`,
    { argument: 'x-overflow', wanted: null, found: 'drop-head' },
  ],
  [
    `inequivalent arg 'durable' for queue 'q' in vhost '/': received 'true' but current is 'false'`,
    { argument: 'durable', wanted: true, found: false },
  ],
  [
    `inequivalent arg 'type' for exchange 'e' in vhost '/': received 'topic' but current is 'fanout'`,
    { argument: 'type', wanted: 'topic', found: 'fanout' },
  ],
])('%s', (text, difference) => {
  expect(differenceIn(refused(text))).toEqual(difference);
});

test('other refusals are no differences', () => {
  expect(differenceIn(refused('invalid arg', 406))).toBeUndefined();
  expect(differenceIn(refused(`inequivalent arg 'x' for queue 'q': received '1' but current is '2'`, 404))).toBeUndefined();
  expect(differenceIn('no error')).toBeUndefined();
});
