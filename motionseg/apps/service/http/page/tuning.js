// Numbers of the segmenter, changed while it runs, with the picture and its mask beside them.

import { api } from "./api.js";
import { el, put, title } from "./dom.js";
import { liveStage } from "./stage.js";

const PAUSE = 120; // ms that a slider rests before its number is sent

export function tuningTab(body, camera) {
  const picture = liveStage(camera, ["frame", "mask", "tracks"], { width: 640, fps: 8 });
  const mask = liveStage(camera, ["mask"], { width: 640, fps: 8, label: `Mask of ${camera}: white is foreground, grey shadow` });
  const list = el("div", { class: "sliders" });
  const note = el("p", { class: "hint", role: "status" });
  const back = el("button", { type: "button", disabled: true, onclick: () => send(first, true) }, "Reset");
  const figure = (stage, word) => el("figure", {}, stage.node, el("figcaption", {}, word));
  body.append(
    el("section", { class: "fill" }, el("div", { class: "pair" }, figure(picture, "What is found"), figure(mask, "Mask")), note),
    el("aside", { class: "side" }, el("div", { class: "head" }, el("h2", {}, "Tuning"), el("span", { class: "grow" }), back), list),
  );

  let first = {}; // what the reset goes back to
  let timer = 0;
  let waiting = {};

  async function load() {
    try {
      const { tuning } = await api.get(`api/cameras/${camera}/setup`);
      for (const [key, facts] of Object.entries(tuning)) first[key] = facts.default ?? facts.value;
      draw(tuning);
    } catch (problem) {
      put(list, el("p", { class: "error" }, problem.message));
    }
  }

  function draw(tuning) {
    const rank = (key) => (key === "threshold" ? 0 : key.includes(".") ? 2 : 1);
    const entries = Object.entries(tuning).sort(([a], [b]) => rank(a) - rank(b));
    put(list, ...(entries.length ? entries.map((pair) => slider(...pair)) : [el("p", { class: "empty" }, "This model has nothing to tune.")]));
    back.disabled = entries.every(([key, { value }]) => value === first[key]);
  }

  function slider(key, facts) {
    const whole = [facts.value, facts.min, facts.max].every(Number.isInteger);
    const step = facts.step ?? (whole ? 1 : (facts.max - facts.min) / 200);
    const error = el("p", { class: "error", role: "alert", hidden: true });
    const change = ({ target }) => {
      if (target.value === "") return;
      const value = Number(target.value);
      range.value = value;
      exact.value = value;
      node.classList.toggle("changed", value !== first[key]);
      waiting[key] = value;
      clearTimeout(timer);
      timer = setTimeout(() => send(waiting), PAUSE);
    };
    const range = el("input", { type: "range", min: facts.min, max: facts.max, step, id: `tune-${key}`, oninput: change });
    const exact = el("input", { type: "number", min: facts.min, max: facts.max, step, "aria-label": `${key}, as a number`, onchange: change });
    range.value = facts.value;
    exact.value = Number(facts.value.toFixed(4));
    const node = el(
      "div",
      { class: `slider${facts.value === first[key] ? "" : " changed"}`, data: { key } },
      el("div", { class: "row" }, el("label", { for: `tune-${key}` }, title(key.split(".").at(-1)), key.includes(".") && el("span", { class: "muted" }, ` ${key.split(".")[0]}`)), exact),
      range,
      facts.what && el("p", { class: "hint" }, title(facts.what)),
      error,
    );
    return node;
  }

  async function send(numbers, redraw = false) {
    waiting = {};
    note.textContent = "Sending …";
    for (const error of list.querySelectorAll(".error")) error.hidden = true;
    try {
      const { tuning } = await api.put(`api/cameras/${camera}/tuning`, numbers);
      note.textContent = "In force. The picture shows the effect.";
      if (redraw) draw(tuning);
      else back.disabled = Object.entries(tuning).every(([key, { value }]) => value === first[key]);
    } catch (problem) {
      note.textContent = "";
      const key = /^(?:tuning|settings)\.([\w.]+)/.exec(problem.key || problem.message)?.[1];
      const error = list.querySelector(`[data-key="${key ?? Object.keys(numbers)[0]}"] .error`);
      if (error) {
        error.textContent = problem.message;
        error.hidden = false;
      } else note.textContent = problem.message;
    }
  }

  load();
  return {
    close() {
      clearTimeout(timer);
      picture.close();
      mask.close();
    },
  };
}
