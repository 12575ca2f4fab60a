/** `waybill gaps`: what is missing in streams of strict order. */
import type { Gap, GapSkip } from './answers.ts';
import type { Client } from './client.ts';
import { type Output, bad, moment, table } from './print.ts';
import { EXIT, type ExitCode } from './problems.ts';

export interface GapsOptions {
  readonly service?: string;
  readonly order?: string;
  readonly overdue: boolean;
  readonly limit: number;
}

const places = (from: number, to: number): string => (from === to ? String(from) : `${from} to ${to}`);

export async function listGaps(client: Client, output: Output, { service, order, overdue, limit }: GapsOptions): Promise<ExitCode> {
  const gaps = await client.first<Gap>(limit, '/v1/gaps', { service, order_id: order, overdue: overdue || undefined });
  output.answer(gaps, () =>
    table(
      ['gap', 'consumer', 'stream', 'missing', 'waiting', 'since', 'may be skipped', 'dead letter'],
      gaps.map((gap) => [
        gap.id,
        gap.consumer,
        `${gap.source} ${gap.subject}`,
        places(gap.missing_from, gap.missing_to),
        gap.waiting,
        moment(gap.since),
        gap.overdue ? bad('now') : `from ${moment(gap.overdue_at)}`,
        gap.dead_letter_id,
      ]),
    ),
  );
  return EXIT.ok;
}

export async function skipGap(client: Client, output: Output, id: string, reason: string): Promise<ExitCode> {
  const skipped = await client.post(`/v1/gaps/${encodeURIComponent(id)}/skip`, { reason });
  output.answer(
    skipped,
    () => `${id} is given up, and what waited behind it goes on. If what was missing comes after all, it will be a dead letter.`,
  );
  return EXIT.ok;
}

export async function listSkips(client: Client, output: Output, limit: number): Promise<ExitCode> {
  const skips = await client.first<GapSkip>(limit, '/v1/gaps/skips');
  output.answer(skips, () =>
    table(
      ['service', 'consumer', 'stream', 'given up', 'at', 'by', 'why'],
      skips.map((skip) => [
        skip.service,
        skip.consumer,
        skip.stream,
        places(skip.missing_from, skip.missing_to),
        moment(skip.at),
        skip.actor,
        skip.reason,
      ]),
    ),
  );
  return EXIT.ok;
}
