/**
 * What reads our metrics, against the metrics there are: a dashboard that asks for a metric nobody tells of shows an empty panel, and an alert
 * that does so never fires. Both look as if all were well.
 */
import { parser } from '@prometheus-io/lezer-promql';
import type { MetricDefinition } from '../../src/kernel/telemetry.ts';

/** What Prometheus adds to every metric of ours, and tells by itself. */
const LABELS_ADDED = ['job', 'instance'];
const METRICS_ADDED: readonly MetricDefinition[] = [{ name: 'up', type: 'gauge', help: '', labels: [] }];

/** The metric a sample belongs to: a histogram is asked for by its parts, everything else by its name. */
function metricOf(sample: string, metrics: readonly MetricDefinition[]): MetricDefinition | undefined {
  const part = /^(.+)_(bucket|sum|count)$/.exec(sample)?.[1];
  const found = [...metrics, ...METRICS_ADDED].find(({ name, type }) => (type === 'histogram' ? name === part : name === sample));
  if (found?.type !== 'histogram') return found;
  return sample.endsWith('_bucket') ? { ...found, labels: [...found.labels, 'le'] } : found;
}

/** What is wrong with a query: that it is none, or asks for a metric or a label that is not there. */
export function checkQuery(query: string, metrics: readonly MetricDefinition[]): string[] {
  const text = query.replaceAll(/\[\$__\w+\]/g, '[5m]'); // Grafana's own intervals
  const complaints: string[] = [];
  const asked: MetricDefinition[] = [];
  const labels: string[] = [];
  parser.parse(text).iterate({
    enter({ type, from, to, node }) {
      const written = text.slice(from, to);
      if (type.isError) complaints.push(`cannot be read at ${from}: ${text}`);
      if (type.name === 'VectorSelector') {
        const name = node.getChild('Identifier');
        const sample = name === null ? '' : text.slice(name.from, name.to);
        const metric = metricOf(sample, metrics);
        if (metric === undefined) complaints.push(`asks for ${sample}, which nobody tells of`);
        else asked.push(metric);
      }
      if (type.name === 'LabelName') labels.push(written);
    },
  });
  const known = new Set([...LABELS_ADDED, ...asked.flatMap((metric) => metric.labels)]);
  for (const label of new Set(labels)) {
    if (!known.has(label) && complaints.length === 0)
      complaints.push(`asks for the label ${label}, which ${asked.map(({ name }) => name).join(', ')} ${asked.length > 1 ? 'have' : 'has'} not`);
  }
  if (asked.length === 0 && complaints.length === 0) complaints.push(`asks for no metric: ${text}`);
  return complaints;
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly refId: string; readonly expr: string; readonly datasource: { readonly uid: string } }[];
}
export interface GrafanaDashboard {
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly annotations: { readonly list: readonly { readonly name: string; readonly expr?: string }[] };
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
  readonly panels: readonly Panel[];
}

/** Panel types that are part of Grafana. */
const PANEL_TYPES = ['row', 'stat', 'timeseries', 'table'];

/** What is wrong with a dashboard. */
export function checkDashboard(dashboard: GrafanaDashboard, metrics: readonly MetricDefinition[]): string[] {
  const { panels } = dashboard;
  const complaints = panels.flatMap((panel) => {
    const say = (what: string): string => `${panel.title} ${what}`;
    const queries = panel.targets?.map(({ expr }) => expr) ?? [];
    return [
      ...queries.flatMap((query) => checkQuery(query, metrics)).map(say),
      ...(PANEL_TYPES.includes(panel.type) ? [] : [say(`is a ${panel.type}, which Grafana alone does not have`)]),
      ...(panel.type === 'row' || (queries.length > 0 && panel.description !== undefined)
        ? []
        : [say('has no query, or does not say what it shows')]),
      ...(panel.gridPos.x + panel.gridPos.w <= 24 ? [] : [say('is wider than the page')]),
      ...[panel, ...(panel.targets ?? [])]
        .filter(({ datasource }) => datasource !== undefined && datasource.uid !== '${datasource}')
        .map(() => say('asks a data source of its own')),
    ];
  });
  const overlapping = panels.filter((panel, i) => panels.slice(0, i).some((other) => overlap(panel.gridPos, other.gridPos)));
  const twice = panels.filter(({ id }, i) => panels.findIndex((other) => other.id === id) !== i);
  return [
    ...complaints,
    ...overlapping.map(({ title }) => `${title} covers another panel`),
    ...twice.map(({ title }) => `${title} has the id of another panel`),
    ...dashboard.annotations.list.flatMap(({ expr }) => (expr === undefined ? [] : checkQuery(expr, metrics))),
    ...dashboard.templating.list.flatMap(({ definition }) => {
      const asked = /^label_values\((\w+), (\w+)\)$/.exec(definition ?? '');
      return asked === null ? [] : checkQuery(`count by (${asked[2]}) (${asked[1]})`, metrics);
    }),
  ];
}

type Place = Panel['gridPos'];
const overlap = (a: Place, b: Place): boolean => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

export interface AlertFile {
  readonly groups: readonly {
    readonly name: string;
    readonly rules: readonly {
      readonly alert: string;
      readonly expr: string;
      readonly labels: { readonly severity: string };
      readonly annotations: { readonly summary: string; readonly runbook_url: string };
    }[];
  }[];
}

