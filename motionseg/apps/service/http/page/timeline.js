// Events as bars over time, a lane for each camera.

import { dayOf, shortTime, svg, timeOf, title, update } from "./dom.js";
import { hueOf, howLong } from "./eventlist.js";

const LANE = 30;
const LEFT = 96;
const TOP = 6;
const STEPS = [60, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400];

/** `draw(events, cameras, {from, to, selected})`; `choose(id)` is called when a bar is clicked. */
export function timeline(choose) {
  const node = svg("svg", { class: "timeline", role: "img", "aria-label": "Timeline of events" });
  let last = null;

  function draw(events, cameras, view) {
    last = [events, cameras, view];
    const wide = node.clientWidth || 800;
    const tall = TOP + cameras.length * LANE + 22;
    const x = (time) => LEFT + ((time - view.from) / (view.to - view.from)) * (wide - LEFT - 10);
    node.setAttribute("viewBox", `0 0 ${wide} ${tall}`);
    node.setAttribute("height", tall);
    const nodes = [...ticks(view, wide, tall, x)];
    cameras.forEach((camera, row) => {
      const y = TOP + row * LANE;
      nodes.push(svg("rect", { class: "lane", x: LEFT, y: y + 3, width: Math.max(wide - LEFT - 10, 0), height: LANE - 6, rx: 4 }));
      nodes.push(svg("text", { class: "camera-name", x: LEFT - 10, y: y + LANE / 2 + 4, "text-anchor": "end" }, camera.length > 13 ? `${camera.slice(0, 12)}…` : camera));
    });
    for (const event of [...events].sort((a, b) => (a.id === view.selected) - (b.id === view.selected))) {
      const row = cameras.indexOf(event.camera);
      if (row < 0) continue;
      const begin = Math.max(x(event.start), LEFT);
      const end = Math.min(x(event.end ?? view.now), x(view.to));
      if (end < LEFT) continue;
      const facts = { class: `span ${hueOf(event)}${event.end === null ? " open" : ""}${event.id === view.selected ? " selected" : ""}`, data: { id: event.id } };
      const bar = svg("rect", { ...facts, x: begin, y: TOP + row * LANE + 6, width: Math.max(end - begin, 4), height: LANE - 12, rx: 3 });
      bar.append(svg("title", {}, `${title(event.rule)}, ${event.zone || "whole picture"}\n${dayOf(event.start)}, ${timeOf(event.start)}, ${howLong(event)}`));
      nodes.push(bar);
    }
    if (view.now <= view.to) nodes.push(svg("line", { class: "now", x1: x(view.now), x2: x(view.now), y1: TOP, y2: tall - 18 }));
    update(node, ...nodes);
  }

  function* ticks(view, wide, tall, x) {
    const room = Math.max(2, (wide - LEFT) / 90);
    const step = STEPS.find((seconds) => (view.to - view.from) / seconds <= room) ?? STEPS.at(-1);
    const shift = new Date(view.to * 1000).getTimezoneOffset() * 60;
    for (let t = Math.ceil((view.from - shift) / step) * step + shift; t < view.to; t += step) {
      yield svg("line", { class: "tick", x1: x(t), x2: x(t), y1: TOP, y2: tall - 18 });
      if (x(t) < wide - 24) yield svg("text", { class: "tick-name", x: x(t), y: tall - 5, "text-anchor": "middle" }, step >= 86400 ? dayOf(t) : shortTime(t));
    }
  }

  node.addEventListener("click", ({ target }) => target.dataset?.id && choose(target.dataset.id));
  const watch = new ResizeObserver(() => last && draw(...last));
  watch.observe(node);
  return { node, draw, close: () => watch.disconnect() };
}
