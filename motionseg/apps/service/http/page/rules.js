// A form for a rule, made from what the service says of its parameters.

import { el, title } from "./dom.js";

const WORDS = {
  min_duration: "Holds for at least (s)",
  seconds: "Stays for (s)",
  above: "Faster than (px/s)",
  min_speed: "Faster than (px/s)",
  direction: "Direction",
  tolerance: "Tolerance (°)",
  at_least: "At least this many",
  share: "Share of the zone",
  min_area: "Smallest area (px, below 1: share)",
  cool_down: "Pause afterwards (s)",
  end_delay: "Bridges gaps of (s)",
  hysteresis: "Hysteresis",
  position: "Where it is",
  min_share: "Share inside",
  margin: "Margin (px)",
  settle: "Settles for (s)",
  appearing: "Also who appears inside",
  vanishing: "Also who vanishes inside",
};
const SELDOM = ["cool_down", "end_delay", "hysteresis", "position", "min_share", "margin", "min_area"];
const CHOICES = { feet: "at its feet", share: "by its share", middle: "at its middle" };

const defaultName = (rule) => rule.name || rule.kind;

/** `changed(what)` is called after each change; `shape` is the zone or line, null for the whole picture. */
export function ruleForm(rule, shape, kinds, { problem, before, changed, remove, open }) {
  const parameters = kinds[rule.kind]?.parameters ?? {};
  const fields = Object.entries(parameters).filter(([name]) => name !== "name");
  const field = ([name, facts]) => control(rule, name, facts, shape, before, changed);
  const often = fields.filter(([name]) => !SELDOM.includes(name)).map(field);
  const seldom = fields.filter(([name]) => SELDOM.includes(name)).map(field);
  return el(
    "details",
    { class: "rule", open, data: { rule: rule.key } },
    el("summary", {}, el("span", { class: "kind" }, title(rule.kind)), el("span", { class: "grow muted" }, defaultName(rule) === rule.kind ? "" : rule.name)),
    problem && el("p", { class: "error", role: "alert" }, problem),
    el("p", { class: "hint" }, kinds[rule.kind]?.what),
    labelled("Name", el("input", { value: rule.name, maxlength: 100, onfocus: before, oninput: ({ target }) => ((rule.name = target.value), changed("text")) })),
    often,
    seldom.length > 0 && el("details", { class: "more" }, el("summary", {}, "More"), seldom),
    el("button", { class: "quiet bad", type: "button", onclick: remove }, "Remove rule"),
  );
}

const labelled = (word, control) => el("label", { class: "field" }, el("span", {}, word), control);

function control(rule, name, facts, shape, before, changed) {
  const word = WORDS[name] ?? title(name);
  const set = (value) => {
    before();
    rule[name] = value;
    changed("value");
  };
  if (facts.type === "bool") {
    return el("label", { class: "check" }, el("input", { type: "checkbox", checked: rule[name], onchange: ({ target }) => set(target.checked) }), word);
  }
  if (rule.kind === "cross" && name === "direction") {
    const [a, b] = shape?.sides ?? [];
    const ways = ["both", ...(a ? [`${a}->${b}`, `${b}->${a}`] : [])];
    if (!ways.includes(rule.direction)) ways.push(rule.direction);
    return labelled(word, select(ways, rule.direction, (way) => way.replace("->", " → "), set));
  }
  if (facts.choices) return labelled(word, select(facts.choices, rule[name], (choice) => CHOICES[choice] ?? choice, set));
  const input = el("input", {
    type: "number",
    step: facts.type === "int" ? 1 : "any",
    value: rule[name],
    required: true,
    onfocus: before,
    oninput: ({ target }) => {
      if (target.value === "") return;
      rule[name] = Number(target.value);
      changed("text");
    },
  });
  return labelled(name === "direction" ? "Direction (°: 0 right, 90 down)" : word, input);
}

function select(values, current, word, set) {
  return el(
    "select",
    { onchange: ({ target }) => set(target.value) },
    values.map((value) => el("option", { value, selected: value === current }, word(value))),
  );
}
