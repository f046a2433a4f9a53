// Events as bars over time, a lane for each camera.

import { dayOf, shortTime, svg, timeOf, title, update } from "./dom.js";
import { hueOf, howLong } from "./eventlist.js";

const LANE = 30;
const LEFT = 96;
const TOP = 6;
const BAR = LANE - 12;
const DEEP = 3; // events of the same time that lie below one another
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
    const bars = cameras.flatMap((camera, lane) => {
      const mine = events.filter((event) => event.camera === camera && x(event.end ?? view.now) >= LEFT);
      return sideBySide(
        mine.map((event) => {
          const begin = Math.max(x(event.start), LEFT);
          return { event, lane, begin, end: Math.max(Math.min(x(event.end ?? view.now), x(view.to)), begin + 4) };
        }),
      );
    });
    const isSelected = ({ event }) => event.id === view.selected;
    for (const span of bars.sort((a, b) => isSelected(a) - isSelected(b))) {
      const { event, lane, begin, end, row, group } = span;
      const high = BAR / group.rows;
      const hue = `span ${hueOf(event)}${event.end === null ? " open" : ""}${isSelected(span) ? " selected" : ""}`;
      const place = { x: begin, y: TOP + lane * LANE + 6 + row * high, width: end - begin, height: high - (group.rows > 1), rx: 3 / Math.min(group.rows, 2) };
      const bar = svg("rect", { class: hue, data: { id: event.id }, ...place });
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

/** Gives each span a row, in a group of spans that follow one another without a gap and share the height. */
function sideBySide(spans) {
  let ends = [];
  let group = null;
  for (const span of spans.sort((a, b) => a.begin - b.begin || a.event.number - b.event.number)) {
    if (ends.every((end) => end <= span.begin)) [ends, group] = [[], { rows: 0 }];
    const free = ends.findIndex((end) => end <= span.begin);
    span.row = free >= 0 ? free : ends.length < DEEP ? ends.length : ends.indexOf(Math.min(...ends));
    span.group = group;
    ends[span.row] = span.end;
    group.rows = ends.length;
  }
  return spans;
}
