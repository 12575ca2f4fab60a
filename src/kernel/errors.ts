/**
 * The catalogue of everything that can be said when something does not go as asked.
 *
 * A **refusal** is the business saying no: the request was understood, nothing was changed, and the answer names the field,
 * the rule and the remedy. A **fault** is something broken: a database that is away, a provider that does not answer, a bug.
 * Each code stands once, here, and once in docs/errors.md; a test compares the two. HTTP status codes are the edge's business.
 */

/** What sort of no (or of breakage) a code is. Doors map sorts, not codes, to their own signals. */
export type Sort =
  | 'invalid' // the request cannot be right, whatever the state
  | 'unprocessable' // the request is well formed and contradicts what is known
  | 'not_found'
  | 'conflict' // the state does not allow it now
  | 'too_large'
  | 'busy' // try again later, as it is
  | 'bug'; // ours

interface CatalogueEntry {
  readonly sort: Sort;
  /** May the same request succeed later, unchanged? Consumers retry what is retryable. */
  readonly retryable: boolean;
  /** What it means, one sentence. */
  readonly meaning: string;
  /** What to do next, one sentence. */
  readonly next: string;
}

const entry = (sort: Sort, retryable: boolean, meaning: string, next: string): CatalogueEntry => ({ sort, retryable, meaning, next });

