// The last minutes of one figure as a line, on a scale that goes up to its limit: so that lines beside one another compare.
import type { Sample } from "../types";

/** What `samples` has of one user: a point for each, `null` where it was not measured. */
export function course(samples: readonly Sample[], userId: number, which: 0 | 1): (number | null)[] {
  return samples.map((each) => each.users[userId]?.[which] ?? null);
}

interface SparkProps {
  points: readonly (number | null)[];
  /** The top of the scale. */
  most: number;
  /** Drawn dashed where it lies below the top. */
  limit?: number;
  width: number;
  height: number;
  /** So many points fill the width; fewer begin at the right. */
  room?: number;
}

export function Spark({ points, most, limit, width, height, room = 60 }: SparkProps) {
  const x = (at: number) => width - ((points.length - 1 - at) * width) / (room - 1);
  const y = (value: number) => height - 1 - (Math.min(value, most) / (most || 1)) * (height - 2);
  let line = "";
  let pen = false;
  points.forEach((value, at) => {
    if (value !== null) line += `${pen ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = value !== null;
  });
  const first = points.findIndex((each) => each !== null);
  const gaps = points.slice(first).includes(null);
  return (
    <svg class="spark" viewBox={`0 0 ${width} ${height}`} width={width} height={height} preserveAspectRatio="none" aria-hidden="true">
      {limit !== undefined && <path class="spark-limit" d={`M0 ${y(limit).toFixed(1)}H${width}`} />}
      {first >= 0 && !gaps && <path class="spark-area" d={`${line}V${height}H${x(first).toFixed(1)}Z`} />}
      <path class="spark-line" d={line} />
    </svg>
  );
}
