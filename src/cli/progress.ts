/**
 * How far a long command is: a bar that is redrawn on a terminal, a line every few seconds elsewhere (a log file is not a screen).
 */
import type { World } from '../kernel/world.ts';
import { count } from './print.ts';

export interface Progress {
  /** Begins a step of `total` parts; ends the one before. */
  step(name: string, total: number): void;
  /** Another part is done. */
  advance(): void;
  /** So many are done, of so many: for who follows what somebody else does. */
  reach(done: number, total: number, note?: string): void;
  /** Says why nothing moves, until something does. */
  waiting(why: string): void;
  /** Clears the bar. */
  end(): void;
}

const REDRAW_MS = 100;
const LINE_MS = 5_000;
const WIDTH = 30;

/** A step as one line of text. Pure. */
export function drawn(name: string, done: number, total: number, note = ''): string {
  const share = total === 0 ? 1 : done / total;
  const filled = Math.round(share * WIDTH);
  const bar = `${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)}`;
  return `${name.padEnd(12)} ${bar} ${count(done)} of ${count(total)}${note === '' ? '' : ` (${note})`}`;
}

export function openProgress(world: World, stream: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number }): Progress {
  const terminal = stream.isTTY === true;
  let name = '';
  let done = 0;
  let total = 0;
  let note = '';
  let shownAt = 0;

  function show(force: boolean): void {
    if (name === '' || (!force && world.now() - shownAt < (terminal ? REDRAW_MS : LINE_MS))) return;
    shownAt = world.now();
    const line = drawn(name, done, total, note);
    stream.write(terminal ? `\r\u001b[2K${line.slice(0, (stream.columns ?? 120) - 1)}` : `${line}\n`);
  }

  return {
    step(next, parts) {
      if (terminal && name !== '') stream.write('\n');
      [name, done, total, note] = [next, 0, parts, ''];
      show(true);
    },
    advance() {
      done += 1;
      note = '';
      show(done === total);
    },
    reach(parts, of, why = '') {
      const moved = parts !== done || of !== total;
      [done, total, note] = [parts, of, why];
      show(moved && done === total);
    },
    waiting(why) {
      note = why;
      show(false);
    },
    end() {
      if (terminal && name !== '') stream.write('\n');
      name = '';
    },
  };
}
