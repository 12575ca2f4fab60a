/**
 * The ways to a customer: the log, always; mail, where a mail server is configured and the customer left an address.
 */
import { type NodemailerError, createTransport } from 'nodemailer';
import type { DataOf } from '../contracts/messages.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
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
  readonly name: 'email';
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
