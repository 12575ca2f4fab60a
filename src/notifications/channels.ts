/**
 * The ways to a customer: the log, always; mail, where a mail server is configured and the customer left an address; a webhook, where a system
 * of the shop's own is to tell customers (text messages, an app).
 */
import { createHmac } from 'node:crypto';
import { type NodemailerError, createTransport } from 'nodemailer';
import type { DataOf } from '../contracts/messages.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import { rfc3339 } from '../kernel/time.ts';
import { traceIds } from '../kernel/tracing.ts';
import type { Delivery, Notification, Outcome, Topic } from './domain.ts';

export type Customer = DataOf<Topic>['customer'];

interface Reach {
  /** Where the channel reaches a customer; undefined when it does not. */
  recipientOf(customer: Customer): string | undefined;
}

/** A channel that cannot fail: a notification is sent by being written down, and shown after that is durable. */
export interface SureChannel extends Reach {
  readonly name: 'log';
  show(notification: Notification, traceparent?: string): void;
}

/** A channel that can fail, which is an outcome and never thrown. */
export interface RemoteChannel extends Reach {
  readonly name: 'email' | 'webhook';
  /** Notifications it takes at the same time. */
  readonly concurrency: number;
  send(delivery: Delivery): Promise<Outcome>;
  close(): void;
}

export type Channel = SureChannel | RemoteChannel;

/** Writes every notification to the log of the program. */
export function logChannel({ log }: Telemetry): SureChannel {
  return {
    name: 'log',
    recipientOf: ({ id, email }) => email ?? id,
    show: ({ id, order_id, topic, recipient, subject }, traceparent) =>
      log.info({ notification_id: id, order_id, topic, recipient, ...traceIds(traceparent) }, subject),
  };
}

/** Connections to the mail server. */
const CONNECTIONS = 5;
/** Together below the lease of a task, so that nothing is sent twice because a server is slow. */
const TIMEOUTS_MS = { dnsTimeout: 4_000, connectionTimeout: 4_000, greetingTimeout: 4_000, socketTimeout: 12_000 };

/**
 * Mail over SMTP.
 *
 * @param url   e.g. `smtp://user:secret@host:587`, or `smtps://…`
 * @param from  the sender, e.g. `Waybill <orders@example.com>`
 */
export function smtpChannel({ url, from }: { url: string; from: string }): RemoteChannel {
  const transport = createTransport({
    url,
    pool: true,
    maxConnections: CONNECTIONS,
    disableFileAccess: true,
    disableUrlAccess: true,
    ...TIMEOUTS_MS,
  });
  const domain = /@([^\s>]+)/.exec(from)?.[1] ?? 'waybill.invalid';
  return {
    name: 'email',
    concurrency: CONNECTIONS,
    recipientOf: ({ email }) => email,
    async send({ id, order_id, recipient, subject, body }) {
      try {
        await transport.sendMail({
          from,
          to: { name: '', address: recipient }, // never parsed: an address cannot smuggle in another
          subject,
          text: body,
          messageId: `<${id}@${domain}>`, // always the same, so that a mail that went out twice is known as one
          headers: { 'Auto-Submitted': 'auto-generated', 'X-Waybill-Order': order_id },
        });
        return { result: 'sent' };
      } catch (error) {
        return outcomeOf(error);
      }
    },
    close: () => transport.close(),
  };
}

/** A final no is about this mail or its recipient; everything else (the line, the login, our sender, a busy server) is about now. */
export function outcomeOf(error: unknown): Outcome {
  const { message, code, command, permanent } = error as NodemailerError;
  const refused = code === 'EENVELOPE' ? permanent !== false && command !== 'MAIL FROM' : code === 'EMESSAGE' && permanent === true;
  return { result: refused ? 'refused' : 'again', error: message };
}

/** Requests under way at the same time. */
const REQUESTS = 20;
/** Below the lease of a task. */
const ANSWER_MS = 15_000;
/** The receiver wants no more of it: https://www.standardwebhooks.com says 410. */
const GONE = 410;

export interface WebhookOptions {
  readonly url: string;
  /** `whsec_` and base64: what the signature is made with. */
  readonly secret: string;
  /** Milliseconds UTC. */
  now(): number;
}

/**
 * A POST for each notification, signed as https://www.standardwebhooks.com describes: `webhook-id` is the notification's id and stays the same
 * when it is sent again, so the receiver tells a customer once. Any answer but 2xx, or none, is tried again, but 410, which is a no. Redirects are
 * not followed: a signature is for whoever was named.
 */
export function webhookChannel({ url, secret, now }: WebhookOptions): RemoteChannel {
  const key = Buffer.from(secret.slice(secret.indexOf('_') + 1), 'base64');
  const ending = new AbortController();
  return {
    name: 'webhook',
    concurrency: REQUESTS,
    recipientOf: ({ id, email }) => email ?? id,
    async send({ id, event_id, order_id, customer_id, topic, recipient, subject, body, created_at }) {
      const data = { notification_id: id, event_id, order_id, customer_id, recipient, subject, body };
      const payload = JSON.stringify({ type: topic, timestamp: rfc3339(created_at), data });
      const timestamp = Math.floor(now() / 1_000);
      const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${payload}`).digest('base64');
      const headers = { 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': `v1,${signature}` };
      try {
        const answer = await fetch(url, {
          method: 'POST',
          headers: { ...headers, 'content-type': 'application/json' },
          body: payload,
          redirect: 'manual',
          signal: AbortSignal.any([AbortSignal.timeout(ANSWER_MS), ending.signal]),
        });
        await answer.body?.cancel();
        if (answer.ok) return { result: 'sent' };
        return { result: answer.status === GONE ? 'refused' : 'again', error: `the webhook answered ${answer.status}` };
      } catch (error) {
        return { result: 'again', error: `the webhook did not answer: ${reasonOf(error)}` };
      }
    },
    close: () => ending.abort(),
  };
}

/** What went wrong beneath `fetch failed`. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? cause.message : message;
}
