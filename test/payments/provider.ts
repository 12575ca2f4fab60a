/**
 * A provider that keeps books of its own, to be compared with ours, and that misbehaves as it is told.
 */
import { Fault } from '../../src/kernel/errors.ts';
import type { Answer, Gateway, ProviderCall } from '../../src/payments/gateway.ts';

/** What may go wrong with one call. `lost`: done, and the answer is lost; `nothing`: not done, and nobody can tell. */
export type Mood = 'approve' | 'decline' | 'untaken' | 'lost' | 'nothing' | 'broken';

export interface BookkeepingGateway extends Gateway {
  /** Operations the provider has decided, by id. An operation is in here once, however often it was called. */
  readonly book: Map<string, ProviderCall & { readonly answer: Answer }>;
  /** How the next call goes; asked for each call. */
  mood: (call: ProviderCall) => Mood;
  /** Whether the next look-up is answered. */
  lookupWorks: () => boolean;
  calls: number;
}

export function bookkeepingGateway(): BookkeepingGateway {
  const book = new Map<string, ProviderCall & { answer: Answer }>();
  const perform = async (call: ProviderCall): Promise<Answer> => {
    gateway.calls += 1;
    const before = book.get(call.id);
    const mood = gateway.mood(call);
    if (mood === 'untaken') throw new Fault('provider_unavailable', 'away');
    if (mood === 'nothing') return { result: 'unknown', error: 'no answer' };
    const answer: Answer =
      before?.answer ?? (mood === 'decline' ? { result: 'declined', code: 'refused' } : { result: 'approved', ref: `ref_${call.id}` });
    book.set(call.id, { ...call, answer });
    if (mood === 'lost') return { result: 'unknown', error: 'no answer' };
    if (mood === 'broken') throw new Error('a bug in the client');
    return answer;
  };
  const gateway: BookkeepingGateway = {
    name: 'bookkeeping',
    book,
    mood: () => 'approve',
    lookupWorks: () => true,
    calls: 0,
    authorize: perform,
    capture: perform,
    void: perform,
    refund: perform,
    async lookup(id) {
      if (!gateway.lookupWorks()) throw new Fault('provider_unavailable', 'away');
      return book.get(id)?.answer ?? { result: 'absent' };
    },
  };
  return gateway;
}
