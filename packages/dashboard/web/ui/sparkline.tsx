import { useEffect, useRef } from 'react';
import { formatLatency } from './format.ts';

const WIDTH = 72;
const HEIGHT = 20;
const PADDING = 2;

/** The last latencies as a line on a canvas, failures as marks at the bottom; the same in words for those who can't see it. */
export function Sparkline({ values }: { readonly values: readonly (number | null)[] }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const element = canvas.current;
    if (element === null) return;
    const redraw = () => draw(element, values);
    redraw();
    // The line is drawn in the theme's colours, which canvases don't follow by themselves.
    const theme = matchMedia('(prefers-color-scheme: dark)');
    theme.addEventListener('change', redraw);
    return () => theme.removeEventListener('change', redraw);
  }, [values]);
  return <canvas ref={canvas} className="sparkline" role="img" aria-label={summary(values)} />;
}

function summary(values: readonly (number | null)[]): string {
  const answered = values.filter((value) => value !== null);
  const failed = values.length - answered.length;
  if (answered.length === 0) return `${failed} probes, none answered`;
  const range = `${formatLatency(Math.min(...answered))} to ${formatLatency(Math.max(...answered))}`;
  return `last ${values.length} probes: ${range}${failed > 0 ? `, ${failed} failed` : ''}`;
}

function draw(canvas: HTMLCanvasElement, values: readonly (number | null)[]): void {
  const context = canvas.getContext('2d');
  if (context === null) return;
  const scale = window.devicePixelRatio || 1;
  canvas.width = WIDTH * scale;
  canvas.height = HEIGHT * scale;
  context.scale(scale, scale);
  const style = getComputedStyle(canvas);
  const highest = Math.max(1, ...values.map((value) => value ?? 0));
  const x = (index: number) => PADDING + (index / Math.max(1, values.length - 1)) * (WIDTH - 2 * PADDING);
  const y = (value: number) => HEIGHT - PADDING - (value / highest) * (HEIGHT - 2 * PADDING);
  context.strokeStyle = style.getPropertyValue('--spark');
  context.lineWidth = 1.25;
  context.lineJoin = 'round';
  context.beginPath();
  let isPenDown = false;
  for (const [index, value] of values.entries()) {
    if (value === null) isPenDown = false;
    else if (isPenDown) context.lineTo(x(index), y(value));
    else {
      context.moveTo(x(index), y(value));
      isPenDown = true;
    }
  }
  context.stroke();
  context.fillStyle = style.getPropertyValue('--bad');
  for (const [index, value] of values.entries()) if (value === null) context.fillRect(x(index) - 1, HEIGHT - 5, 2, 5);
  const last = values.at(-1);
  if (typeof last !== 'number') return;
  context.fillStyle = style.getPropertyValue('--spark');
  context.beginPath();
  context.arc(x(values.length - 1), y(last), 1.75, 0, 2 * Math.PI);
  context.fill();
}
