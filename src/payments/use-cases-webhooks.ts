/**
 * A webhook: read, held against what is known, kept, and what is open asked about now.
 *
 *   signed? ──no──> refused, nothing changes
 *      │ yes
 *      └─ whose? (the metadata, else the provider is asked, before the transaction) ─> kept once ─> what is unknown becomes due
 */
import { Refusal } from '../kernel/errors.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import type { Mailbox, Unit } from '../messaging/mailbox.ts';
import type { RequestContext } from '../messaging/service.ts';
import { type Contradiction, type Notice, type Verdict, contradictionOf } from './domain-webhook.ts';
import { paymentIdOf } from './domain-payment.ts';
import { type WebhookRow, askAboutNow, keepWebhook, readKnownOperations } from './store-webhooks.ts';
import type { WebhookReader } from './webhooks.ts';

export interface WebhooksContext {
  readonly mailbox: Mailbox;
  readonly telemetry: Telemetry;
  /** By the name of the provider. */
  readonly webhooks?: Readonly<Record<string, WebhookReader>> | undefined;
}
export type Received = Pick<WebhookRow, 'id' | 'verdict' | 'deliveries'>;

interface Judged extends Pick<WebhookRow, 'payment_id' | 'order_id' | 'verdict' | 'reason' | 'amount_said' | 'amount_known' | 'currency'> {}

/** Takes in a webhook as it came. Throws the Refusals `webhooks_not_taken`, `webhook_signature` and `invalid_request`. */
export function webhookUseCase({ mailbox, telemetry, webhooks = {} }: WebhooksContext) {
  const { world } = mailbox;
  const log = telemetry.log.child({ service: mailbox.service, part: 'webhooks' });

  return async (provider: string, raw: RequestContext['raw']): Promise<Received> => {
    if (!Object.hasOwn(webhooks, provider)) throw new Refusal('webhooks_not_taken', `no webhooks of ${provider} are taken here`);
    const reader = webhooks[provider]!;
    const signature = raw?.header(reader.header);
    if (raw === undefined || signature === undefined) throw new Refusal('webhook_signature', `the request has no ${reader.header}, or no body`);
    const notice = await reader.read(raw.body, signature, world.now());
    const orderId = notice.order_id ?? (notice.provider_ref === null ? undefined : await reader.orderOf?.(notice.provider_ref));
    const received = await mailbox.write(async (unit) => {
      const judged = await judge(unit, notice, orderId);
      const { event_id, type, provider_ref, occurred_at } = notice;
      const row = { id: world.id('whk'), provider, event_id, type, provider_ref, occurred_at, created_at: unit.now, ...judged };
      return { ...(await keepWebhook(unit.tx, row)), judged };
    });
    const { judged, ...answer } = received;
    if (answer.verdict === 'contradicts' && answer.deliveries === 1)
      log.warn({ ...judged, id: answer.id, type: notice.type }, 'a provider says something else of a payment than is known; a person must look');
    return answer;
  };
}

async function judge({ tx, now }: Unit, notice: Notice, orderId: string | undefined): Promise<Judged> {
  const known = orderId === undefined ? [] : await readKnownOperations(tx, orderId);
  if (orderId === undefined || known.length === 0) return { ...judgement('unrelated'), order_id: orderId ?? null, payment_id: null, currency: null };
  const { currency } = known[0]!;
  const ours = { order_id: orderId, payment_id: paymentIdOf(orderId), currency };
  const open = (await askAboutNow(tx, orderId, now)) > 0;
  const contradiction = contradictionOf(notice, currency, known);
  if (contradiction !== undefined) return { ...judgement('contradicts', contradiction), ...ours };
  return { ...judgement(open ? 'asked' : notice.claims.length > 0 ? 'agrees' : 'says_nothing'), ...ours };
}

const judgement = (verdict: Verdict, { reason, amount_said, amount_known }: Partial<Contradiction> = {}) => ({
  verdict,
  reason: reason ?? null,
  amount_said: amount_said ?? null,
  amount_known: amount_known ?? null,
});
