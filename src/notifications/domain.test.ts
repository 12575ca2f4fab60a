import { type NodemailerError } from 'nodemailer';
import { describe, expect, it } from 'vitest';
import { messageOf } from '../../test/support/mailbox.ts';
import { TEST_EPOCH, testWorld } from '../../test/support/world.ts';
import { outcomeOf } from './channels.ts';
import { NOTIFICATION_TRANSITIONS, type Occasion, type Outcome, SEND_AGAIN_MS, notificationOf, progress, repeatOf } from './domain.ts';
import { checkTemplate, localesOf, templateKey, textOf } from './domain-texts.ts';

const world = testWorld();
const fact = { order_id: 'ord_1', number: 'ORD-2026-000123', customer: { id: 'cus_1', name: 'Ada' }, currency: 'EUR', total: 1_250 };
const occasions: Occasion[] = [
  messageOf(world, 'order.confirmed', 'ord_1', fact, { id: 'msg_1' }),
  messageOf(world, 'order.cancelled', 'ord_1', { ...fact, reason: 'out_of_stock' }),
  messageOf(world, 'order.cancelled', 'ord_1', { ...fact, customer: { id: 'cus_1' }, reason: 'something new' }),
  messageOf(world, 'order.shipped', 'ord_1', { ...fact, tracking_number: 'WB0000000000001' }),
  messageOf(world, 'order.delivered', 'ord_1', fact),
];

const said = { text: { subject: 'A subject', body: 'A body' }, suppressed: false, now: TEST_EPOCH };

it('the texts say what happened', () => {
  expect(occasions.map((occasion) => textOf(occasion))).toEqual([
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
    const on = (channel: 'log' | 'email') => notificationOf(occasions[0]!, { channel, recipient: 'cus_1', dueAt: null }, said).id;
    expect([on('log'), on('email'), on('log')]).toEqual(['ntf_1_log', 'ntf_1_email', 'ntf_1_log']);
  });

  it('is sent at once where nothing can fail, and pending elsewhere', () => {
    const sure = notificationOf(occasions[0]!, { channel: 'log', recipient: 'cus_1', dueAt: null }, said);
    expect(sure).toMatchObject({ status: 'sent', sent_at: TEST_EPOCH, due_at: null });
    expect(notificationOf(occasions[0]!, { channel: 'email', recipient: 'a@b', dueAt: 5 }, said)).toMatchObject({
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

describe('a text of the shop', () => {
  const templates = new Map([
    [
      templateKey('order.shipped', 'de'),
      { subject: 'Bestellung {{order_number}}', body: 'Hallo {{ customer_name }}: {{tracking_number}}, {{total}}' },
    ],
    [templateKey('order.delivered', 'en'), { subject: 'There', body: 'For {{customer_id}}' }],
  ]);

  it('is filled in, in the language of the customer or a wider one', () => {
    const german = { subject: 'Bestellung ORD-2026-000123', body: 'Hallo Ada: WB0000000000001, 12.50 EUR' };
    expect(textOf(occasions[3]!, templates, 'de-AT')).toEqual(german);
    expect(textOf(occasions[3]!, templates, 'fr').subject).toBe('Your order ORD-2026-000123 is on its way');
    expect(textOf(occasions[4]!, templates, 'fr')).toEqual({ subject: 'There', body: 'For cus_1' });
    expect([localesOf('de-AT'), localesOf('en-GB'), localesOf(null)]).toEqual([['de-AT', 'de', 'en'], ['en-GB', 'en'], ['en']]);
  });

  it('is never read twice: what a value says stays what it says', () => {
    const sly = messageOf(world, 'order.shipped', 'ord_1', { ...fact, customer: { id: 'x', name: '{{total}}' }, tracking_number: 'WB1' });
    expect(textOf(sly, templates, 'de').body).toBe('Hallo {{total}}: WB1, 12.50 EUR');
  });

  it.each([
    [{ subject: '{{price}}', body: 'x' }, [{ field: 'subject', rule: 'has {{price}}' }]],
    [{ subject: 'x', body: '{{order_number' }, [{ field: 'body', rule: 'has braces that are not closed' }]],
    [{ subject: 'x', body: `{{${' '.repeat(9_000)}x` }, [{ field: 'body', rule: 'has braces that are not closed' }]],
    [{ subject: 'x', body: '{{tracking_number}} {{}}' }, [{ field: 'body', rule: 'has {{tracking_number}}, {{}}' }]],
  ])('%# is refused, with what there is', (text, errors) => {
    const refused = (): void => checkTemplate('order.confirmed', text);
    expect(refused).toThrow(expect.objectContaining({ code: 'invalid_request', errors: errors.map((one) => expect.objectContaining(one)) }));
  });
});

describe('once more', () => {
  const first = notificationOf(occasions[0]!, { channel: 'email', recipient: 'a@b', dueAt: 5 }, said);
  it('says the same under another name', () => {
    const again = repeatOf({ ...first, status: 'failed', attempts: 6, error: 'no' }, { id: 'ntf_2', dueAt: 9, now: 8 });
    expect(again).toMatchObject({ id: 'ntf_2_email', repeats: 'ntf_1_email', status: 'pending', attempts: 0, error: null, due_at: 9, created_at: 8 });
    expect([again.subject, again.recipient, again.event_id]).toEqual([first.subject, first.recipient, first.event_id]);
  });
  it('is refused while the first is on its way', () => {
    expect(() => repeatOf(first, { id: 'ntf_2', dueAt: 9, now: 8 })).toThrow(expect.objectContaining({ code: 'notification_state' }));
  });
});
