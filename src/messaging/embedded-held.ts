/**
 * Packs the embedded transport has handed out straight from their sender's commit, and not written: the sender's outbox still has them.
 *
 *   held ──every queue's consumer acked──> confirmed; nothing was ever written
 *    └──WRITE_AFTER_MS without an ack, or nobody takes the queue any more──> written to bus.db ──> confirmed
 *
 * A confirm lets the sender delete its row, so it is given only for what is handled or in bus.db. Under load nearly everything is handled
 * first, and the bus writes nothing: that was 7 of 16 commits of a journey.
 */
import type { World } from '../kernel/world.ts';

/** A pack in one queue. */
export interface Held {
  readonly seq: number;
  readonly queue: string;
  readonly messages: number;
  readonly body: string;
  confirm(): void;
}

export interface HeldPacks {
  hold(pack: Held): void;
  /** It was acked. Answers whether it was held, so that no row has to be deleted. */
  settle(seq: number): boolean;
  /** Nobody takes the queue any more: what is held of it is to be written now. */
  orphan(queue: string): void;
  /** Writes what has been held for too long; everything when `all`. */
  writeDue(all?: boolean): Promise<void>;
}

export interface HeldOptions {
  readonly world: World;
  /** How long an ack is waited for. */
  readonly afterMs: number;
  /** Writes packs to bus.db, in one transaction. */
  write(packs: readonly Held[]): Promise<void>;
  /** Deletes the row of a pack that was acked while it was written. */
  remove(seq: number): void;
}

export function openHeld({ world, afterMs, write, remove }: HeldOptions): HeldPacks {
  const held = new Map<number, { readonly pack: Held; dueAt: number }>();
  const acked = new Set<number>();
  let writing: ReadonlyMap<number, Held> = new Map();

  async function writeDue(all = false): Promise<void> {
    const now = world.now();
    const due = [...held.values()].filter(({ dueAt }) => all || dueAt <= now);
    if (due.length === 0) return;
    writing = new Map(due.map(({ pack }) => [pack.seq, pack]));
    for (const seq of writing.keys()) held.delete(seq);
    try {
      await write([...writing.values()]);
    } catch (error) {
      for (const one of due) if (!acked.delete(one.pack.seq)) held.set(one.pack.seq, one);
      writing = new Map();
      throw error;
    }
    const written = writing;
    writing = new Map();
    for (const { seq, confirm } of written.values()) {
      if (acked.delete(seq)) remove(seq);
      confirm();
    }
  }

  return {
    hold: (pack) => void held.set(pack.seq, { pack, dueAt: world.now() + afterMs }),
    settle(seq) {
      const being = writing.get(seq);
      if (being !== undefined) {
        acked.add(seq);
        being.confirm(); // handled, whatever becomes of the write
        return true;
      }
      const one = held.get(seq);
      if (one === undefined) return false;
      held.delete(seq);
      one.pack.confirm();
      return true;
    },
    orphan(queue) {
      for (const one of held.values()) if (one.pack.queue === queue) one.dueAt = 0;
    },
    writeDue,
  };
}
