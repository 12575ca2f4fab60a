/**
 * A load generator for one POST, as a process of its own: as many requests as its connections carry, or `rate` a second.
 *
 *   node bench/load.ts '{"url": "http://…", "body": {…}, "seconds": 10, "connections": 256, "rate": 1000}'      prints a LoadResult
 *
 * With a rate each request is due at its time whatever becomes of the others, and its latency counts from then, not from when a connection
 * was free for it: otherwise a server that stands still would hide how many wait (coordinated omission).
 *
 * Why not a library: autocannon took 110 µs of CPU a request on the two cores it shared with the server, a quarter of them, and with a rate
 * it sends in bursts, so that the median at half load was 22 ms instead of 3. This takes 30 µs, for it knows one request and reads of an
 * answer its status and its length.
 */
import { type Socket, connect } from 'node:net';
import type { LoadResult } from './support.ts';

export interface Job {
  readonly url: string;
  readonly body: unknown;
  readonly seconds: number;
  readonly connections: number;
  /** Requests a second; as many as possible when absent. */
  readonly rate?: number | undefined;
}

const END_OF_HEAD = '\r\n\r\n';
const LENGTH = 'content-length: ';

/** One connection: a request under way, or none. */
interface Line {
  /** `dueAt` is what its latency counts from. */
  send(dueAt: number): void;
  end(): void;
}

const job = JSON.parse(process.argv[2]!) as Job;
const { hostname, port, pathname, host } = new URL(job.url);
const text = JSON.stringify(job.body);
const head = [`POST ${pathname} HTTP/1.1`, `host: ${host}`, 'content-type: application/json', `content-length: ${Buffer.byteLength(text)}`];
const REQUEST = Buffer.from(`${head.join('\r\n')}${END_OF_HEAD}${text}`);

const latencies: number[] = [];
let accepted = 0;
let refused = 0;
let errors = 0;

function openLine(answered: (line: Line) => void): Line {
  const socket: Socket = connect({ host: hostname, port: Number(port), noDelay: true });
  let dueAt = 0;
  let answer = '';
  /** Bytes of the whole answer, once its head is there. */
  let whole = Number.POSITIVE_INFINITY;

  const line: Line = {
    send(at) {
      dueAt = at;
      socket.write(REQUEST);
    },
    end: () => socket.end(),
  };
  socket.on('error', () => (errors += 1));
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    answer += chunk;
    if (whole === Number.POSITIVE_INFINITY) {
      const headEnd = answer.indexOf(END_OF_HEAD);
      if (headEnd === -1) return;
      const length = answer.toLowerCase().indexOf(LENGTH);
      whole = headEnd + END_OF_HEAD.length + Number.parseInt(answer.slice(length + LENGTH.length), 10);
    }
    if (answer.length < whole) return;
    if (answer.startsWith('20', 'HTTP/1.1 '.length)) accepted += 1;
    else refused += 1;
    latencies.push(performance.now() - dueAt);
    answer = '';
    whole = Number.POSITIVE_INFINITY;
    answered(line);
  });
  return line;
}

/** Each connection asks again as soon as it is answered. */
function asMuchAsPossible(endAt: number): void {
  const lines = Array.from({ length: job.connections }, () =>
    openLine((line) => {
      const now = performance.now();
      if (now < endAt) line.send(now);
      else line.end();
    }),
  );
  for (const line of lines) line.send(performance.now());
}

/** Requests come when they are due; those no connection is free for wait for one, and the wait counts. */
function atRate(rate: number, startAt: number, endAt: number): void {
  const late: number[] = [];
  const free = Array.from({ length: job.connections }, () =>
    openLine((line) => {
      const dueAt = late.shift();
      if (dueAt !== undefined) line.send(dueAt);
      else if (performance.now() < endAt) free.push(line);
      else line.end();
    }),
  );
  let sent = 0;
  const tick = (): void => {
    const now = performance.now();
    for (const due = ((now - startAt) / 1_000) * rate; sent < due && now < endAt; sent += 1) {
      const dueAt = startAt + (sent / rate) * 1_000;
      const line = free.pop();
      if (line === undefined) late.push(dueAt);
      else line.send(dueAt);
    }
    if (now < endAt) setTimeout(tick, 1);
    else for (const line of free) line.end();
  };
  tick();
}

const startAt = performance.now();
if (job.rate === undefined) asMuchAsPossible(startAt + job.seconds * 1_000);
else atRate(job.rate, startAt, startAt + job.seconds * 1_000);

process.on('exit', () => {
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => Math.round(10 * (latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))] ?? 0)) / 10;
  const { user, system } = process.cpuUsage();
  const result: LoadResult = {
    accepted,
    refused,
    errors,
    seconds: (performance.now() - startAt) / 1_000,
    latency: { p50: at(0.5), p99: at(0.99), p99_9: at(0.999), max: at(1) },
    cpuMicros: Math.round((user + system) / Math.max(1, latencies.length)),
  };
  console.log(JSON.stringify(result));
});
