/**
 * Turns calls that come one by one into sets: while one transaction runs, calls collect, and the next transaction takes them all.
 * At rest a call waits for nothing; under load a hundred placements share one transaction and a fixed number of statements.
 */
import { Refusal, isRetryable } from '../kernel/errors.ts';
import type { Mailbox, Unit } from './mailbox.ts';

/** A set of commands against a set of answers, in the same order. A Refusal is the answer of that command alone. */
export type SetUseCase<Command, Result> = (unit: Unit, commands: readonly Command[]) => Promise<readonly (Result | Refusal)[]>;

export interface GatherOptions {
  /** Commands in one transaction, at most. */
  readonly limit?: number;
  /** Transactions at the same time: 1 on SQLite, which has one writer; 2 keep PostgreSQL busy while Node prepares the next. */
  readonly lanes?: number;
}

interface Call<Command, Result> {
  readonly command: Command;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/** A function for one command that answers after the shared transaction is durable; throws the command's Refusal, or the Fault that hit it. */
export function gather<Command, Result>(
  mailbox: Mailbox,
  many: SetUseCase<Command, Result>,
  options: GatherOptions = {},
): (command: Command) => Promise<Result> {
  const { limit = 200, lanes = mailbox.db.dialect.name === 'sqlite' ? 1 : 2 } = options;
  const waiting: Call<Command, Result>[] = [];
  let running = 0;

  async function lane(): Promise<void> {
    while (waiting.length > 0) await settle(waiting.splice(0, limit));
    running -= 1;
  }

  /** One transaction for the calls; when it fails, halves of them, so that a poisonous command fails alone. */
  async function settle(calls: Call<Command, Result>[]): Promise<void> {
    try {
      const answers = await mailbox.write((unit) =>
        many(
          unit,
          calls.map(({ command }) => command),
        ),
      );
      calls.forEach((call, i) => {
        const answer = answers[i]!;
        if (answer instanceof Refusal) call.reject(answer);
        else call.resolve(answer as Result);
      });
    } catch (error) {
      // A database that is away or full fails them all alike; halving would only ask it again and again.
      if (calls.length === 1 || isRetryable(error)) return calls.forEach((call) => call.reject(error));
      const half = calls.length >> 1;
      await settle(calls.slice(0, half));
      await settle(calls.slice(half));
    }
  }

  return (command) =>
    new Promise<Result>((resolve, reject) => {
      waiting.push({ command, resolve, reject });
      if (running === lanes) return;
      running += 1;
      // After the input of this turn of the event loop has been read, so that requests which arrived together go together.
      setImmediate(() => void lane());
    });
}
