/** `waybill dead-letters` and `waybill consumers`. */
import type { Consumer, DeadLetter, DeadLetterGroup } from './answers.ts';
import type { Client } from './client.ts';
import { type Output, bad, bold, facts, faint, good, moment, table, warning } from './print.ts';
import { EXIT, type ExitCode } from './problems.ts';

export interface DeadLetterFilter {
  readonly status?: string;
  readonly service?: string;
  readonly type?: string;
  /** The fingerprint of a group. */
  readonly group?: string;
  readonly order?: string;
  readonly limit: number;
}

export async function listDeadLetters(client: Client, output: Output, { limit, order, group, ...filter }: DeadLetterFilter): Promise<ExitCode> {
  const query = { ...filter, fingerprint: group, order_id: order };
  const letters = await client.first<DeadLetter>(limit, '/v1/dead-letters', query);
  output.answer(letters, () =>
    table(
      ['id', 'service', 'message', 'about', 'status', 'attempts', 'since', 'why'],
      letters.map((letter) => [
        letter.id,
        letter.service,
        letter.type,
        letter.correlationid,
        letter.status === 'open' ? bad(letter.status) : letter.status,
        letter.attempts,
        moment(letter.first_failed_at),
        `${letter.code}: ${shortened(letter.error, 60)}`,
      ]),
    ),
  );
  return EXIT.ok;
}

export interface GroupsOptions {
  readonly service?: string;
  readonly type?: string;
  readonly code?: string;
  readonly recent: boolean;
  readonly all: boolean;
  readonly limit: number;
}

export async function listGroups(client: Client, output: Output, { recent, limit, ...filter }: GroupsOptions): Promise<ExitCode> {
  const groups = await client.first<DeadLetterGroup>(limit, '/v1/dead-letters/groups', { ...filter, order: recent ? 'recent' : 'open' });
  output.answer(groups, () =>
    table(
      ['group', 'consumer', 'message', 'open', 'under way', 'first', 'last', 'why'],
      groups.map((group) => [
        group.fingerprint,
        group.consumer ?? 'none',
        group.type,
        group.open,
        group.redriving,
        moment(group.first_seen_at),
        moment(group.last_seen_at),
        `${group.code}: ${shortened(group.error, 60)}`,
      ]),
    ),
  );
  return EXIT.ok;
}

export async function showDeadLetter(client: Client, output: Output, id: string): Promise<ExitCode> {
  const letter = await client.get<DeadLetter>(`/v1/dead-letters/${encodeURIComponent(id)}`);
  output.answer(letter, () => letterText(letter));
  return EXIT.ok;
}

export async function redriveDeadLetter(client: Client, output: Output, id: string): Promise<ExitCode> {
  const letter = await client.post<DeadLetter>(`/v1/dead-letters/${encodeURIComponent(id)}/redrive`);
  output.answer(letter, () => `${id} goes to ${letter.service} again. See what becomes of it with: waybill dead-letters show ${id}`);
  return EXIT.ok;
}

export async function editDeadLetter(
  client: Client,
  output: Output,
  id: string,
  { data, reason }: { data: object; reason: string },
): Promise<ExitCode> {
  const letter = await client.post<DeadLetter>(`/v1/dead-letters/${encodeURIComponent(id)}/edit`, { data, reason });
  output.answer(letter, () => `${id} goes to ${letter.service} again as edited. See what becomes of it with: waybill dead-letters show ${id}`);
  return EXIT.ok;
}

export async function discardDeadLetter(client: Client, output: Output, id: string, reason: string): Promise<ExitCode> {
  const letter = await client.post<DeadLetter>(`/v1/dead-letters/${encodeURIComponent(id)}/discard`, { reason });
  output.answer(letter, () => `${id} is given up: ${reason}`);
  return EXIT.ok;
}

function letterText(letter: DeadLetter): string {
  const head = facts([
    ['dead letter', `${bold(letter.id)}  ${letter.status}`],
    ['service', letter.service],
    ['message', `${letter.type} about ${letter.subject}`],
    ['order', letter.correlationid],
    ['why', bad(`${letter.code}: ${letter.error}`)],
    ['attempts', `${letter.attempts}, sent again ${letter.redrives} times`],
    ['since', moment(letter.first_failed_at)],
  ]);
  const history = (letter.history ?? []).map(
    ({ at, actor, action, detail }) => `${faint(moment(at))}  ${action.padEnd(10)} ${actor}${detail === '' ? '' : `: ${detail}`}`,
  );
  return [head, history.join('\n'), JSON.stringify(letter.message, undefined, 2)].filter((part) => part !== '').join('\n\n');
}

const shortened = (text: string, most: number): string => (text.length <= most ? text : `${text.slice(0, most - 1)}…`);

export async function listConsumers(client: Client, output: Output): Promise<ExitCode> {
  const { items } = await client.get<{ items: Consumer[] }>('/v1/consumers');
  output.answer(items, () =>
    table(
      ['consumer', 'status', 'waiting', 'parked', 'dead letters', 'remark'],
      items.map((consumer) => [
        consumer.consumer,
        consumer.status === 'running' ? good(consumer.status) : warning(consumer.status),
        consumer.depth,
        consumer.parked,
        consumer.dead_letters,
        consumer.paused ? consumer.reason : (consumer.last_error ?? ''),
      ]),
    ),
  );
  return EXIT.ok;
}

export async function pauseConsumer(client: Client, output: Output, name: string, reason: string): Promise<ExitCode> {
  const consumer = await client.post<Consumer>(`/v1/consumers/${encodeURIComponent(name)}/pause`, { reason });
  output.answer(consumer, () => `${name} takes no more messages, until: waybill consumers resume ${name}`);
  return EXIT.ok;
}

export async function resumeConsumer(client: Client, output: Output, name: string): Promise<ExitCode> {
  const consumer = await client.post<Consumer>(`/v1/consumers/${encodeURIComponent(name)}/resume`);
  output.answer(consumer, () => `${name} takes messages again.`);
  return EXIT.ok;
}
