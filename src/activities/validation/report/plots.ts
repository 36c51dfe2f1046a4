import type { CheckResult } from '../../../domain/evaluation/gate-policy.js';
import type { LossCurve, LossPoint } from '../../../domain/loss-curve.js';
import type { ValidationReport } from './report.js';
import { html, number } from './text.js';

/** Shares as bars, with the interval as a whisker and the threshold as a mark. */
export function shareBars(report: ValidationReport): string {
  const checks = new Map(report.checks.map((check) => [check.metric, check]));
  const shares = Object.entries(report.metrics).filter(
    (entry): entry is [string, number] => entry[1] !== null && isShare(entry[0], entry[1], checks),
  );
  if (shares.length === 0) return '';
  const height = shares.length * 26 + 22;
  const rows = shares.map(([name, value], index) => shareBar(name, value, checks.get(name), index * 26 + 4));
  return svg(
    640,
    height,
    'Shares and scores between 0 and 1',
    `${rows.join('')}${[0, 0.25, 0.5, 0.75, 1].map((tick) => axisLabel(shareX(tick), height - 4, String(tick))).join('')}`,
  );
}

/** The share of answers that took no longer than so many seconds. */
export function latencyCurve(report: ValidationReport): string {
  const { latency } = report;
  if (!latency) return '<p>No latency was measured.</p>';
  const limits = report.checks.filter((check) => check.metric.startsWith('latency.'));
  const end = Math.max(latency.maxSeconds, ...limits.map((check) => check.threshold), 0.001) * 1.05;
  const x = (seconds: number) => 40 + (seconds / end) * 580;
  const y = (share: number) => 180 - share * 160;
  let path = `M${point(x(0))} ${point(y(0))}`;
  for (const [seconds, share] of latency.distribution) path += `H${point(x(seconds))}V${point(y(share))}`;
  const marks = limits.map(
    (check) =>
      `<line class="threshold" x1="${point(x(check.threshold))}" x2="${point(x(check.threshold))}" y1="20" y2="180"/>` +
      `<text class="small" x="${point(x(check.threshold) - 4)}" y="14" text-anchor="end">${html(`${check.metric} ${check.op} ${check.threshold}`)}</text>`,
  );
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  return svg(
    640,
    205,
    'Latency: share of answers by seconds',
    ticks.map((tick) => `<line class="grid" x1="40" x2="620" y1="${y(tick)}" y2="${y(tick)}"/>`).join('') +
      ticks
        .map(
          (tick) => `<text class="small" x="34" y="${y(tick) + 4}" text-anchor="end">${tick * 100} %</text>`,
        )
        .join('') +
      ticks
        .map((tick) => axisLabel(x(tick * end), 198, `${number(Number((tick * end).toPrecision(2)))} s`))
        .join('') +
      marks.join('') +
      `<path class="curve" d="${path}H${point(x(end))}"/>`,
  );
}

/** Training and validation loss by step; the validation loss is dotted. */
export function lossPlot({ training, validation }: LossCurve): string {
  const all = [...training, ...validation];
  if (all.length < 2) return '<p>Too few steps for a curve.</p>';
  const lastStep = Math.max(...all.map(([step]) => step));
  const highest = Math.max(...all.map(([, loss]) => loss), Number.EPSILON);
  const x = (step: number) => 60 + (step / lastStep) * 560;
  const y = (loss: number) => 180 - (loss / highest) * 160;
  const line = (points: readonly LossPoint[], style: string) =>
    points.length < 2
      ? ''
      : `<path class="curve"${style} d="M${points.map(([step, loss]) => `${point(x(step))} ${point(y(loss))}`).join('L')}"/>`;
  const ticks = [0, 0.5, 1];
  return svg(
    640,
    205,
    'Loss by step: training, and validation dotted',
    ticks
      .map(
        (tick) =>
          `<line class="grid" x1="60" x2="620" y1="${point(y(tick * highest))}" y2="${point(y(tick * highest))}"/>` +
          `<text class="small" x="54" y="${point(y(tick * highest) + 4)}" text-anchor="end">${number(Number((tick * highest).toPrecision(3)))}</text>` +
          axisLabel(x(tick * lastStep), 198, `step ${Math.round(tick * lastStep)}`),
      )
      .join('') +
      line(training, '') +
      line(validation, ' stroke-dasharray="4 4"'),
  );
}

function isShare(name: string, value: number, checks: ReadonlyMap<string, CheckResult>): boolean {
  if (/^(answers|raw\.(blocks|warnings)|latency\..*|tokens\..*)$|\.(min|max)$/.test(name)) return false;
  const threshold = checks.get(name)?.threshold ?? 0;
  return value >= 0 && value <= 1 && threshold >= 0 && threshold <= 1;
}

const shareX = (value: number) => 170 + value * 400;

function shareBar(name: string, value: number, check: CheckResult | undefined, top: number): string {
  const [low, high] = check?.interval ?? [value, value];
  const whisker = check?.interval
    ? `<line class="whisker" x1="${point(shareX(low))}" x2="${point(shareX(high))}" y1="${top + 9}" y2="${top + 9}"/>`
    : '';
  const threshold = check
    ? `<line class="threshold" x1="${point(shareX(check.threshold))}" x2="${point(shareX(check.threshold))}" y1="${top - 1}" y2="${top + 19}"/>`
    : '';
  return (
    `<text x="160" y="${top + 13}" text-anchor="end">${html(name)}</text>` +
    `<rect class="track" x="170" y="${top}" width="400" height="18"/>` +
    `<rect class="bar ${check ? check.status : 'plain'}" x="170" y="${top}" width="${point(400 * value)}" height="18"/>` +
    `${whisker}${threshold}<text x="582" y="${top + 13}">${number(value)}</text>`
  );
}

function axisLabel(x: number, y: number, text: string): string {
  return `<text class="small" x="${point(x)}" y="${y}" text-anchor="middle">${html(text)}</text>`;
}

function point(value: number): string {
  return value.toFixed(1);
}

function svg(width: number, height: number, title: string, content: string): string {
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${html(title)}"><title>${html(title)}</title>${content}</svg>`;
}
