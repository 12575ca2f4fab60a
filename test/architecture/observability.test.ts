/** deploy/observability: what it holds can be read, and asks for metrics there are. Each check is shown something bad. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { type MetricDefinition, metricDefinitions } from '../../src/kernel/telemetry.ts';
import {
  type AlertFile,
  type CollectorConfig,
  type GrafanaDashboard,
  type Panel,
  checkAlerts,
  checkCloudWatch,
  checkCollector,
  checkDashboard,
  checkQuery,
} from './observability.ts';
import { ROOT } from './source.ts';

const FOLDER = 'deploy/observability/';
const RUNBOOK = 'docs/operating/observability.md';
const read = (path: string): string => readFileSync(ROOT + path, 'utf8');
const yaml = <T>(file: string): T => parseYaml(read(FOLDER + file)) as T;

interface Prometheus {
  readonly rule_files: string[];
  readonly scrape_configs: { readonly job_name: string; readonly static_configs: { readonly targets: string[] }[] }[];
}

const metrics = metricDefinitions();
const dashboard = JSON.parse(read(`${FOLDER}grafana-dashboard.json`)) as GrafanaDashboard;
const alerts = yaml<AlertFile>('alerts.yaml');
const collector = yaml<CollectorConfig>('collector.yaml');
const headings = [...read(RUNBOOK).matchAll(/^### (Waybill\w+)$/gm)].map(([, heading]) => heading!);

describe('a query', () => {
  const known: MetricDefinition[] = [
    { name: 'waybill_a_total', type: 'counter', help: '', labels: ['service'] },
    { name: 'waybill_b_seconds', type: 'histogram', help: '', labels: ['route'] },
  ];
  it.each([
    'sum by (service) (rate(waybill_a_total{job=~"$job"}[$__rate_interval]))',
    'histogram_quantile(0.9, sum by (le, route) (rate(waybill_b_seconds_bucket[5m]))) > 1 and up == 1',
    'waybill_b_seconds_sum / waybill_b_seconds_count',
  ])('%s is right', (query) => expect(checkQuery(query, known)).toEqual([]));

  it.each([
    ['sum(waybill_gone)', 'asks for waybill_gone, which nobody tells of'],
    ['waybill_b_seconds', 'asks for waybill_b_seconds, which nobody tells of'],
    ['waybill_a_total_count', 'asks for waybill_a_total_count, which nobody tells of'],
    ['waybill_a_total{queue="x"}', 'asks for the label queue, which waybill_a_total has not'],
    ['sum by (le) (waybill_b_seconds_count)', 'asks for the label le, which waybill_b_seconds has not'],
    ['sum(rate(waybill_a_total[5m])', 'cannot be read at 29: sum(rate(waybill_a_total[5m])'],
    ['1 + 1', 'asks for no metric: 1 + 1'],
  ])('%s is complained about', (query, complaint) => expect(checkQuery(query, known)).toEqual([complaint]));
});

describe('the dashboard for Grafana', () => {
  it('asks for metrics and labels there are, and covers nothing', () => expect(checkDashboard(dashboard, metrics)).toEqual([]));

  it('shows the golden signals', () => {
    const shown = dashboard.panels.map(({ title }) => title);
    for (const title of [
      'Orders placed',
      'From placing to confirmed',
      'Outbox lag',
      'Queue age',
      'Retries',
      'Dead letters',
      'Audit violations',
      'Commits',
      'Broker',
      'Event loop delay',
    ])
      expect(shown).toContain(title);
  });

  it('is complained about', () => {
    const [, good] = dashboard.panels as [Panel, Panel];
    const bad: Panel = {
      ...good,
      title: 'Bad',
      type: 'flowcharting',
      gridPos: { x: 20, y: 0, w: 8, h: 8 },
      targets: [{ refId: 'A', expr: 'waybill_gone', datasource: { uid: 'mine' } }],
    };
    expect(checkDashboard({ ...dashboard, panels: [good, bad, { ...good, title: 'Twin' }] }, metrics)).toEqual([
      'Bad asks for waybill_gone, which nobody tells of',
      'Bad is a flowcharting, which Grafana alone does not have',
      'Bad is wider than the page',
      'Bad asks a data source of its own',
      'Twin covers another panel',
      'Bad has the id of another panel',
      'Twin has the id of another panel',
    ]);
  });
});

describe('the alerts', () => {
  it('ask for metrics and labels there are, and each has its heading in the runbook', () => {
    expect(checkAlerts(alerts, metrics, RUNBOOK, headings)).toEqual([]);
    expect(headings.length).toBeGreaterThan(25);
  });

  it.each(['prometheus.yaml', 'prometheus-split.yaml'])('are loaded by %s, which calls the job as they do', (file) => {
    const prometheus = yaml<Prometheus>(file);
    expect(prometheus.rule_files).toEqual(['alerts.yaml']);
    const jobs = [...read(`${FOLDER}alerts.yaml`).matchAll(/job="(\w+)"/g)].map(([, job]) => job);
    expect(new Set(jobs)).toEqual(new Set(prometheus.scrape_configs.map(({ job_name }) => job_name)));
  });

  it('are complained about', () => {
    const [rule] = alerts.groups[0]!.rules;
    const bad = { ...rule!, alert: 'Bad', expr: 'waybill_gone > 0', labels: { severity: 'loud' }, annotations: { summary: '', runbook_url: 'here' } };
    expect(checkAlerts({ groups: [{ name: 'g', rules: [bad] }] }, metrics, RUNBOOK, ['Old'])).toEqual([
      'Bad asks for waybill_gone, which nobody tells of',
      'Bad is loud',
      'Bad has no summary',
      `Bad leads to here, not to ${RUNBOOK}#bad`,
      `Bad has no heading in ${RUNBOOK}`,
      `${RUNBOOK} tells of Old, which never fires`,
    ]);
  });
});

describe('beside the split shape', () => {
  it('every process is scraped', () => {
    const [{ static_configs }] = yaml<Prometheus>('prometheus-split.yaml').scrape_configs as [Prometheus['scrape_configs'][number]];
    const { processes } = JSON.parse(read('deploy/processes.json')) as { processes: { name: string }[] };
    expect(static_configs[0]!.targets).toEqual(processes.map(({ name }) => `${name}:8000`));
  });

  it('the containers mount what there is, in networks there are, and each has a place to keep what it keeps', () => {
    interface Compose {
      services: Record<string, { volumes: string[]; networks: string[]; image: string }>;
      networks: Record<string, unknown>;
      volumes: Record<string, unknown>;
    }
    const base = parseYaml(read('deploy/compose.yaml'), { merge: true }) as Compose;
    const { services, volumes } = yaml<Compose>('compose.yaml');
    for (const { volumes: mounted, networks, image } of Object.values(services)) {
      expect(image).toMatch(/:v?\d+\.\d+\.\d+$/);
      for (const network of networks) expect(base.networks).toHaveProperty(network);
      for (const [from] of mounted.map((mount) => mount.split(':') as [string])) {
        if (from.startsWith('./')) expect(existsSync(`${ROOT}deploy/${from}`), from).toBe(true);
        else expect(volumes).toHaveProperty(from);
      }
    }
    for (const file of ['grafana/datasource.yaml', 'grafana/dashboards.yaml']) expect(yaml<{ apiVersion: number }>(file).apiVersion).toBe(1);
  });
});

describe('what goes to CloudWatch', () => {
  interface Template {
    Resources: { Dashboard: { Type: string; Properties: { DashboardBody: { 'Fn::Sub': string } } } };
  }
  const { Dashboard } = yaml<Template>('cloudwatch-dashboard.yaml').Resources;
  const body = JSON.parse(Dashboard.Properties.DashboardBody['Fn::Sub']) as Parameters<typeof checkCloudWatch>[0];

  it('are metrics there are, by labels they have, into a namespace', () => {
    expect(checkCollector(collector, metrics)).toEqual([]);
    expect(collector.exporters.awsemf.namespace).toBe('${env:CLOUDWATCH_NAMESPACE:-Waybill}');
  });

  it('is all that its dashboard asks for', () => {
    expect(Dashboard.Type).toBe('AWS::CloudWatch::Dashboard');
    expect(checkCloudWatch(body, collector)).toEqual([]);
    expect(body.widgets.length).toBeGreaterThan(15);
  });

  it('is complained about', () => {
    const declared = (dimensions: string[][], selector: string): CollectorConfig => ({
      ...collector,
      exporters: { awsemf: { namespace: 'x', metric_declarations: [{ dimensions, metric_name_selectors: [selector] }] } },
    });
    const bad = declared([['application', 'queue']], '^waybill_(gone|outbox_messages)$$');
    expect(checkCollector(bad, metrics)).toEqual([
      'the pipeline traces has no awsxray to use',
      'sends waybill_gone, which nobody tells of',
      'sends waybill_outbox_messages by queue, which it has not',
    ]);
    const widget = (row: readonly (string | object)[]) => ({ widgets: [{ properties: { title: 'W', metrics: [row] } }] });
    const good = declared([['application', 'service']], '^waybill_outbox_messages$$');
    expect(checkCloudWatch(widget(['N', 'waybill_outbox_messages', 'application', 'waybill', 'service', 'orders']), good)).toEqual([]);
    expect(checkCloudWatch(widget(['N', 'waybill_outbox_messages', 'application', 'waybill', { stat: 'Sum' }]), good)).toEqual([
      'W asks for waybill_outbox_messages by application, which is not sent',
    ]);
    const search = { expression: `SEARCH('{N,application,queue} MetricName="waybill_outbox_messages"', 'Sum', 60)` };
    expect(checkCloudWatch(widget([search]), good)).toEqual(['W asks for waybill_outbox_messages by application, queue, which is not sent']);
  });
});
