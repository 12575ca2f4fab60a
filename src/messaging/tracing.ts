/**
 * The spans of a message: said, sent, handled; and of the calls to the outside that follow from it.
 *
 *   create <type>    from being said to the commit; its context is the traceparent of the envelope, never rewritten on the way
 *     ├─ send <type>      from being published to the confirm
 *     └─ process <type>   the transaction that handled it
 *          ├─ create …        what was said because of it
 *          └─ call <kind>     one call to a provider, and what was said when it had answered
 *
 * Only of messages whose trace is sampled. What is published or handled together has one span more, which links to all of them; a batch
 * that is to be halved because one of its messages failed has only that one, with the error, because the messages are not done with.
 */
import type { Message } from '../contracts/envelope.ts';
import { ATTRIBUTE, type Span, type SpanAttributes, type Tracer, isSampled } from '../kernel/tracing.ts';
import type { Transport } from './transport.ts';

const SYSTEM = 'waybill';
/** Links of one span, at most; OpenTelemetry keeps no more. */
const LINKS_MAX = 128;
/** Conversations whose trace is remembered, at most: about 3 MB. */
const CONVERSATIONS_MAX = 10_000;

const attributesOf = (operation: string, { id, type, correlationid, subject, attempt, redrive }: Message): SpanAttributes => ({
  [ATTRIBUTE.system]: SYSTEM,
  [ATTRIBUTE.operation]: operation,
  [ATTRIBUTE.operationType]: operation,
  [ATTRIBUTE.destination]: type,
  [ATTRIBUTE.messageId]: id,
  [ATTRIBUTE.conversation]: correlationid,
  [ATTRIBUTE.subject]: subject,
  [ATTRIBUTE.attempt]: attempt,
  [ATTRIBUTE.redrive]: redrive,
});

/** A message as it is to be sent: when its trace is sampled, with a context of its own, whose span joins `spans` until the commit. */
export function created(tracer: Tracer, message: Message, spans: Span[]): Message {
  if (!isSampled(message.traceparent)) return message;
  const attributes = attributesOf('create', message);
  const span = tracer.start(`create ${message.type}`, { kind: 'producer', parent: message.traceparent, attributes });
  spans.push(span);
  return { ...message, traceparent: span.traceparent };
}

/** Messages under way together: a span for each one that is sampled, and one for all of them when there are several. */
interface Together {
  readonly batch: Span | undefined;
  readonly spans: ReadonlyMap<Message, Span>;
}

function begin(
  tracer: Tracer,
  { operation, kind, service }: { operation: string; kind: 'client' | 'consumer'; service: string },
  messages: readonly Message[],
): Together | undefined {
  const sampled = messages.filter(({ traceparent }) => isSampled(traceparent));
  if (sampled.length === 0) return undefined;
  const batch =
    messages.length === 1
      ? undefined
      : tracer.start(`${operation} ${service}`, {
          kind,
          links: sampled.slice(0, LINKS_MAX).map(({ traceparent }) => traceparent!),
          attributes: {
            [ATTRIBUTE.system]: SYSTEM,
            [ATTRIBUTE.operation]: operation,
            [ATTRIBUTE.operationType]: operation,
            [ATTRIBUTE.destination]: service,
            [ATTRIBUTE.batchCount]: messages.length,
          },
        });
  const links = batch === undefined ? [] : [batch.traceparent];
  const spanOf = (message: Message): Span =>
    tracer.start(`${operation} ${message.type}`, { kind, parent: message.traceparent, links, attributes: attributesOf(operation, message) });
  return { batch, spans: new Map(sampled.map((message) => [message, spanOf(message)])) };
}

function end({ batch, spans }: Together, error?: unknown): void {
  if (error === undefined || batch === undefined) for (const span of spans.values()) span.end(error);
  batch?.end(error);
}

/** A transport whose publishing is seen. Without a tracer, the transport itself. */
export function tracedTransport(transport: Transport, traces: Traces | undefined, service: string): Transport {
  if (traces === undefined) return transport;
  return {
    ...transport,
    async publish(packs) {
      const messages = packs.flatMap((pack) => pack.messages);
      const together = begin(traces.tracer, { operation: 'send', kind: 'client', service }, messages);
      try {
        const outcomes = await transport.publish(packs);
        if (together !== undefined) end(together);
        return outcomes;
      } catch (error) {
        if (together !== undefined) end(together, error);
        throw error;
      }
    },
  };
}

export interface Processing {
  /** What to hand to the handlers: what they say because of a message is part of its span here. */
  readonly messages: readonly Message[];
  end(error?: unknown): void;
}

/** Begins the spans of messages that are handled in one transaction; undefined when there is nothing to be seen. */
export function processing(traces: Traces | undefined, service: string, messages: readonly Message[]): Processing | undefined {
  const together = traces && begin(traces.tracer, { operation: 'process', kind: 'consumer', service }, messages);
  if (together === undefined) return undefined;
  const { spans } = together;
  for (const [{ correlationid }, { traceparent }] of spans) traces!.conversations.note(correlationid, traceparent);
  return {
    messages: messages.map((message) => {
      const span = spans.get(message);
      return span === undefined ? message : { ...message, traceparent: span.traceparent };
    }),
    end: (error) => end(together, error),
  };
}

/** The latest span of each conversation, as far as this process has seen it. */
export interface Conversations {
  of(correlationid: string | null | undefined): string | undefined;
  note(correlationid: string, traceparent: string): void;
}

/**
 * Tasks and timers follow from a message too, but their rows do not keep its trace: it would be a column more on the way of every order for
 * the few that are traced. So it is remembered here. After a restart, or in another process, they are part of no trace.
 */
export function openConversations(): Conversations {
  const latest = new Map<string, string>();
  return {
    of: (correlationid) => latest.get(correlationid ?? ''),
    note(correlationid, traceparent) {
      latest.delete(correlationid);
      latest.set(correlationid, traceparent);
      if (latest.size > CONVERSATIONS_MAX) latest.delete(latest.keys().next().value!);
    },
  };
}

/** What tracing a service takes; absent when there are no traces. */
export interface Traces {
  readonly tracer: Tracer;
  readonly conversations: Conversations;
}

const unseen = (): void => undefined;

/** Begins the span of a call to the outside; answers how to end it, with the outcome. */
export function calling(traces: Traces | undefined, kind: string, { id, order_id }: TracedTask): (outcome: unknown) => void {
  const parent = traces?.conversations.of(order_id);
  if (traces === undefined || !isSampled(parent)) return unseen;
  const span = traces.tracer.start(`call ${kind}`, {
    kind: 'client',
    parent,
    attributes: { [ATTRIBUTE.task]: id, [ATTRIBUTE.conversation]: order_id! },
  });
  return (outcome) => {
    const result = typeof outcome === 'object' && outcome !== null && 'result' in outcome ? outcome.result : undefined;
    if (typeof result === 'string') span.set({ [ATTRIBUTE.outcome]: result });
    span.end();
  };
}

/** What is known of any task. */
export interface TracedTask {
  readonly id: string;
  /** The conversation it belongs to. */
  readonly order_id?: string | null;
}