/** What is wrong with alerts. `headings` are the anchors of the runbook. */
export function checkAlerts({ groups }: AlertFile, metrics: readonly MetricDefinition[], runbook: string, headings: readonly string[]): string[] {
  const rules = groups.flatMap((group) => group.rules);
  return [
    ...rules.flatMap(({ alert, expr, labels, annotations }) => {
      const anchor = `${runbook}#${alert.toLowerCase()}`;
      return [
        ...checkQuery(expr, metrics),
        ...(['critical', 'warning', 'info'].includes(labels.severity) ? [] : [`is ${labels.severity}`]),
        ...(annotations.summary.length > 10 ? [] : ['has no summary']),
        ...(annotations.runbook_url === anchor ? [] : [`leads to ${annotations.runbook_url}, not to ${anchor}`]),
        ...(headings.includes(alert) ? [] : [`has no heading in ${runbook}`]),
      ].map((complaint) => `${alert} ${complaint}`);
    }),
    ...headings
      .filter((heading) => !rules.some(({ alert }) => alert === heading))
      .map((heading) => `${runbook} tells of ${heading}, which never fires`),
  ];
}

export interface CollectorConfig {
  readonly receivers: Readonly<Record<string, unknown>>;
  readonly processors: Readonly<Record<string, unknown>>;
  readonly exporters: { readonly awsemf: { readonly namespace: string; readonly metric_declarations: readonly Declaration[] } };
  readonly extensions: Readonly<Record<string, unknown>>;
  readonly service: {
    readonly extensions: readonly string[];
    readonly pipelines: Readonly<Record<string, Readonly<Record<'receivers' | 'processors' | 'exporters', readonly string[]>>>>;
  };
}
interface Declaration {
  readonly dimensions: readonly (readonly string[])[];
  readonly metric_name_selectors: readonly string[];
}

/** The dimension every metric gets from the scrape. */
const APPLICATION = 'application';
/** `$$` is how a collector's settings write `$`. */
const selects = (selector: string, name: string): boolean => new RegExp(selector.replaceAll('$$', '$')).test(name);

/** What is wrong with the settings of a collector. */
export function checkCollector(config: CollectorConfig, metrics: readonly MetricDefinition[]): string[] {
  const complaints: string[] = [];
  for (const [name, pipeline] of Object.entries(config.service.pipelines))
    for (const kind of ['receivers', 'processors', 'exporters'] as const)
      for (const part of pipeline[kind]) if (config[kind][part as never] === undefined) complaints.push(`the pipeline ${name} has no ${part} to use`);
  for (const part of config.service.extensions) if (config.extensions[part] === undefined) complaints.push(`there is no extension ${part}`);
  for (const { dimensions, metric_name_selectors } of config.exporters.awsemf.metric_declarations) {
    for (const name of metric_name_selectors.flatMap(namesIn)) {
      const metric = metrics.find((one) => one.name === name);
      if (metric === undefined) complaints.push(`sends ${name}, which nobody tells of`);
      for (const dimension of dimensions.flat())
        if (metric !== undefined && dimension !== APPLICATION && !metric.labels.includes(dimension))
          complaints.push(`sends ${name} by ${dimension}, which it has not`);
    }
  }
  return complaints;
}

/** The names a selector of the form `^a_(b|c)$$` takes. */
const namesIn = (selector: string): string[] => {
  const [, before, choice, after] = /^\^(\w*?)(?:\(([\w|]+)\))?(\w*)\$\$$/.exec(selector) ?? [];
  if (before === undefined) return [selector];
  return (choice ?? '').split('|').map((one) => `${before}${one}${after}`);
};

interface Widget {
  readonly properties: { readonly title: string; readonly metrics: readonly (readonly (string | object)[])[] };
}

/** What is wrong with the body of a dashboard in CloudWatch: a metric must be sent with exactly the dimensions it is asked for by. */
export function checkCloudWatch(body: { readonly widgets: readonly Widget[] }, { exporters }: CollectorConfig): string[] {
  const sent = (name: string, dimensions: readonly string[]): boolean =>
    exporters.awsemf.metric_declarations.some(
      (declaration) =>
        declaration.metric_name_selectors.some((selector) => selects(selector, name)) &&
        declaration.dimensions.some((set) => set.toSorted().join() === dimensions.toSorted().join()),
    );
  return body.widgets.flatMap(({ properties: { title, metrics } }) =>
    metrics.flatMap((row) => {
      const asked = askedBy(row);
      return sent(asked.name, asked.dimensions) ? [] : [`${title} asks for ${asked.name} by ${asked.dimensions.join(', ')}, which is not sent`];
    }),
  );
}

function askedBy(row: readonly (string | object)[]): { name: string; dimensions: string[] } {
  const [first, name, ...rest] = row;
  if (typeof first === 'object') {
    const { expression } = first as { readonly expression: string };
    const [, schema, metric] = /^SEARCH\('\{[^,]+,([^}]+)\} MetricName="(\w+)"/.exec(expression) ?? [];
    return { name: metric ?? expression, dimensions: schema?.split(',') ?? [] };
  }
  const named = rest.filter((part): part is string => typeof part === 'string');
  return { name: name as string, dimensions: named.filter((_, i) => i % 2 === 0) };
}
