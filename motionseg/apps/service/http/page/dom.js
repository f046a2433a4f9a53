// Elements, and how numbers and times are written.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, props, children) {
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "data") Object.assign(node.dataset, value);
    else if (["value", "checked", "muted"].includes(key)) node[key] = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  return put(node, ...children);
}

/** Puts children in the place of those that a node has; lists are flattened, what is null or false is left out. */
export function put(node, ...children) {
  node.replaceChildren(...shown(children));
  return node;
}

const shown = (children) => children.flat(3).filter((child) => child !== null && child !== undefined && child !== false);

/**
 * As `put`, but changes what stays in its place: a press, the focus, and what is selected outlive a redrawing. Nodes with
 * `data-id` are known by it, others by their order. Only for nodes that do not listen, or that are given again.
 */
export function update(node, ...children) {
  const wanted = shown(children).map((child) => (child instanceof Node ? child : document.createTextNode(child)));
  const given = new Set(wanted);
  const old = [...node.childNodes].filter((child) => !given.has(child));
  const known = new Map(old.filter((child) => child.dataset?.id).map((child) => [child.dataset.id, child]));
  const unnamed = old.filter((child) => !child.dataset?.id);
  const nodes = wanted.map((fresh) => {
    if (fresh.parentNode === node) return fresh;
    const stays = fresh.dataset?.id ? known.get(fresh.dataset.id) : unnamed.shift();
    return stays?.nodeName === fresh.nodeName ? become(stays, fresh) : fresh;
  });
  const kept = new Set(nodes);
  for (const child of old) if (!kept.has(child)) child.remove();
  let next = node.firstChild;
  for (const child of nodes) {
    if (child === next) next = next.nextSibling;
    else node.insertBefore(child, next);
  }
  return node;
}

function become(node, fresh) {
  if (node.isEqualNode(fresh)) return node;
  if (!node.attributes) {
    node.nodeValue = fresh.nodeValue;
    return node;
  }
  for (const { name } of [...node.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") node.removeAttribute(name); // what a person has opened stays open
  }
  for (const { name, value } of fresh.attributes) {
    if (node.getAttribute(name) === value) continue;
    if (name === "style") node.style.cssText = value; // the page's policy takes no style as text
    else node.setAttribute(name, value);
  }
  return update(node, ...fresh.childNodes);
}

/** `el("p", {class: "note"}, "text", other)`; properties that begin with "on" listen. */
export const el = (tag, props = {}, ...children) => fill(document.createElement(tag), props, children);
export const svg = (tag, props = {}, ...children) => fill(document.createElementNS(SVG, tag), props, children);

export const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
export const title = (word) => (word ? word[0].toUpperCase() + word.slice(1).replace(/(?<=\w)_(?=\w)/g, " ") : "");
export const number = (value, digits = 0) =>
  value === null || value === undefined
    ? "–"
    : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
export const percent = (value, digits = 0) => (value === null || value === undefined ? "–" : `${number(100 * value, digits)} %`);

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const short = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" });

export const timeOf = (seconds) => clock.format(seconds * 1000);
export const shortTime = (seconds) => short.format(seconds * 1000);
export const dayOf = (seconds) => day.format(seconds * 1000);

/** 75.2 -> "1 min 15 s" */
export function duration(seconds) {
  if (seconds < 9.95) return `${number(Math.max(seconds, 0), 1)} s`;
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

export function toast(text, kind = "good") {
  const note = el("p", { class: `toast ${kind}` }, text);
  document.getElementById("toasts").append(note);
  setTimeout(() => note.remove(), kind === "bad" ? 8000 : 3000);
}

/** Asks in a dialog of the page's own; resolves to true or false. */
export function ask(question, yes) {
  return new Promise((resolve) => {
    const dialog = el(
      "dialog",
      { class: "ask", onclose: () => (dialog.remove(), resolve(dialog.returnValue === "yes")) },
      el(
        "form",
        { method: "dialog" },
        el("p", {}, question),
        el("div", { class: "row end" }, el("button", { value: "no" }, "Cancel"), el("button", { value: "yes", class: "primary" }, yes)),
      ),
    );
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** What was chosen last time, kept in this browser. */
export function remembered(key, initial) {
  try {
    return JSON.parse(localStorage.getItem(`motionseg.${key}`)) ?? initial;
  } catch {
    return initial;
  }
}
export function remember(key, value) {
  try {
    localStorage.setItem(`motionseg.${key}`, JSON.stringify(value));
  } catch {
    // a browser that keeps nothing is all right
  }
}
