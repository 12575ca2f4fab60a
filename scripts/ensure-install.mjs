/**
 * Runs before `npm start`, `npm test` and `npm run check`, under whatever Node there is: installs the dependencies when they are
 * missing or are not those of package-lock.json, and says so. When all is in place it reads two files and needs no network.
 * With `--without-dev` it is content without the dependencies that only development needs.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = process.cwd();
const withoutDev = process.argv.includes('--without-dev');

const reason = whyInstall();
if (reason !== undefined) install(reason);
await import('./prepare.mjs'); // an installation with --ignore-scripts leaves it out

/** Why an installation is needed, or undefined. Compares contents, not times: a checkout gives every file the time it was made. */
function whyInstall() {
  const wanted = packagesOf(join(root, 'package-lock.json')) || {};
  const installed = packagesOf(join(root, 'node_modules', '.package-lock.json'));
  if (installed === undefined) return 'the dependencies are not installed yet';
  for (const [path, { version, dev, optional }] of Object.entries(wanted)) {
    if (path === '' || (dev && withoutDev)) continue;
    const found = installed[path];
    if (found === undefined && optional) continue; // made for another platform
    if (found === undefined) return `${path} is not installed`;
    if (found.version !== version) return `${path} is ${found.version}, and package-lock.json says ${version}`;
  }
  return undefined;
}

function packagesOf(lock) {
  try {
    return JSON.parse(readFileSync(lock, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

function install(why) {
  console.error(`waybill: ${why}. Running npm ci: it needs the network and takes about a minute.`);
  // The npm that runs this script, under the Node that runs that npm: neither is among the files about to be replaced.
  const npm = process.env.npm_execpath;
  const [command, ...first] = npm ? [process.env.npm_node_execpath || process.execPath, npm] : ['npm'];
  const shell = !npm && process.platform === 'win32';
  const { status } = spawnSync(command, [...first, 'ci', '--include=dev', '--include=optional'], { stdio: ['ignore', 2, 2], shell });
  if (status === 0) return;
  console.error('waybill: npm ci failed, for the reason above. Once it has succeeded, no network is needed any more.');
  process.exit(status || 1);
}