// A table: one code a line.
// oxfmt-ignore
export const CATALOGUE = {
  // Requests
  invalid_request: entry('invalid', false, 'A field of the request breaks a rule.', 'Correct the fields named in `errors` and send it again.'),
  malformed_body: entry('invalid', false, 'The body is not valid JSON.', 'Send JSON with the content type application/json.'),
  malformed_request: entry('invalid', false, 'The request is not HTTP as it should be, or its head is too large.', 'Send at most 16 KiB of URL and headers, well formed.'),
  unsupported_media_type: entry('invalid', false, 'The body is of a type nobody reads here.', 'Send JSON with the content type application/json.'),
  method_not_allowed: entry('invalid', false, 'The path exists, this method of it does not.', 'Use one of the methods in the Allow header.'),
  foreign_host: entry('invalid', false, 'The request is addressed to another host, or comes from a page of another site.', 'Use http://127.0.0.1 or http://localhost with the port, without pages in between.'),
  route_not_found: entry('not_found', false, 'No route answers this method and path.', 'Look the path up at /docs.'),
  body_too_large: entry('too_large', false, 'The body is larger than the server accepts.', 'Send at most 1 MiB; split the request.'),
  invalid_cursor: entry('invalid', false, 'The cursor was not given out by this list.', 'Start again without a cursor, or use `next_cursor` unchanged.'),
  idempotency_key_reused: entry('unprocessable', false, 'The idempotency key was used before with another request.', 'Use a new key for a new request.'),
  idempotency_in_progress: entry('conflict', true, 'The first request with this idempotency key is still running.', 'Send the same request again in a second.'),
  version_mismatch: entry('conflict', false, 'The thing has changed since the version you expected.', 'Read it again and decide anew.'),
  // Catalogue and stock
  product_not_found: entry('not_found', false, 'There is no product with this id or sku.', 'Create it with POST /v1/products.'),
  product_exists: entry('conflict', false, 'There is already a product with this sku.', 'Change it with PUT /v1/products/{id}.'),
  product_archived: entry('unprocessable', false, 'The product is archived and can no longer be ordered or received.', 'Take another product, or restore it with PATCH /v1/products/{id}.'),
  unknown_sku: entry('unprocessable', false, 'A line names a sku that is not in the catalogue.', 'Create the product first, or correct the sku.'),
  catalogue_away: entry('busy', true, 'A line names a product that is not known here, and the service that keeps the products does not answer.', 'Send the same request again in a few seconds, with the same idempotency key. If it lasts, see that inventory and the broker run.'),
  no_price: entry('unprocessable', false, 'A line has no unit_price and the catalogue has none in the currency of the order.', 'Send unit_price, or give the product a price in that currency.'),
  warehouse_not_found: entry('not_found', false, 'There is no warehouse with this id.', 'Create it with POST /v1/warehouses.'),
  warehouse_archived: entry('unprocessable', false, 'The warehouse is archived and takes no more stock.', 'Take another warehouse, or restore it with PATCH /v1/warehouses/{id}.'),
  warehouse_in_use: entry('conflict', false, 'The warehouse still holds stock, or a transfer from or to it is not over.', 'Transfer or adjust the stock to zero, and end its transfers, first.'),
  stock_insufficient: entry('conflict', false, 'There is less available stock than the request takes.', 'Look at GET /v1/stock and ask for less.'),
  stock_changed: entry('conflict', false, 'The stock has changed since the count began.', 'Count again and send the new expected_on_hand.'),
  reservation_not_found: entry('not_found', false, 'Nothing was ever asked of stock for this order.', 'Look at the order; it may not have come to stock yet.'),
  transfer_not_found: entry('not_found', false, 'There is no transfer with this id.', 'Look for it with GET /v1/transfers.'),
  transfer_state: entry('conflict', false, 'The transfer is not in a state that allows this.', 'Read the transfer; its status and its lines say what is possible.'),
  // Orders
  order_not_found: entry('not_found', false, 'There is no order with this id.', 'Look for it with GET /v1/orders.'),
  unknown_policy: entry('unprocessable', false, 'There is no policy of this name.', 'Use one of the policies named in the answer.'),
  payment_token_required: entry('unprocessable', false, 'The policy takes a payment and the order has no payment token.', 'Send payment.token, or a policy without payment.'),
  amount_out_of_range: entry('unprocessable', false, 'The total of the order is negative or too large.', 'Correct prices, quantities and charges.'),
  order_not_cancellable: entry('conflict', false, 'The order can no longer be cancelled.', 'Ask for a return once the parcel has arrived.'),
  order_not_on_hold: entry('conflict', false, 'The order is not on hold: there is nothing to resume.', 'Read GET /v1/orders/{order_id}/explain; it says what the order waits for.'),
  order_state: entry('conflict', false, 'The order is not in a state that allows this.', 'Read GET /v1/orders/{order_id}/explain; it says what is possible now.'),
  order_busy: entry('conflict', true, 'The order is being changed, and a second change cannot be begun.', 'Send the same request again once the first change has been answered.'),
  line_not_found: entry('not_found', false, 'The order has no such line.', 'Read the order; its lines have their ids.'),
  line_shipped: entry('conflict', false, 'Pieces that have left, or are on the point of it, cannot be changed.', 'Change what has not left; ask for a return of the rest.'),
  hold_not_found: entry('not_found', false, 'The order has no such open hold.', 'Read GET /v1/orders/{order_id}; it lists its open holds.'),
  refund_too_large: entry('unprocessable', false, 'More is to be given back than was taken.', 'Ask for at most what the answer names.'),
  external_id_reused: entry('conflict', false, 'Another order of yours has this external_id.', 'Use one external_id per order.'),
  // Payments and shipments
  payment_not_found: entry('not_found', false, 'There is no payment with this id.', 'Look for it with GET /v1/payments.'),
  payment_state: entry('conflict', false, 'The payment is not in a state that allows this.', 'Read the payment; its status says what is possible.'),
  webhooks_not_taken: entry('not_found', false, 'No webhooks of this payment provider are taken here.', 'Set STRIPE_WEBHOOK_SECRET, or SIMULATED_WEBHOOK_SECRET for the simulated provider, and name the provider in the path.'),
  webhook_signature: entry('invalid', false, 'The webhook is not signed as it must be, or was signed too long ago.', 'Compare the secret set here with that of the endpoint at the provider, and the clocks; nothing was changed.'),
  shipment_not_found: entry('not_found', false, 'There is no shipment with this id or tracking number.', 'Look for it with GET /v1/shipments.'),
  shipment_on_hold: entry('conflict', false, 'A hold lies on the shipment.', 'Release the hold of its order, or wait until it expires.'),
  parcel_not_found: entry('not_found', false, 'The shipment has no such parcel, or none that this can be done with.', 'Read the shipment; it lists its parcels.'),
  label_not_found: entry('not_found', false, 'The parcel has no label.', 'Ask for one with POST /v1/shipments/{shipment_id}/labels.'),
  label_state: entry('conflict', false, 'The label of the parcel is not in a state that allows this.', 'Look at GET /v1/shipments/{shipment_id}/labels.'),
  lines_do_not_match: entry('unprocessable', false, 'The lines named are not those of the shipment.', 'Read the shipment and correct the lines named in `errors`.'),
  shipment_state: entry('conflict', false, 'The shipment is not in a state that allows this.', 'Read the shipment; its status says what is possible.'),
  return_not_found: entry('not_found', false, 'There is no return with this id.', 'Look for it with GET /v1/returns.'),
  return_state: entry('conflict', false, 'The return is not in a state that allows this.', 'Read the return; its status says what is possible.'),
  not_returnable: entry('unprocessable', false, 'More is to be returned than was delivered and is in no other return.', 'Ask GET /v1/returns/returnable/{order_id} what may be returned.'),
  notification_state: entry('conflict', false, 'The notification cannot be sent once more now.', 'Read the notification; while it is pending it is tried again by itself.'),
  notification_opted_out: entry('conflict', false, 'The customer wants to hear nothing of this topic.', 'Send even_if_opted_out: true if the customer asked for it.'),
  template_not_found: entry('not_found', false, 'There is no text of this topic in this language.', 'Look for it with GET /v1/notification-templates.'),
  notification_not_found: entry('not_found', false, 'There is no notification with this id.', 'Look for it with GET /v1/notifications.'),
  // Operating
  dead_letter_not_found: entry('not_found', false, 'There is no dead letter with this id.', 'Look for it with GET /v1/dead-letters.'),
  dead_letter_state: entry('conflict', false, 'The dead letter is not open.', 'Read it; only open ones can be sent again or discarded.'),
  nothing_selected: entry('unprocessable', false, 'No open dead letter fits what was asked for.', 'Look with GET /v1/dead-letters/groups at what there is.'),
  several_services: entry('unprocessable', false, 'The selection holds dead letters of several services, and each job is of one.', 'Send `service` as well, once for each service named in the answer.'),
  dead_letter_job_not_found: entry('not_found', false, 'There is no such job with this id.', 'Look for it with GET /v1/dead-letters/redrives or GET /v1/dead-letters/discards.'),
  dead_letter_job_state: entry('conflict', false, 'The job is not in a state that allows this.', 'Read it; running ones can be paused, paused and stopped ones resumed, and what is not over can be cancelled.'),
  gap_not_found: entry('not_found', false, 'There is no such gap; it may have closed.', 'Look at GET /v1/gaps.'),
  gap_is_young: entry('conflict', false, 'What is missing may still come.', 'Wait until the time named in the answer.'),
  gap_has_dead_letter: entry('conflict', false, 'What is missing is a dead letter, and not lost.', 'Redrive the dead letter named in the answer, or discard it first.'),
  consumer_not_found: entry('not_found', false, 'No consumer of this name runs here.', 'Look at GET /v1/consumers.'),
  unavailable: entry('busy', true, 'A part this request needs is not available now.', 'Send the same request again in a few seconds, with the same idempotency key.'),
  overloaded: entry('busy', true, 'More is being asked than can be done in time.', 'Send the same request again after the seconds in Retry-After.'),
  storage_full: entry('busy', true, 'The disk of the server is full: nothing can be written, reading goes on.', 'Make room on the disk; writing resumes by itself.'),
  database_from_future: entry('bug', false, 'The database was changed by a newer version of this program.', 'Start that version, or restore the backup made before the upgrade.'),
  migration_changed: entry('bug', false, 'A migration that was applied here reads differently now.', 'Put the old text of the file back and write the change as a new migration.'),
  not_here: entry('busy', false, 'This process does not run the part that answers this.', 'Ask the process that runs it.'),
  internal: entry('bug', false, 'Something broke that should not.', 'Report it with the request id; nothing was changed.'),
  // Faults inside messaging and providers
  conflict: entry('busy', true, 'Two transactions met on the same rows.', 'Nothing: it is retried.'),
  provider_unavailable: entry('busy', true, 'An outside provider did not answer.', 'Nothing: it is retried with the same key.'),
  reservation_state: entry('bug', false, 'Goods of an order are said to have left, and none are held for it.', 'Find out what was sent, correct the stock by hand, then discard the dead letter.'),
  contract_violation: entry('bug', false, 'A message does not fit its contract.', 'Correct the sender, then redrive or discard the dead letter.'),
  unroutable: entry('bug', false, 'No queue takes this command.', 'Start the service it is for, then redrive the dead letter.'),
  delivery_limit: entry('bug', false, 'The broker handed this message out twenty times, and nobody settled it.', 'Find out why its consumer died or lost its connection each time, then redrive the dead letter.'),
  outside_dedupe_window: entry('bug', false, 'A message is older than it is remembered here which messages were handled, so it may have had its effect already.', 'Find out whether it had; if not, redrive the dead letter, else discard it.'),
  crash_suspect: entry('bug', false, 'The process died each time it handled this message.', 'Read the message and the log, mend the cause, then redrive the dead letter.'),
  sequence_skipped: entry('bug', false, 'A message came after a person had given up waiting for it, and those behind it have been handled.', 'Do by hand what it should have done, if that is still right, then discard the dead letter.'),
  too_many_hops: entry('bug', false, 'A message caused itself again and again.', 'Mend the loop between the handlers, then discard the dead letter.'),
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof CATALOGUE;

/** One broken rule, at one field; `field` is a path such as `lines.0.quantity`, empty for the whole request. */
export interface FieldError {
  readonly field: string;
  readonly rule: string;
  readonly remedy?: string;
}

/** The business says no. Nothing was changed. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: ErrorCode;
  readonly errors: readonly FieldError[];

  /** `message` is one sentence for a person that names the thing, e.g. `product "A-1" is archived`. */
  constructor(code: ErrorCode, message: string, errors: readonly FieldError[] = []) {
    super(message);
    this.code = code;
    this.errors = errors;
  }
}

/** Something is broken, here or elsewhere. `CATALOGUE[code].retryable` says whether the same may succeed later. */
export class Fault extends Error {
  override readonly name = 'Fault';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The code of whatever was thrown; an unknown thing is `internal`. */
export const codeOf = (thrown: unknown): ErrorCode => (thrown instanceof Refusal || thrown instanceof Fault ? thrown.code : 'internal');

/** May the same work succeed later, unchanged? */
export const isRetryable = (thrown: unknown): boolean => CATALOGUE[codeOf(thrown)].retryable;
