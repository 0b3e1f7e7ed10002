interface Plotly {
  react(element: HTMLElement, data: object[], layout: object, config: object): Promise<void>;
  relayout(element: HTMLElement, changes: object): Promise<void>;
  purge(element: HTMLElement): void;
}

declare module "plotly.js-cartesian-dist-min" {
  const plotly: Plotly;
  export default plotly;
}
declare module "plotly.js-gl3d-dist-min" {
  const plotly: Plotly;
  export default plotly;
}
