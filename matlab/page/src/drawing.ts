// One figure on the page: drawn by Plotly, which is loaded when the first figure is there, or as a picture.
import { isDark } from "./theme";
import type { FigureData, Json } from "./protocol";

const FLAT = new Set(["scatter", "bar", "heatmap", "image", "contour"]);
const SOLID = new Set(["scatter", "scatter3d", "surface", "mesh3d"]);
const WHITE = "#ffffff";
const INK = ["#000000", "#262626"];
const ROOM = 0.09; // share of the figure
const SMALL = 420; // pixels of width under which letters get smaller
const ROOMY = 230; // pixels of a scene under which it leaves more room for the numbers at its axes
const LEAST = 0.65; // share of it that is drawn on
const TIGHT = 170; // pixels under which there are fewer numbers, too
const FEW = 3;

type Kind = "flat" | "solid" | "picture";

/** Which of Plotly's bundles can draw it. */
export function kindOf({ data, too_large }: FigureData): Kind {
  if (too_large) return "picture";
  const types = data.map(({ type }) => String(type));
  if (types.every((type) => FLAT.has(type))) return "flat";
  return types.every((type) => SOLID.has(type)) && hasWebGl() ? "solid" : "picture";
}

export class Drawing {
  private plotly?: Plotly;
  private layout: Json = {};

  constructor(readonly element: HTMLElement) {}

  async draw(figure: FigureData, kind: "flat" | "solid"): Promise<void> {
    const plotly = (await (kind === "flat" ? import("plotly.js-cartesian-dist-min") : import("plotly.js-gl3d-dist-min"))).default;
    if (this.plotly && this.plotly !== plotly) this.clear();
    this.plotly = plotly;
    const { data, layout } = suited(figure, this.element.clientWidth, this.element.clientHeight, isDark());
    this.layout = structuredClone(layout); // Plotly writes into what it is given
    await plotly.react(this.element, data, layout, {
      displayModeBar: false, displaylogo: false, scrollZoom: true, doubleClick: "reset", showTips: false,
    });
  }

  async resetView(): Promise<void> {
    const changes: Json = {};
    for (const [name, part] of Object.entries(this.layout as Record<string, Json>)) {
      if (/^[xy]axis/.test(name)) changes[`${name}.range`] = part.range;
      else if (name.startsWith("scene")) {
        changes[`${name}.camera`] = part.camera;
        changes[`${name}.aspectratio`] = part.aspectratio;
        for (const axis of ["xaxis", "yaxis", "zaxis"]) changes[`${name}.${axis}.range`] = (part[axis] as Json).range;
      }
    }
    await this.plotly?.relayout(this.element, structuredClone(changes));
  }

  clear(): void {
    this.plotly?.purge(this.element);
    this.plotly = undefined;
    this.element.replaceChildren();
  }
}

/** The figure in the size of its place and the colours of the theme; white paper only is recoloured. */
function suited({ number, revision, data, layout }: FigureData, width: number, height: number, dark: boolean): { data: Json[]; layout: Json } {
  const turned = dark && layout.paper_bgcolor === WHITE;
  const [paper, ink, grid, box] = turned ? ["#16191f", "#cfd6e0", "#333a45", "#1c2027"] : [layout.paper_bgcolor as string, "#1b2230", "#dfe3e8", WHITE];
  const font = { family: "system-ui, sans-serif", size: width < SMALL ? 10 : 12, color: ink };
  const axis = (given: Json): Json => ({ ...given, linecolor: ink, tickcolor: ink, gridcolor: grid });
  const suitedLayout: Json = { ...layout, width, height, autosize: false, paper_bgcolor: paper, plot_bgcolor: paper, font, dragmode: "zoom" };
  // how far somebody zoomed is theirs until the figure changes, how they turned it until `view` says otherwise
  suitedLayout.uirevision = `${number}.${revision}`;
  for (const [name, part] of Object.entries(layout as Record<string, Json>)) {
    if (/^[xy]axis/.test(name)) suitedLayout[name] = axis(part);
    else if (name.startsWith("scene")) {
      const domain = placed(part.domain as Domain, width, height);
      const side = (domain.y[1] - domain.y[0]) * height;
      const share = Math.max(LEAST, Math.min(1, side / ROOMY));
      const { x, y, z } = part.aspectratio as { x: number; y: number; z: number };
      const axis3d = (given: Json): Json => (side < TIGHT ? { ...axis(given), nticks: FEW } : axis(given));
      suitedLayout[name] = {
        ...part, uirevision: number, domain, bgcolor: "rgba(0,0,0,0)", dragmode: "turntable", // they may lie over one another
        aspectratio: { x: x * share, y: y * share, z: z * share },
        xaxis: axis3d(part.xaxis as Json), yaxis: axis3d(part.yaxis as Json), zaxis: axis3d(part.zaxis as Json),
      };
    } else if (name === "legend") suitedLayout[name] = { ...part, bgcolor: box, bordercolor: grid };
    else if (name === "annotations") {
      suitedLayout[name] = (part as unknown as Json[]).map((text) => (turned ? inked(text, "font", ink) : text));
    }
  }
  if (!turned) return { data, layout: suitedLayout };
  return { data: data.map((trace) => (trace.hoverinfo === "skip" ? ["textfont"] : ["line", "marker", "textfont"]).reduce((it, part) => inked(it, part, ink), trace)), layout: suitedLayout };
}

interface Domain { x: [number, number]; y: [number, number] }

/** Plotly cuts off what stands outside a scene, numbers at the axes for instance, and fits what is in it to its height. */
function placed({ x, y }: Domain, width: number, height: number): Domain {
  const [left, right] = [Math.max(0, x[0] - ROOM), Math.min(1, x[1] + ROOM / 2)];
  const [bottom, top] = [Math.max(0, y[0] - ROOM), Math.min(1, y[1] + ROOM / 4)];
  const tall = Math.min(top - bottom, (right - left) * width / height);
  const middle = (bottom + top) / 2;
  return { x: [left, right], y: [middle - tall / 2, middle + tall / 2] };
}

/** Black would not be seen on dark paper. */
function inked(given: Json, part: string, ink: string): Json {
  const inner = given[part] as Json | undefined;
  return typeof inner?.color === "string" && INK.includes(inner.color) ? { ...given, [part]: { ...inner, color: ink } } : given;
}

let webGl: boolean | null = null;

function hasWebGl(): boolean { return webGl ??= document.createElement("canvas").getContext("webgl") !== null; }
