// The shapes over the picture: drawing them, dragging their points, and the same by keyboard.

import { el, put, svg } from "./dom.js";
import { clamp, middle, moved, rounded } from "./geometry.js";

const WIDE = 1000; // of the drawing's own units

/**
 * `setup()` gives the Setup, `state` holds {selected, drawing}; `act` has select(key), changed(), finish(points), cancel().
 */
export function canvas(setup, state, act) {
  const node = svg("svg", { class: "canvas", preserveAspectRatio: "none", "aria-label": "Zones and lines", role: "group" });
  let tall = WIDE * 0.5625;
  let unit = 1; // of a pixel on the screen
  let drag = null;
  let pointer = null; // where it is while drawing
  let focus = null; // the handle that has it

  const place = ([x, y]) => [x * WIDE, y * tall];
  const list = (points) => points.map((point) => place(point).join(",")).join(" ");

  function pointAt(event) {
    const box = node.getBoundingClientRect();
    return [rounded(clamp((event.clientX - box.left) / box.width)), rounded(clamp((event.clientY - box.top) / box.height))];
  }

  function shapeOf(shape, problems) {
    const selected = shape.key === state.selected;
    const kind = problems[shape.key] ? "wrong" : shape.type === "line" ? "line" : shape.kind;
    const facts = { class: `shape ${kind}${selected ? " selected" : ""}`, data: { shape: shape.key }, points: list(shape.points) };
    const [x, y] = place(shape.points[0]);
    const nodes = [shape.type === "line" && svg("polyline", { class: "reach", data: { shape: shape.key }, points: list(shape.points) })];
    nodes.push(svg(shape.type === "zone" ? "polygon" : "polyline", facts));
    if (shape.type === "line") nodes.push(arrowOf(shape, kind), ...sidesOf(shape));
    nodes.push(textAt(shape.name || "?", x + 8 * unit, y - 8 * unit, "name"));
    if (selected && !state.drawing) nodes.push(...handlesOf(shape));
    return nodes;
  }

  function textAt(text, x, y, kind) {
    const size = 13 * unit;
    const left = Math.min(Math.max(x, 4 * unit), WIDE - text.length * size * 0.6);
    return svg("text", { class: kind, x: left, y: Math.min(Math.max(y, size), tall - 4 * unit), "font-size": size }, text);
  }

  function arrowOf(shape, kind) {
    const [[ax, ay], [bx, by]] = shape.points.slice(-2).map(place);
    const length = Math.hypot(bx - ax, by - ay) || 1;
    const [u, v] = [((bx - ax) / length) * 12 * unit, ((by - ay) / length) * 12 * unit];
    const corners = [[bx, by], [bx - u - v / 2, by - v + u / 2], [bx - u + v / 2, by - v - u / 2]];
    return svg("polygon", { class: `tip ${kind}`, points: corners.map((corner) => corner.join(",")).join(" ") });
  }

  /** The names of a line's sides: left and right of one who walks from the first point to the last. */
  function sidesOf(shape) {
    const at = Math.floor((shape.points.length - 1) / 2);
    const [[ax, ay], [bx, by]] = [place(shape.points[at]), place(shape.points[at + 1])];
    const length = Math.hypot(bx - ax, by - ay) || 1;
    const [rx, ry] = [-(by - ay) / length, (bx - ax) / length]; // to the right, as y points down
    return shape.sides.map((side, hand) => {
      const sign = hand ? 1 : -1;
      const reach = 16 * unit + Math.abs(rx) * side.length * 3.6 * unit;
      return svg("text", { class: "side-name", "text-anchor": "middle", "font-size": 12 * unit, x: (ax + bx) / 2 + sign * rx * reach, y: (ay + by) / 2 + sign * ry * reach + 4 * unit }, side);
    });
  }

  function handlesOf(shape) {
    const n = shape.points.length;
    const handles = shape.points.map((point, index) => {
      const [cx, cy] = place(point);
      const facts = { data: { point: index }, tabindex: 0, role: "button", "aria-label": `Point ${index + 1} of ${shape.name}; arrows move it, Delete removes it` };
      return [svg("circle", { class: "grip", cx, cy, r: 14 * unit, data: { point: index } }), svg("circle", { class: "handle", cx, cy, r: 6 * unit, ...facts })];
    });
    const sides = shape.type === "zone" ? n : n - 1;
    for (let index = 0; index < sides; index++) {
      const [cx, cy] = place(middle(shape.points[index], shape.points[(index + 1) % n]));
      handles.unshift([svg("circle", { class: "grip", cx, cy, r: 11 * unit, data: { side: index } }), svg("circle", { class: "insert", cx, cy, r: 4 * unit, data: { side: index } })]);
    }
    return handles.flat();
  }

  function draft() {
    const { points, type } = state.drawing;
    const all = pointer ? [...points, pointer] : points;
    const nodes = [svg(type === "zone" && all.length > 2 ? "polygon" : "polyline", { class: `shape draft ${type === "line" ? "line" : "include"}`, points: list(all) })];
    points.forEach((point, index) => {
      const [cx, cy] = place(point);
      nodes.push(svg("circle", { class: `handle${index === 0 && type === "zone" && points.length > 2 ? " first" : ""}`, cx, cy, r: 6 * unit }));
    });
    return nodes;
  }

  function draw() {
    const box = node.getBoundingClientRect();
    if (box.width > 0) {
      tall = (WIDE * box.height) / box.width;
      unit = WIDE / box.width;
    }
    node.setAttribute("viewBox", `0 0 ${WIDE} ${tall}`);
    node.classList.toggle("drawing", state.drawing !== null);
    const problems = setup().problems();
    const shapes = [...setup().shapes].sort((a, b) => (a.key === state.selected) - (b.key === state.selected));
    const had = drag !== null || node.contains(document.activeElement);
    put(node, ...shapes.flatMap((shape) => shapeOf(shape, problems)).filter(Boolean), ...(state.drawing ? draft() : []));
    if (had && focus !== null) node.querySelector(`.handle[data-point="${focus}"]`)?.focus();
  }

  // --- drawing a new shape ---

  function addPoint(event) {
    const { points, type } = state.drawing;
    const point = pointAt(event);
    const near = ([x, y]) => Math.hypot((x - point[0]) * WIDE, (y - point[1]) * tall) < 10 * unit;
    if (type === "zone" && points.length > 2 && near(points[0])) return act.finish();
    if (points.length && near(points.at(-1))) return points.length >= least() ? act.finish() : undefined; // a double click ends it
    points.push(point);
    return draw();
  }
  const least = () => (state.drawing.type === "zone" ? 3 : 2);

  // --- by pointer ---

  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    node.setPointerCapture(event.pointerId);
    if (state.drawing) {
      addPoint(event);
      return;
    }
    const { point, side, shape } = event.target.dataset;
    const selected = setup().shape(state.selected);
    setup().keep();
    if (selected && point !== undefined) {
      focus = Number(point);
      drag = { index: Number(point) };
    } else if (selected && side !== undefined) {
      const index = Number(side) + 1;
      selected.points.splice(index, 0, pointAt(event));
      focus = index;
      drag = { index };
    } else {
      focus = null;
      act.select(shape ?? null);
      const taken = setup().shape(shape);
      if (taken) drag = { from: pointAt(event), points: taken.points };
    }
    draw();
  });

  node.addEventListener("pointermove", (event) => {
    if (state.drawing) {
      pointer = pointAt(event);
      draw();
    } else if (drag) {
      const shape = setup().shape(state.selected);
      const [x, y] = pointAt(event);
      if (drag.index !== undefined) shape.points[drag.index] = [x, y];
      else shape.points = moved(drag.points, x - drag.from[0], y - drag.from[1]);
      draw();
    }
  });

  const drop = () => {
    if (!drag) return;
    drag = null;
    act.changed();
  };
  node.addEventListener("pointerup", drop);
  node.addEventListener("pointercancel", drop);
  node.addEventListener("pointerleave", () => {
    pointer = null;
    if (state.drawing) draw();
  });

  // --- by keyboard ---

  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  node.addEventListener("keydown", (event) => {
    const shape = setup().shape(state.selected);
    const index = Number(event.target.dataset?.point);
    if (!shape || Number.isNaN(index)) return;
    const step = STEPS[event.key];
    if (step) {
      event.preventDefault();
      const size = event.shiftKey ? 0.05 : 0.005;
      setup().keep();
      const [x, y] = shape.points[index];
      shape.points[index] = [rounded(clamp(x + step[0] * size)), rounded(clamp(y + step[1] * size))];
      focus = index;
      act.changed();
    } else if (["Delete", "Backspace"].includes(event.key)) {
      event.preventDefault();
      event.stopPropagation();
      removePoint(index);
    }
  });

  function removePoint(index) {
    const shape = setup().shape(state.selected);
    if (shape.points.length <= (shape.type === "zone" ? 3 : 2)) return;
    setup().keep();
    shape.points.splice(index, 1);
    focus = Math.min(index, shape.points.length - 1);
    act.changed();
  }
  node.addEventListener("dblclick", (event) => {
    const { point } = event.target.dataset;
    if (!state.drawing && point !== undefined) removePoint(Number(point));
  });

  const watch = new ResizeObserver(draw);
  watch.observe(node);
  return {
    node: el("div", { class: "canvas-box" }, node),
    draw,
    close: () => watch.disconnect(),
    forget: () => (focus = pointer = null),
  };
}
