// Pictures that move: a live one for a camera's page, and one that is asked for again and again for the wall.

import { liveOf, pictureOf } from "./api.js";
import { el, remember, remembered } from "./dom.js";
import { feed } from "./feed.js";

export const OVERLAYS = { mask: "Mask", tracks: "Tracks", zones: "Zones" };

/** Buttons for the layers; `changed` is called with the list of those that are on. */
export function layerButtons(key, initial, changed) {
  const on = new Set(remembered(`layers.${key}`, initial));
  const list = () => ["frame", ...Object.keys(OVERLAYS).filter((layer) => on.has(layer))];
  const button = (layer, word) =>
    el(
      "button",
      {
        class: "chip",
        "aria-pressed": String(on.has(layer)),
        data: { layer },
        onclick: ({ currentTarget }) => {
          if (!on.delete(layer)) on.add(layer);
          currentTarget.setAttribute("aria-pressed", String(on.has(layer)));
          remember(`layers.${key}`, [...on]);
          changed(list());
        },
      },
      word,
    );
  const node = el("div", { class: "chips", role: "group", "aria-label": "Layers" }, Object.entries(OVERLAYS).map((pair) => button(...pair)));
  return { node, list };
}

/** A live picture. It stops while the page is hidden, and begins again after a lost connection. */
export function liveStage(camera, layers, { width = 960, fps = 10, label = "" } = {}) {
  let retry = 0;
  const image = el("img", { alt: label || `Live picture of ${camera}`, class: "picture", draggable: "false" });
  const note = el("p", { class: "over", hidden: true }, "No picture yet");
  const node = el("div", { class: "stage" }, image, note);
  const show = () => {
    clearTimeout(retry);
    image.src = liveOf(camera, layers, width, fps);
  };
  const hide = () => {
    clearTimeout(retry);
    image.removeAttribute("src");
  };
  image.onload = () => {
    note.hidden = true;
    node.style.setProperty("--ratio", image.naturalWidth / image.naturalHeight);
  };
  image.onerror = () => {
    if (!image.hasAttribute("src")) return;
    note.hidden = false;
    retry = setTimeout(show, 2000);
  };
  const seen = () => (document.hidden ? hide() : show());
  document.addEventListener("visibilitychange", seen);
  const off = feed.on("connection", (is) => is && show());
  show();
  return {
    node,
    image,
    setLayers(wanted) {
      layers = wanted;
      show();
    },
    close() {
      off();
      document.removeEventListener("visibilitychange", seen);
      hide();
    },
  };
}

let busy = 0; // requests under way; the wall takes two connections at most

/** A picture that is asked for anew as soon as the last one is there, and not more often than each `interval` ms. */
export function wallPicture(camera, layers, { width = 480, interval = 500 } = {}) {
  let timer = 0;
  let closed = false;
  let visible = true;
  const image = el("img", { alt: `Picture of ${camera}`, class: "picture" });
  const note = el("p", { class: "over" }, "No picture yet");
  const node = el("div", { class: "stage" }, image, note);
  const watch = new IntersectionObserver(([entry]) => (visible = entry.isIntersecting));
  watch.observe(node);

  const later = (ms) => (timer = setTimeout(next, ms));
  function next() {
    if (closed) return;
    if (document.hidden || !visible || busy >= 2) {
      later(120);
      return;
    }
    busy += 1;
    const fresh = new Image();
    const began = performance.now();
    fresh.onload = () => {
      busy -= 1;
      if (closed) return;
      image.src = fresh.src;
      note.hidden = true;
      later(Math.max(interval - (performance.now() - began), 60));
    };
    fresh.onerror = () => {
      busy -= 1;
      if (!image.hasAttribute("src")) note.hidden = false;
      later(2000);
    };
    fresh.src = pictureOf(camera, layers(), width);
  }
  next();
  return {
    node,
    image,
    close() {
      closed = true;
      clearTimeout(timer);
      watch.disconnect();
    },
  };
}
