/**
 * The payment provider: the port, and a simulated provider for trying things out.
 *
 * Every call carries the id of its operation, and a provider does one operation once, however often it is called. So a call may be
 * made again after a crash, and one whose answer was lost can be asked about.
 */
import { Fault } from '../kernel/errors.ts';
import type { World } from '../kernel/world.ts';
import type { Kind } from './domain-operation.ts';

/** What is asked of the provider. */
export interface ProviderCall {
  /** The id of the operation: the idempotency key at the provider. */
  readonly id: string;
  readonly order_id: string;
  readonly kind: Kind;
  /** Minor units. */
  readonly amount: number;
  readonly currency: string;
  readonly token: string;
  /** What the provider called the authorisation; null when it is the authorisation that is asked for. */
  readonly provider_ref: string | null;
  /** Nothing of the authorisation is held any more when this is done. */
  readonly last: boolean;
  /** Calls for this operation before this one, as far as their outcomes were written down. */
  readonly attempts: number;
}

export type Answer =
  /** `until`: of an authorisation, until when it holds, milliseconds UTC; for as long as it takes when absent. */
  | { readonly result: 'approved'; readonly ref: string; readonly until?: number }
  /** A final no. */
  | { readonly result: 'declined'; readonly code: string }
  /** No answer in time, or one that says nothing: it may have been done. */
  | { readonly result: 'unknown'; readonly error: string };

/**
 * A provider. Its calls answer, or throw the Fault `provider_unavailable` when the operation has certainly not been taken and may be
 * sent again; whatever else they throw counts as `unknown`. After 20 s without an answer nobody listens any more.
 */
/** An authorisation that expires is given up by `void`. */
export interface Gateway extends Readonly<Record<Exclude<Kind, 'expire'>, (call: ProviderCall) => Promise<Answer>>> {
  readonly name: string;
  /** What to pay with when an order brings no token. Only a provider without real money has one. */
  readonly defaultToken?: string;
  /** What became of an operation; `absent`: the provider never heard of it. */
  lookup(operationId: string, call: ProviderCall): Promise<Answer | { readonly result: 'absent' }>;
}

/** What a token of the simulated provider stands for. */
interface Behaviour {
  /** Milliseconds until the answer to an authorisation. */
  readonly takes?: number;
  /** The first so many calls of each operation are not taken. */
  readonly untaken?: number;
  /** The operation is done, and the answer to its first call lost. */
  readonly answerLost?: boolean;
  /** Milliseconds that an authorisation holds. */
  readonly holds?: number;
  readonly declines?: Partial<Readonly<Record<Kind, string>>>;
}

/** The tokens of the simulated provider. Any other token is declined as `invalid_token`. */
export const SIMULATED_TOKENS: Readonly<Record<string, Behaviour>> = {
  tok_ok: {},
  tok_declined: { declines: { authorize: 'card_declined' } },
  tok_slow: { takes: 2_000 },
  tok_error_twice: { untaken: 2 },
  tok_unavailable: { untaken: Infinity },
  tok_unknown: { answerLost: true },
  tok_expires: { holds: 60_000 },
  tok_capture_fails: { declines: { capture: 'capture_refused' } },
};

/** Operations the simulated provider remembers at least; older ones it has to be told again, and decides as before. */
const REMEMBERED = 10_000;

/**
 * A provider that moves no money. What it decides follows from the call alone, so that it decides the same after a restart, and an
 * operation has one reference for ever.
 */
export function simulatedGateway({ world }: { world: World }): Gateway {
  const decided = memoryOfAnswers();

  async function perform({ id, kind, token, attempts }: ProviderCall): Promise<Answer> {
    const behaviour = SIMULATED_TOKENS[token] ?? { declines: { authorize: 'invalid_token' } };
    if (behaviour.takes !== undefined && kind === 'authorize') await world.sleep(behaviour.takes);
    if (attempts < (behaviour.untaken ?? 0)) throw new Fault('provider_unavailable', 'the simulated provider is out of order');
    const code = behaviour.declines?.[kind];
    const until = behaviour.holds !== undefined && kind === 'authorize' ? { until: world.now() + behaviour.holds } : {};
    const answer: Answer =
      code === undefined ? { result: 'approved', ref: `sim_${id.slice(id.indexOf('_') + 1)}`, ...until } : { result: 'declined', code };
    decided.set(id, answer);
    return behaviour.answerLost && attempts === 0 ? { result: 'unknown', error: 'the answer did not come in time' } : answer;
  }

  return {
    name: 'simulated',
    defaultToken: 'tok_ok',
    authorize: perform,
    capture: perform,
    void: perform,
    refund: perform,
    lookup: async (operationId) => decided.get(operationId) ?? { result: 'absent' },
  };
}

/** A map that forgets: the last `REMEMBERED` entries are in it, and at most as many older ones. */
function memoryOfAnswers(): { get(key: string): Answer | undefined; set(key: string, value: Answer): void } {
  let young = new Map<string, Answer>();
  let old = young;
  return {
    get: (key) => young.get(key) ?? old.get(key),
    set(key, value) {
      if (young.size >= REMEMBERED) [old, young] = [young, new Map()];
      young.set(key, value);
    },
  };
}
