import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Message } from '../contracts/envelope.ts';
import { passGate } from './dedupe.ts';

const message = (subject: string, sequence: number): Message => ({
  id: `${subject}${sequence}`,
  type: 'stock.released',
  source: 's',
  time: 0,
  subject,
  sequence,
  partitionkey: subject,
  correlationid: subject,
  hops: 1,
  data: {},
});

const arrivals = fc.array(fc.record({ stream: fc.constantFrom('a', 'b'), sequence: fc.integer({ min: 1, max: 12 }) }), { maxLength: 60 });

/** Feeds messages batch by batch, as the consumer does, and keeps what the tables would. */
function feed(
  mode: 'latest' | 'strict',
  messages: readonly Message[],
  batch: number,
): { applied: Message[]; parked: Message[]; last: Map<string, number> } {
  const last = new Map<string, number>();
  const applied: Message[] = [];
  let parked: Message[] = [];
  for (let i = 0; i < messages.length; i += batch) {
    const outcome = passGate(mode, last, messages.slice(i, i + batch), parked);
    applied.push(...outcome.apply);
    parked = [...parked.filter((one) => !outcome.unpark.includes(one)), ...outcome.park];
    for (const [stream, sequence] of outcome.moved) last.set(stream, sequence);
  }
  return { applied, parked, last };
}

describe('passGate', () => {
  it('strict: applies 1, 2, 3, … of each stream, once, and parks exactly what is behind a gap', () => {
    fc.assert(
      fc.property(arrivals, fc.integer({ min: 1, max: 9 }), (coming, batch) => {
        const { applied, parked } = feed(
          'strict',
          coming.map(({ stream, sequence }) => message(stream, sequence)),
          batch,
        );
        for (const stream of ['a', 'b']) {
          const seen = new Set(coming.filter((one) => one.stream === stream).map(({ sequence }) => sequence));
          let whole = 0;
          while (seen.has(whole + 1)) whole += 1;
          expect(applied.filter(({ subject }) => subject === stream).map(({ sequence }) => sequence)).toEqual(
            Array.from({ length: whole }, (_, i) => i + 1),
          );
          const behind = [...seen].filter((sequence) => sequence > whole).sort((x, y) => x - y);
          expect(
            parked
              .filter(({ subject }) => subject === stream)
              .map(({ sequence }) => sequence!)
              .sort((x, y) => x - y),
          ).toEqual(behind);
        }
      }),
    );
  });

  it('latest: applies what is newer than all before, and parks nothing', () => {
    fc.assert(
      fc.property(arrivals, fc.integer({ min: 1, max: 9 }), (coming, batch) => {
        const { applied, parked } = feed(
          'latest',
          coming.map(({ stream, sequence }) => message(stream, sequence)),
          batch,
        );
        expect(parked).toEqual([]);
        for (const stream of ['a', 'b']) {
          let highest = 0;
          const rising = coming.filter((one) => one.stream === stream).flatMap(({ sequence }) => (sequence > highest ? [(highest = sequence)] : []));
          expect(applied.filter(({ subject }) => subject === stream).map(({ sequence }) => sequence)).toEqual(rising);
        }
      }),
    );
  });

  it('refuses a message without a sequence', () => {
    const { sequence: _, ...bare } = message('a', 1);
    expect(() => passGate('latest', new Map(), [bare], [])).toThrow('has no sequence');
  });
});
