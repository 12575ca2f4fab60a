/**
 * Two threads of the program that ask each other things.
 *
 *   here: peer.ask('depths') ──> there: peer.answer('depths', () => …)      one answer each, or what was thrown
 *   here: peer.tell('ack', 7) ─> there: peer.hear('ack', (n) => …)          no answer; in the order told
 *
 * What crosses is copied (the structured clone algorithm): plain data only. Refusals and Faults arrive as what they are.
 */
import { type ErrorCode, Fault, type FieldError, Refusal } from './errors.ts';

export interface Peer {
  /** Asks the other side. Rejects with what it threw, and with a Fault once the other side is gone. */
  ask<Answer>(name: string, data?: unknown): Promise<Answer>;
  tell(name: string, data?: unknown): void;
  answer<Data>(name: string, how: (data: Data) => Promise<unknown>): void;
  hear<Data>(name: string, how: (data: Data) => void): void;
  /** Nothing comes or goes any more; what is asked is refused. */
  close(): void;
}

type Thrown =
  | { readonly sort: 'refusal'; readonly code: ErrorCode; readonly message: string; readonly errors: readonly FieldError[] }
  | { readonly sort: 'fault'; readonly code: ErrorCode; readonly message: string }
  | { readonly sort: 'error'; readonly error: unknown };

/** What crosses. */
export type Line =
  | { readonly name: string; readonly data: unknown; readonly id?: number }
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly thrown: Thrown };

interface Question {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** One end of a line between threads: a MessagePort, or a Worker. */
export interface Port {
  postMessage(line: unknown): void;
  on(event: 'message', come: (line: Line) => void): unknown;
}

export function openPeer(port: Port): Peer {
  const questions = new Map<number, Question>();
  const answering = new Map<string, (data: never) => Promise<unknown>>();
  const hearing = new Map<string, (data: never) => void>();
  let lastId = 0;
  let closed = false;

  async function answer(id: number, how: (data: never) => Promise<unknown>, data: unknown): Promise<void> {
    const line: Line = await how(data as never).then(
      (value) => ({ id, value }),
      (error: unknown) => ({ id, thrown: thrownOf(error) }),
    );
    if (!closed) port.postMessage(line);
  }

  function come(line: Line): void {
    if (closed) return;
    if ('name' in line) {
      if (line.id === undefined) hearing.get(line.name)?.(line.data as never);
      else void answer(line.id, answering.get(line.name) ?? nobody, line.data);
      return;
    }
    const question = questions.get(line.id);
    questions.delete(line.id);
    if ('thrown' in line) question?.reject(errorOf(line.thrown));
    else question?.resolve(line.value);
  }

  const gone = (): Fault => new Fault('unavailable', 'the other thread is gone');
  port.on('message', come);
  return {
    ask: (name, data) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(gone());
        lastId += 1;
        questions.set(lastId, { resolve: resolve as (value: unknown) => void, reject });
        port.postMessage({ name, data, id: lastId });
      }),
    tell(name, data) {
      if (!closed) port.postMessage({ name, data });
    },
    answer: (name, how) => void answering.set(name, how),
    hear: (name, how) => void hearing.set(name, how),
    close() {
      closed = true;
      for (const { reject } of questions.values()) reject(gone());
      questions.clear();
    },
  };
}

const nobody = (): Promise<never> => Promise.reject(new Fault('internal', 'nobody answers this'));

function thrownOf(error: unknown): Thrown {
  if (error instanceof Refusal) return { sort: 'refusal', code: error.code, message: error.message, errors: error.errors };
  if (error instanceof Fault) return { sort: 'fault', code: error.code, message: error.message };
  return { sort: 'error', error };
}

function errorOf(thrown: Thrown): unknown {
  switch (thrown.sort) {
    case 'refusal':
      return new Refusal(thrown.code, thrown.message, thrown.errors);
    case 'fault':
      return new Fault(thrown.code, thrown.message);
    case 'error':
      return thrown.error;
  }
}
