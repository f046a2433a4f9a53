// What the zone editor changes: shapes and rules, with a way back.

import { crossesItself, rounded } from "./geometry.js";

let made = 0;
const key = () => `k${++made}`;

export class Setup {
  #undo = [];
  #first = "";

  /** From the service's answer and its kinds of rules; shapes in pixels become parts of a picture of `size`. */
  constructor(facts, kinds, size) {
    if (!size?.width && [...facts.zones, ...facts.lines].some((place) => !place.relative)) throw new Error("The zones are in pixels, and the camera has shown no picture yet.");
    const usual = (kind) => Object.entries(kinds[kind]?.parameters ?? {}).filter(([, { default: value }]) => value !== undefined);
    const points = (place) => place.points.map(([x, y]) => (place.relative ? [x, y] : [rounded(x / size.width), rounded(y / size.height)]));
    this.shapes = [
      ...facts.zones.map((zone) => ({ key: key(), type: "zone", name: zone.name, kind: zone.kind, limit: zone.limit ?? 0.2, points: points(zone) })),
      ...facts.lines.map((line) => ({ key: key(), type: "line", name: line.name, sides: [...line.sides], points: points(line) })),
    ];
    this.rules = facts.rules.map((rule) => ({ ...Object.fromEntries(usual(rule.kind).map(([name, { default: value }]) => [name, value])), ...rule, key: key() }));
    this.#first = this.#text();
  }

  #text() {
    return JSON.stringify({ shapes: this.shapes, rules: this.rules });
  }

  get changed() {
    return this.#text() !== this.#first;
  }

  get canUndo() {
    return this.#undo.length > 0;
  }

  /** To be called before a change. */
  keep() {
    const now = this.#text();
    if (this.#undo.at(-1) !== now) this.#undo.push(now);
    if (this.#undo.length > 200) this.#undo.shift();
  }

  undo() {
    const now = this.#text();
    let before = this.#undo.pop();
    while (before === now && this.#undo.length) before = this.#undo.pop(); // what was kept, and then not changed
    if (before) Object.assign(this, JSON.parse(before));
  }

  discard() {
    this.#undo = [];
    Object.assign(this, JSON.parse(this.#first));
  }

  shape(wanted) {
    return this.shapes.find((shape) => shape.key === wanted);
  }

  #free(stem) {
    const taken = new Set([...this.shapes.map((shape) => shape.name), ...this.rules.map((rule) => rule.name)]);
    for (let n = 1; ; n++) if (!taken.has(n === 1 ? stem : `${stem}_${n}`)) return n === 1 ? stem : `${stem}_${n}`;
  }

  addShape(type, points) {
    this.keep();
    const own = type === "zone" ? { kind: "include", limit: 0.2 } : { sides: ["a", "b"] };
    const shape = { key: key(), type, name: this.#free(type), points, ...own };
    this.shapes.push(shape);
    return shape;
  }

  /** Rules that name no other place go with it: without one they would speak of the whole picture. */
  removeShape(shape) {
    this.keep();
    const list = shape.type === "zone" ? "zones" : "lines";
    this.shapes = this.shapes.filter((other) => other !== shape);
    this.rules = this.rules.filter((rule) => {
      if (!rule[list]?.includes(shape.name)) return true;
      rule[list] = rule[list].filter((name) => name !== shape.name);
      return rule[list].length > 0;
    });
  }

  rename(shape, name) {
    const list = shape.type === "zone" ? "zones" : "lines";
    for (const rule of this.rules) if (rule[list]) rule[list] = rule[list].map((old) => (old === shape.name ? name : old));
    shape.name = name;
  }

  setSides(shape, sides) {
    const swap = (text) => (text === `${shape.sides[0]}->${shape.sides[1]}` ? `${sides[0]}->${sides[1]}` : text === `${shape.sides[1]}->${shape.sides[0]}` ? `${sides[1]}->${sides[0]}` : text);
    for (const rule of this.rules) if (rule.lines?.includes(shape.name)) rule.direction = swap(rule.direction);
    shape.sides = sides;
  }

  /** The rules of a shape; of `null`, those that name no place. */
  rulesOf(shape) {
    return this.rules.filter((rule) => {
      const places = [...(rule.zones ?? []), ...(rule.lines ?? [])];
      return shape === null ? places.length === 0 : places.includes(shape.name);
    });
  }

  addRule(kind, shape, kinds) {
    this.keep();
    const rule = { key: key(), kind, name: this.#free(shape === null ? kind : `${kind}_${shape.name}`.toLowerCase().replace(/[^a-z0-9_-]+/g, "_")) };
    for (const [name, facts] of Object.entries(kinds[kind].parameters)) {
      if (name !== "name") rule[name] = facts.default ?? GUESSES[name] ?? 1;
    }
    if (kinds[kind].on) rule[kinds[kind].on] = shape === null ? [] : [shape.name];
    this.rules.push(rule);
    return rule;
  }

  removeRule(rule, shape) {
    this.keep();
    const list = shape?.type === "line" ? "lines" : "zones";
    if (shape !== null && rule[list]?.length > 1) rule[list] = rule[list].filter((name) => name !== shape.name);
    else this.rules = this.rules.filter((other) => other !== rule);
  }

  /** What is wrong, by key of the shape or rule. */
  problems() {
    const found = {};
    const names = new Map();
    for (const shape of this.shapes) {
      if (!shape.name.trim()) found[shape.key] = "Give it a name.";
      else if (names.has(shape.name)) found[shape.key] = `Another shape is called ${shape.name}.`;
      else if (shape.type === "zone" && crossesItself(shape.points)) found[shape.key] = "Its sides cross: move a corner.";
      else if (shape.type === "line" && (!shape.sides[0] || !shape.sides[1] || shape.sides[0] === shape.sides[1])) found[shape.key] = "Its sides need two different names.";
      names.set(shape.name, true);
    }
    const rules = new Set();
    for (const rule of this.rules) {
      if (rules.has(rule.name)) found[rule.key] = `Another rule is called ${rule.name}.`;
      rules.add(rule.name);
    }
    return found;
  }

  /** For the service. */
  facts() {
    const places = (type) => this.shapes.filter((shape) => shape.type === type).map(({ key: _, type: __, limit, ...facts }) => ({ ...facts, ...(facts.kind === "preclusive" ? { limit } : {}), relative: true }));
    return { zones: places("zone"), lines: places("line"), rules: this.rules.map(({ key: _, ...facts }) => facts) };
  }

  /** The shape or rule that an error such as "zone[1].points" is about. */
  keyOf(text) {
    const [, what, index] = /^(zone|line|rule)s?\[(\d+)\]/.exec(text) ?? [];
    if (!what) return null;
    return (what === "rule" ? this.rules : this.shapes.filter((shape) => shape.type === what))[Number(index)]?.key ?? null;
  }
}

const GUESSES = { above: 100, direction: 0, at_least: 5 };
