/** `waybill notifications`: what customers were told, and telling them once more. */
import type { Client } from './client.ts';
import { type Output, bold, facts, good, moment, table } from './print.ts';
import { EXIT, type ExitCode } from './problems.ts';
import { orderIdOf } from './returns.ts';

interface Notification {
  readonly id: string;
  readonly order_id: string;
  readonly topic: string;
  readonly channel: string;
  readonly recipient: string;
  readonly subject: string;
  readonly body: string;
  readonly status: string;
  readonly attempts: number;
  readonly error: string | null;
  readonly created_at: string;
}

export interface NotificationFilter {
  readonly order?: string;
  readonly status?: string;
  readonly limit: number;
}

export async function listNotifications(client: Client, output: Output, { order, status, limit }: NotificationFilter): Promise<ExitCode> {
  const found = await client.first<Notification>(limit, '/v1/notifications', { order_id: order && (await orderIdOf(client, order)), status });
  output.answer(found, () =>
    table(
      ['id', 'topic', 'channel', 'recipient', 'status', 'since'],
      found.map((one) => [one.id, one.topic, one.channel, one.recipient, one.status, moment(one.created_at)]),
    ),
  );
  return EXIT.ok;
}

const textOf = ({ id, order_id, topic, channel, recipient, status, attempts, error, subject, body }: Notification): string =>
  `${facts([
    ['id', id],
    ['order', order_id],
    ['topic', topic],
    ['to', `${recipient}, by ${channel}`],
    ['status', `${status}, ${attempts} attempt${attempts === 1 ? '' : 's'}${error === null ? '' : `: ${error}`}`],
  ])}\n\n${bold(subject)}\n${body}`;

export async function showNotification(client: Client, output: Output, id: string): Promise<ExitCode> {
  const found = await client.get<Notification>(`/v1/notifications/${encodeURIComponent(id)}`);
  output.answer(found, () => textOf(found));
  return EXIT.ok;
}

export async function resendNotification(client: Client, output: Output, id: string, evenIfOptedOut: boolean): Promise<ExitCode> {
  const again = await client.post<Notification>(`/v1/notifications/${encodeURIComponent(id)}/resend`, { even_if_opted_out: evenIfOptedOut });
  output.answer(again, () => good(`${again.id} to ${again.recipient} by ${again.channel}: ${again.status}`));
  return EXIT.ok;
}
