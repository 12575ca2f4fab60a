#!/usr/bin/env node
/**
 * The `waybill` command: finds a Node that can run it, then hands over to the CLI.
 *
 * In the repository the CLI is src/cli.ts, run as it is; in the published package it is dist/cli.js, because Node strips no types
 * inside node_modules. Written so that any Node since 14.14 can read it. Signals reach the program, its exit code comes back.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundledNode, isNewEnough, noNode } from './bundled-node.mjs';

if (isNewEnough()) {
  const source = new URL('../src/cli.ts', import.meta.url);
  await import(existsSync(source) ? source.href : new URL('../dist/cli.js', import.meta.url).href);
} else {
  runUnder(bundledNode());
}

/** Runs this same file under another Node. */
function runUnder(node) {
  if (node === undefined) {
    console.error(noNode);
    process.exit(1);
  }
  const child = spawn(node, [...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT']) {
    process.on(signal, () => {
      // Ctrl-C at a terminal reaches the child by itself; a second SIGINT would read as impatience.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
