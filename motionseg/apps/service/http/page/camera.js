// One camera: live, its zones, its tuning, and why its pixels are called foreground.

import { evidenceOf } from "./api.js";
import { duration, el, number, percent, put, update } from "./dom.js";
import { editorTab } from "./editor.js";
import { eventList } from "./eventlist.js";
import { feed } from "./feed.js";
import { layerButtons, liveStage } from "./stage.js";
import { tuningTab } from "./tuning.js";
import { statePill } from "./wall.js";

const TABS = { live: "Live", zones: "Zones and rules", tuning: "Tuning", why: "Why" };
const BUILD = { live: liveTab, zones: editorTab, tuning: tuningTab, why: whyTab };

export function cameraView(main, name, tab) {
  const pill = el("span");
  const links = Object.entries(TABS).map(([key, word]) =>
    el("a", { href: `#/camera/${name}${key === "live" ? "" : `/${key}`}`, "aria-current": key === tab ? "page" : null }, word),
  );
  const body = el("div", { class: "tab" });
  main.append(
    el("div", { class: "head" }, el("a", { class: "back", href: "#/", "aria-label": "All cameras" }, "‹"), el("h1", {}, name), pill, el("nav", { class: "tabs", "aria-label": "Camera" }, links)),
    body,
  );
  const draw = () => {
    const status = feed.cameras[name];
    if (status) update(pill, statePill(status));
    else if (feed.service) put(pill, el("span", { class: "pill bad" }, "no such camera"));
  };
  const off = feed.on("status", draw);
  draw();
  const content = (Object.hasOwn(BUILD, tab) ? BUILD[tab] : liveTab)(body, name);
  return {
    leave: () => content.leave?.() ?? true,
    unsaved: () => content.unsaved?.() ?? false,
    close() {
      off();
      content.close();
    },
  };
}

function liveTab(body, name) {
  const layers = layerButtons("live", ["mask", "tracks", "zones"], (list) => stage.setLayers(list));
  const stage = liveStage(name, layers.list());
  const facts = el("dl", { class: "facts-list" });
  const events = eventList({ camera: name, limit: 20 });
  const full = el("button", { class: "chip", onclick: () => stage.node.requestFullscreen?.() }, "Full screen");
  body.append(
    el("section", { class: "fill" }, stage.node, el("div", { class: "under" }, layers.node, el("span", { class: "grow" }), full)),
    el("aside", { class: "side" }, el("h2", {}, "Now"), facts, el("h2", {}, "Events"), events.node),
  );
  const draw = () => feed.cameras[name] && update(facts, ...factRows(feed.cameras[name]));
  const off = feed.on("status", draw);
  draw();
  return {
    close() {
      off();
      stage.close();
      events.close();
    },
  };
}

function factRows(status) {
  const latency = status.latency_ms ?? {};
  const told = status.event_latency_ms;
  const rows = {
    "Frame rate": `${number(status.fps, 1)} fps`,
    Latency: `${number(latency.p50)} ms, 95 %: ${number(latency.p95)} ms`,
    "Until told": told?.p50 ? `${number(told.p50)} ms, 95 %: ${number(told.p95)} ms` : null,
    Moving: `${percent(status.foreground, 1)}, ${status.tracks ?? 0} tracks`,
    "Open events": number(status.open_events),
    Verdict: (status.verdict ?? "–").replaceAll("_", " "),
    "Camera is": status.behaviour ? `${status.behaviour}, by ${status.way}` : null,
    Frames: `${number(status.frames_processed)} of ${number(status.frames_read)}`,
    "Dropped, skipped, damaged": `${number(status.frames_dropped)}, ${number(status.frames_skipped)}, ${number(status.frames_damaged)}`,
    Size: `${status.width} × ${status.height} of ${status.source_width} × ${status.source_height}`,
    CPU: status.cpu === null || status.cpu === undefined ? null : `${number(status.cpu, 2)} cores`,
    "Reconnects, stalls": `${number(status.reconnects)}, ${number(status.stalls)}`,
    Since: status.since ? duration(Date.now() / 1000 - status.since) : null,
    Budget: status.budget,
    "Last error": status.last_error,
  };
  return Object.entries(rows)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([key, value]) => [el("dt", {}, key), el("dd", { class: key === "Last error" ? "error" : null }, value)]);
}

function whyTab(body, name) {
  let timer = 0;
  let closed = false;
  const image = el("img", { class: "picture free", alt: `What each cue says of the pixels of ${name}` });
  const note = el("p", { class: "over" }, "No evidence yet");
  body.append(
    el("section", { class: "fill" }, el("div", { class: "stage free" }, image, note)),
    el(
      "aside",
      { class: "side" },
      el("h2", {}, "Why pixels are foreground"),
      el("p", {}, "The first picture shows the frame with the outline of what moves. Each of the others is a cue, and how far it speaks for or against motion at every pixel."),
      el("p", { class: "scale" }, el("i", { class: "for" }), "for motion"),
      el("p", { class: "scale" }, el("i", { class: "nothing" }), "says nothing"),
      el("p", { class: "scale" }, el("i", { class: "against" }), "against motion"),
      el("p", { class: "hint" }, "The shares are log-odds; their sum decides. Full colour is 4. Why a single event was told stands with the event."),
    ),
  );
  function next() {
    if (closed) return;
    const fresh = new Image();
    fresh.onload = () => {
      if (closed) return;
      image.src = fresh.src;
      note.hidden = true;
      timer = setTimeout(next, 700);
    };
    fresh.onerror = () => (timer = setTimeout(next, 2000));
    fresh.src = evidenceOf(name);
  }
  next();
  return {
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
