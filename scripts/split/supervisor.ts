/**
 * One process and its successors.
 *
 *   starting ──says where it is──> up ──ends──> resting (0.5 s, 1 s, … 30 s) ──> starting …
 *      │ ends before it was ever up                                      any ──stop──> SIGTERM, after 40 s SIGKILL ──> ended
 *      └──> the start fails: its last lines say why
 *
 * Once everything has run, a process that cannot start is tried again for ever: a database that is away for an hour must not need a person
 * to start anything afterwards. Whoever kills this supervisor with SIGKILL leaves its processes running; that harms nobody, since a second
 * set of them shares the work with the first.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Environment } from '../../src/config.ts';
import { backoff } from '../../src/kernel/lifecycle.ts';
import type { World } from '../../src/kernel/world.ts';

const REST = { first: 1_000, most: 30_000 } as const;
/** A process that was up for this long has started well: the next rest is a short one again. */
const WELL_MS = 60_000;
/** Longer than a process takes to drain. */
const PATIENCE_MS = 40_000;

export interface SupervisedOptions {
  readonly name: string;
  readonly command: readonly string[];
  readonly environment: Environment;
  readonly world: World;
  /** Takes a line of what it printed, or of what is to be said of it. */
  print(stream: 'out' | 'error', line: string): void;
}

export interface Supervised {
  readonly name: string;
  /** Where it answers; undefined while it does not. */
  url(): string | undefined;
  /** Resolves when it is up. Rejects with a StartFailure when it ends before. */
  start(): Promise<void>;
  /** Ends it. Answers the exit code; 1 when it had to be killed. */
  stop(): Promise<number>;
}

export class StartFailure extends Error {
  readonly exitCode: number;
  constructor(name: string, exitCode: number) {
    super(`${name} could not start (exit code ${exitCode}); its last lines say why`);
    this.exitCode = exitCode;
  }
}

interface Run {
  readonly child: ChildProcess;
  /** Resolves with its address, or with undefined when it ends without one. */
  readonly up: Promise<string | undefined>;
  /** Resolves with the exit code after its last line was printed. */
  readonly ended: Promise<number>;
}

export function supervise({ name, command, environment, world, print }: SupervisedOptions): Supervised {
  const stopping = new AbortController();
  let current: Run | undefined;
  let url: string | undefined;
  let over: Promise<number> = Promise.resolve(0);

  function run(): Run {
    const [program, ...given] = command;
    const child = spawn(program!, given, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    const address = Promise.withResolvers<string | undefined>();
    const lines = (stream: Readable, to: 'out' | 'error'): void => {
      createInterface({ input: stream }).on('line', (line) => {
        const said = to === 'out' ? /^Waybill \S+ is at (http:\S+) /.exec(line)?.[1] : undefined;
        if (said !== undefined) address.resolve(said);
        print(to, line);
      });
    };
    child.on('spawn', () => print('out', `runs as process ${child.pid}`));
    lines(child.stdout, 'out');
    lines(child.stderr, 'error');
    child.on('error', (error) => print('error', `cannot be run: ${error.message}`));
    const ended = once(child, 'close')
      .then(([code]: (number | null)[]) => code ?? 1)
      .finally(() => address.resolve(undefined));
    current = { child, up: address.promise, ended };
    return current;
  }

  /** Keeps it running until it is to stop. Answers the last exit code. */
  async function keep(first: Run): Promise<number> {
    let failures = 0;
    for (let now = first; ; now = run()) {
      const since = world.now();
      url = await now.up;
      const code = await now.ended;
      url = undefined;
      if (stopping.signal.aborted) return code;
      failures = world.now() - since >= WELL_MS ? 1 : failures + 1;
      const rest = backoff(failures, REST, world.random());
      print('error', `ended (${now.child.signalCode ?? `exit code ${code}`}) and is started again in ${(rest / 1_000).toFixed(1)} s`);
      await world.sleep(rest, stopping.signal);
      if (stopping.signal.aborted) return 0; // asked to stop while there was nothing to stop
    }
  }

  return {
    name,
    url: () => url,
    async start() {
      const first = run();
      if ((await first.up) === undefined) throw new StartFailure(name, (await first.ended) || 1);
      over = keep(first);
      url = await first.up;
    },
    async stop() {
      stopping.abort();
      if (current === undefined) return 0;
      const { child, ended } = current;
      child.kill('SIGTERM');
      const patience = new AbortController();
      const late = world.sleep(PATIENCE_MS, patience.signal).then(() => !patience.signal.aborted && child.kill('SIGKILL'));
      const code = await ended;
      patience.abort();
      await Promise.all([over, late]);
      return child.signalCode === null ? code : 1;
    },
  };
}
