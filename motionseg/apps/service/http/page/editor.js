// Zones, lines and their rules, drawn on the living picture.

import { api } from "./api.js";
import { canvas } from "./canvas.js";
import { ask, el, plural, put, title, toast } from "./dom.js";
import { feed } from "./feed.js";
import { ruleForm } from "./rules.js";
import { Setup } from "./setup.js";
import { layerButtons, liveStage } from "./stage.js";

const KINDS = { include: "Watched", exclude: "Ignored", preclusive: "Light only" };
const MEANING = {
  include: "Rules speak of what happens in it.",
  exclude: "What lies in it is in no other zone, nor in the whole picture.",
  preclusive: "Nothing can move here: change means that the light has changed.",
};

export function editorTab(body, camera) {
  const state = { selected: null, drawing: null, error: {}, whole: "", open: new Set() };
  let setup = null;
  let kinds = {};
  let closed = false;

  const layers = layerButtons("editor", [], (list) => stage.setLayers(list.filter((layer) => layer !== "zones")));
  layers.node.querySelector("[data-layer=zones]").remove();
  const stage = liveStage(camera, layers.list().filter((layer) => layer !== "zones"), { fps: 5, label: `Picture of ${camera} to draw on` });
  const drawing = canvas(() => setup ?? EMPTY, state, { select, changed, finish, cancel });
  stage.node.append(drawing.node);
  const tools = el("div", { class: "under" });
  const hint = el("p", { class: "hint", role: "status" });
  const panel = el("div", { class: "shapes" });
  const actions = el("div", { class: "actions" });
  body.append(el("section", { class: "fill" }, tools, stage.node, hint), el("aside", { class: "side" }, panel, actions));

  async function load() {
    try {
      const [facts, known] = await Promise.all([api.get(`api/cameras/${camera}`), api.get("api/rule-kinds")]);
      if (closed) return;
      kinds = known;
      setup = new Setup(facts.setup, kinds, facts);
      state.edited = facts.setup.edited;
      state.selected = null;
      draw();
    } catch (problem) {
      put(panel, el("p", { class: "error" }, problem.message));
    }
  }

  // --- what is done ---

  function select(key) {
    state.selected = key;
    drawPanel();
  }
  function changed(how) {
    state.error = {};
    state.whole = "";
    drawing.draw();
    if (how === "text") drawState(); // the field that is being written in stays
    else draw();
  }
  function begin(type) {
    state.drawing = { type, points: [] };
    state.selected = null;
    drawing.forget();
    draw();
  }
  function finish(points = state.drawing.points) {
    const { type } = state.drawing;
    if (points.length < (type === "zone" ? 3 : 2)) return;
    state.drawing = null;
    drawing.forget();
    const shape = setup.addShape(type, points);
    const kind = type === "zone" ? "enter" : "cross";
    if (kinds[kind]) setup.addRule(kind, shape, kinds);
    state.selected = shape.key;
    draw();
    const name = panel.querySelector(".shape-card.selected input");
    name?.focus();
    name?.select();
  }
  function cancel() {
    state.drawing = null;
    drawing.forget();
    draw();
  }
  function undo() {
    setup.undo();
    if (!setup.shape(state.selected)) state.selected = null;
    changed();
  }
  async function save() {
    try {
      const facts = await api.put(`api/cameras/${camera}/setup`, setup.facts());
      const selected = setup.shape(state.selected)?.name;
      setup = new Setup(facts, kinds, feed.cameras[camera]);
      state.selected = setup.shapes.find((shape) => shape.name === selected)?.key ?? null;
      state.edited = facts.edited;
      state.error = {};
      state.whole = "";
      toast("Saved. It holds from now on.");
    } catch (problem) {
      const key = setup.keyOf(problem.key || problem.message);
      const words = problem.message.replace(/^[a-z]+\[\d+\][\w.[\]]*: /, "");
      if (key) state.error = { [key]: words };
      else state.whole = problem.message;
      if (setup.shape(key)) state.selected = key;
      const rule = setup.rules.find((other) => other.key === key);
      if (rule) {
        state.open.add(key);
        state.selected = setup.shapes.find((shape) => [...(rule.zones ?? []), ...(rule.lines ?? [])].includes(shape.name))?.key ?? "whole";
      }
    }
    draw();
  }
  async function revert() {
    if (!(await ask(`Give up all changes made here to ${camera}, its tuning too, and go back to the configuration file?`, "Go back"))) return;
    try {
      await api.delete(`api/cameras/${camera}/edits`);
      toast("Back to the configuration file.");
      await load();
    } catch (problem) {
      toast(problem.message, "bad");
    }
  }

  // --- what is shown ---

  function draw() {
    drawing.draw();
    drawTools();
    drawPanel();
  }
  function drawTools() {
    const busy = state.drawing !== null;
    const button = (word, props) => el("button", { class: "chip", type: "button", ...props }, word);
    const rectangle = [[0.3, 0.3], [0.7, 0.3], [0.7, 0.7], [0.3, 0.7]];
    const standard = state.drawing?.type === "line" ? [[0.5, 0.2], [0.5, 0.8]] : rectangle;
    put(
      tools,
      ...(busy
        ? [
            button("Finish", { class: "chip strong", disabled: state.drawing.points.length < 2, onclick: () => finish() }),
            button(state.drawing.type === "line" ? "Upright line" : "Rectangle", { title: "Put one in the middle, to be moved then", onclick: () => finish(standard) }),
            button("Cancel", { onclick: cancel }),
          ]
        : [
            button("+ Zone", { class: "chip strong", disabled: !setup, onclick: () => begin("zone") }),
            button("+ Line", { class: "chip strong", disabled: !setup, onclick: () => begin("line") }),
            button("Undo", { disabled: !setup?.canUndo, onclick: undo, title: "Ctrl+Z" }),
          ]),
      el("span", { class: "grow" }),
      layers.node,
    );
    const words = busy
      ? state.drawing.type === "zone"
        ? "Click corner after corner. Click the first one again, double-click or press Enter to finish; Escape gives up, Backspace takes one back."
        : "Click from point to point; double-click or press Enter to finish. Left and right are those of one who walks along the line."
      : state.selected
        ? "Drag points to move them, small dots to add some, the shape to move it all. Double-click a point to remove it."
        : "Choose a shape to change it, or add one.";
    hint.textContent = words;
  }
  function drawPanel() {
    if (!setup) return;
    const problems = { ...setup.problems(), ...state.error };
    const scroll = panel.scrollTop;
    put(panel, ...setup.shapes.map((shape) => shapeCard(shape, problems)), wholeCard(problems));
    panel.scrollTop = scroll;
    drawState();
  }
  function drawState() {
    if (!setup) return;
    const problems = Object.keys(setup.problems()).length;
    const { changed: is } = setup;
    put(
      actions,
      state.whole && el("p", { class: "error", role: "alert" }, state.whole),
      el("div", { class: "row" }, el("button", { class: "primary", id: "save", disabled: !is || problems > 0, onclick: save }, "Save"), el("button", { disabled: !is, onclick: () => (setup.discard(), (state.selected = null), changed()) }, "Cancel"), el("span", { class: "grow muted" }, problems ? plural(problems, "problem") : is ? "Not saved" : "")),
      state.edited && el("button", { class: "quiet", onclick: revert }, "Back to the configuration file"),
    );
    tools.querySelectorAll("button").forEach((button) => button.textContent === "Undo" && (button.disabled = !setup.canUndo));
  }

  const keep = () => setup.keep();
  const field = (word, control) => el("label", { class: "field" }, el("span", {}, word), control);

  function shapeCard(shape, problems) {
    const selected = shape.key === state.selected;
    const count = setup.rulesOf(shape).length;
    const head = el(
      "button",
      { class: "shape-head", type: "button", "aria-expanded": String(selected), onclick: () => (drawing.forget(), (state.selected = selected ? null : shape.key), draw()) },
      el("i", { class: `swatch ${shape.type === "line" ? "line" : shape.kind}` }),
      el("strong", {}, shape.name || "?"),
      el("span", { class: "grow muted" }, shape.type === "line" ? "Line" : KINDS[shape.kind]),
      el("span", { class: "muted" }, shape.type === "zone" && shape.kind !== "include" ? "" : plural(count, "rule")),
    );
    const problem = problems[shape.key] && el("p", { class: "error", role: "alert" }, problems[shape.key]);
    return el("div", { class: `shape-card${selected ? " selected" : ""}`, data: { card: shape.name } }, head, problem, selected && shapeForm(shape, problems));
  }

  function shapeForm(shape, problems) {
    const name = el("input", { value: shape.name, maxlength: 100, onfocus: keep, oninput: ({ target }) => (setup.rename(shape, target.value), changed("text")) });
    const parts = [field("Name", name)];
    if (shape.type === "zone") {
      const choose = ({ target }) => (keep(), (shape.kind = target.value), changed());
      parts.push(field("Kind", el("select", { onchange: choose }, Object.entries(KINDS).map(([kind, word]) => el("option", { value: kind, selected: kind === shape.kind }, word)))));
      parts.push(el("p", { class: "hint" }, MEANING[shape.kind]));
      if (shape.kind === "preclusive") {
        parts.push(field("Share that may change", el("input", { type: "number", min: 0.01, max: 1, step: 0.01, value: shape.limit, onfocus: keep, oninput: ({ target }) => ((shape.limit = Number(target.value)), changed("text")) })));
      }
    } else {
      const side = (index, word) => field(word, el("input", { value: shape.sides[index], maxlength: 100, onfocus: keep, oninput: ({ target }) => (setup.setSides(shape, shape.sides.map((old, i) => (i === index ? target.value : old))), changed("text")) }));
      const turn = () => (keep(), shape.points.reverse(), setup.setSides(shape, [...shape.sides].reverse()), changed());
      parts.push(side(0, "Left side"), side(1, "Right side"), el("button", { type: "button", class: "quiet", onclick: turn }, "Walk it the other way"));
    }
    if (shape.type === "line" || shape.kind === "include") parts.push(ruleList(shape, problems));
    parts.push(el("button", { type: "button", class: "quiet bad", onclick: () => (setup.removeShape(shape), (state.selected = null), changed()) }, `Delete ${shape.type}`));
    return el("div", { class: "shape-form" }, parts);
  }

  function wholeCard(problems) {
    const selected = state.selected === "whole";
    const rules = setup.rulesOf(null);
    const head = el(
      "button",
      { class: "shape-head", type: "button", "aria-expanded": String(selected), onclick: () => ((state.selected = selected ? null : "whole"), draw()) },
      el("i", { class: "swatch whole" }),
      el("strong", {}, "Whole picture"),
      el("span", { class: "grow" }),
      el("span", { class: "muted" }, plural(rules.length, "rule")),
    );
    return el("div", { class: `shape-card${selected ? " selected" : ""}` }, head, selected && el("div", { class: "shape-form" }, ruleList(null, problems)));
  }

  function ruleList(shape, problems) {
    const own = shape?.type === "line" ? "lines" : "zones";
    const fits = Object.entries(kinds).filter(([, facts]) => (shape === null ? facts.on !== "lines" : facts.on === own));
    const add = ({ target }) => {
      const rule = setup.addRule(target.value, shape, kinds);
      state.open.add(rule.key);
      changed();
    };
    return el(
      "div",
      { class: "rules" },
      el("h3", {}, "Rules"),
      setup.rulesOf(shape).map((rule) => {
        const form = ruleForm(rule, shape, kinds, {
          problem: problems[rule.key],
          before: keep,
          changed,
          open: state.open.has(rule.key),
          remove: () => (setup.removeRule(rule, shape), changed()),
        });
        form.addEventListener("toggle", () => (form.open ? state.open.add(rule.key) : state.open.delete(rule.key)));
        return form;
      }),
      el("select", { "aria-label": "Add a rule", onchange: add }, el("option", { value: "", selected: true, disabled: true }, "+ Add a rule …"), fits.map(([kind]) => el("option", { value: kind }, title(kind)))),
    );
  }

  // --- by keyboard ---

  function onKey(event) {
    if (["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName) || !setup) return;
    if (state.drawing) {
      if (event.key === "Enter" && event.target.tagName !== "BUTTON") finish();
      else if (event.key === "Escape") cancel();
      else if (event.key === "Backspace") (state.drawing.points.pop(), drawing.draw());
      else return;
      event.preventDefault();
    } else if ((event.ctrlKey || event.metaKey) && event.key === "z") {
      event.preventDefault();
      undo();
    } else if (event.key === "Escape" && state.selected) {
      select(null);
      drawing.draw();
    }
  }
  document.addEventListener("keydown", onKey);
  stage.image.addEventListener("load", () => drawing.draw());
  drawTools();
  load();
  return {
    unsaved: () => setup?.changed ?? false,
    leave: () => !setup?.changed || ask("There are changes that are not saved. Leave without them?", "Leave"),
    close() {
      closed = true;
      document.removeEventListener("keydown", onKey);
      drawing.close();
      stage.close();
    },
  };
}

const EMPTY = { shapes: [], problems: () => ({}), shape: () => undefined, keep: () => {} };
