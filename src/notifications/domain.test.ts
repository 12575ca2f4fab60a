import { type NodemailerError } from 'nodemailer';
import { describe, expect, it } from 'vitest';
import { messageOf } from '../../test/support/mailbox.ts';
import { TEST_EPOCH, testWorld } from '../../test/support/world.ts';
import { outcomeOf } from './channels.ts';
import { NOTIFICATION_TRANSITIONS, type Occasion, type Outcome, SEND_AGAIN_MS, notificationOf, progress, textOf } from './domain.ts';

const world = testWorld();
const fact = { order_id: 'ord_1', number: 'ORD-2026-000123', customer: { id: 'cus_1', name: 'Ada' }, currency: 'EUR', total: 1_250 };
const occasions: Occasion[] = [
  messageOf(world, 'order.confirmed', 'ord_1', fact, { id: 'msg_1' }),
  messageOf(world, 'order.cancelled', 'ord_1', { ...fact, reason: 'out_of_stock' }),
  messageOf(world, 'order.cancelled', 'ord_1', { ...fact, customer: { id: 'cus_1' }, reason: 'something new' }),
  messageOf(world, 'order.shipped', 'ord_1', { ...fact, tracking_number: 'WB0000000000001' }),
  messageOf(world, 'order.delivered', 'ord_1', fact),
];

it('the texts say what happened', () => {
  expect(occasions.map(textOf)).toEqual([
    {
      subject: 'Your order ORD-2026-000123 is confirmed',
      body: 'Hello Ada,\n\nyour order ORD-2026-000123 is confirmed. The total is 12.50 EUR; we are packing it.\n',
    },
    {
      subject: 'Your order ORD-2026-000123 was cancelled',
      body: 'Hello Ada,\n\nyour order ORD-2026-000123 was cancelled because we do not have everything you ordered. Nothing was charged.\n',
    },
    { subject: 'Your order ORD-2026-000123 was cancelled', body: 'Hello,\n\nyour order ORD-2026-000123 was cancelled by us.\n' },
    {
      subject: 'Your order ORD-2026-000123 is on its way',
      body: 'Hello Ada,\n\nyour order ORD-2026-000123 is on its way. Its tracking number is WB0000000000001.\n',
    },
    {
      subject: 'Your order ORD-2026-000123 was delivered',
      body: 'Hello Ada,\n\nyour order ORD-2026-000123 was delivered. Thank you for ordering with us.\n',
    },
  ]);
});

describe('a notification', () => {
  it('has an id that follows from event and channel', () => {
    const on = (channel: 'log' | 'email') => notificationOf(occasions[0]!, { channel, recipient: 'cus_1', dueAt: null }, TEST_EPOCH).id;
    expect([on('log'), on('email'), on('log')]).toEqual(['ntf_1_log', 'ntf_1_email', 'ntf_1_log']);
  });

  it('is sent at once where nothing can fail, and pending elsewhere', () => {
    const sure = notificationOf(occasions[0]!, { channel: 'log', recipient: 'cus_1', dueAt: null }, TEST_EPOCH);
    expect(sure).toMatchObject({ status: 'sent', sent_at: TEST_EPOCH, due_at: null });
    expect(notificationOf(occasions[0]!, { channel: 'email', recipient: 'a@b', dueAt: 5 }, TEST_EPOCH)).toMatchObject({
      status: 'pending',
      sent_at: null,
      due_at: 5,
    });
  });

  it('moves along the table only', () => {
    const outcomes: Outcome[] = [{ result: 'sent' }, { result: 'again', error: 'busy' }, { result: 'refused', error: 'no' }];
    for (const outcome of outcomes) {
      for (let attempts = 0; attempts < 10; attempts += 1) {
        const next = progress(attempts, outcome, TEST_EPOCH);
        expect(['pending', ...NOTIFICATION_TRANSITIONS.pending]).toContain(next.status);
        expect(next.due_at === null).toBe(next.status !== 'pending');
        expect(next.sent_at === null).toBe(next.status !== 'sent');
      }
    }
  });

  it('is tried again after each pause of the table, then fails; what is refused for good fails at once', () => {
    const busy: Outcome = { result: 'again', error: 'busy' };
    expect(SEND_AGAIN_MS.map((_, attempts) => progress(attempts, busy, 0).due_at)).toEqual([...SEND_AGAIN_MS]);
    expect(progress(SEND_AGAIN_MS.length, busy, 0)).toMatchObject({ status: 'failed', error: 'busy', due_at: null });
    expect(progress(0, { result: 'refused', error: 'no' }, 0)).toMatchObject({ status: 'failed', attempts: 1 });
  });
});

it('only a final no about the mail or its recipient is final', () => {
  const result = (error: Partial<NodemailerError>): string => outcomeOf(Object.assign(new Error('so it goes'), error)).result;
  expect(result({ code: 'EENVELOPE', command: 'RCPT TO', permanent: true })).toBe('refused');
  expect(result({ code: 'EENVELOPE', command: 'API' })).toBe('refused');
  expect(result({ code: 'EMESSAGE', command: 'DATA', permanent: true })).toBe('refused');
  expect(result({ code: 'EENVELOPE', command: 'RCPT TO', permanent: false })).toBe('again');
  expect(result({ code: 'EENVELOPE', command: 'MAIL FROM', permanent: true })).toBe('again');
  expect(result({ code: 'EMESSAGE', command: 'DATA', permanent: false })).toBe('again');
  expect(result({ code: 'EAUTH', permanent: true })).toBe('again');
  expect(result({ code: 'ECONNECTION' })).toBe('again');
});
