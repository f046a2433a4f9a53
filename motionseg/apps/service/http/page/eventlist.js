// The newest events as a list that goes on by itself.

import { api, fileOf, query } from "./api.js";
import { dayOf, duration, el, put, timeOf, title, update } from "./dom.js";
import { feed } from "./feed.js";

// Told apart by people who do not see red and green, too.
const HUES = ["teal", "blue", "violet", "orange", "pink", "olive"];
const KNOWN = ["enter", "cross", "linger", "leave", "any_motion", "crowd_count"];
const PICTURE = ["light", "camera_covered", "camera_moved", "camera_blurred", "light_drift"];

/** The class of colour of a rule: the same one wherever it is shown. */
export function hueOf(event) {
  const kind = event.reason?.kind ?? event.rule;
  if (PICTURE.includes(kind)) return "grey";
  const known = KNOWN.indexOf(kind);
  return HUES[known >= 0 ? known : [...kind].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % HUES.length];
}

export const lasted = (event) => (event.end === null ? Date.now() / 1000 - event.start : event.end - event.start);
export const howLong = (event) =>
  event.end === null ? "open" : event.reason?.ended === "moment" || event.end === event.start ? "moment" : duration(lasted(event));

/** What a telling says of an event that may be known already. */
export function merged(known, telling) {
  const { phase, told_at, number, ...facts } = telling;
  return { snapshot: null, evidence: null, clip: null, ...known, number: known?.number ?? number, ...facts };
}

export function eventRow(event, { withCamera = true, current = false } = {}) {
  const where = [withCamera && event.camera, event.zone || "whole picture"].filter(Boolean).join(" · ");
  return el(
    "a",
    {
      class: `event${event.end === null ? " open" : ""}`,
      href: `#/events/${event.id}`,
      data: { id: event.id },
      "aria-current": current ? "true" : null,
    },
    event.snapshot
      ? el("img", { class: "thumb", src: fileOf(event, "snapshot"), alt: "", loading: "lazy" })
      : el("span", { class: "thumb none" }),
    el(
      "span",
      { class: "what" },
      el("span", { class: "name" }, el("i", { class: `swatch ${hueOf(event)}` }), title(event.rule)),
      el("span", { class: "where" }, where),
    ),
    el("span", { class: "when" }, el("time", { title: dayOf(event.start) }, timeOf(event.start)), el("span", { class: "long" }, howLong(event))),
  );
}

/** The newest `limit` events of a camera, or of all. */
export function eventList({ camera = null, limit = 20 } = {}) {
  let events = [];
  let soon = 0; // a snapshot follows shortly after its event
  const node = el("div", { class: "events" });
  function draw() {
    const rows = events.map((event) => eventRow(event, { withCamera: camera === null }));
    update(node, ...(rows.length ? rows : [el("p", { class: "empty" }, "Nothing has happened yet.")]));
  }
  async function load() {
    soon = 0;
    try {
      ({ events } = await api.get(`api/events?${query({ camera, limit })}`));
      draw();
    } catch (problem) {
      put(node, el("p", { class: "error" }, problem.message));
    }
  }
  const offTelling = feed.on("telling", (telling) => {
    if (camera !== null && telling.camera !== camera) return;
    const known = events.find((event) => event.id === telling.id);
    events = [merged(known, telling), ...events.filter((event) => event !== known)].sort((a, b) => b.number - a.number).slice(0, limit);
    draw();
    soon ||= setTimeout(load, 1500);
  });
  const offConnection = feed.on("connection", (is) => is && load());
  load();
  return {
    node,
    close() {
      clearTimeout(soon);
      offTelling();
      offConnection();
    },
  };
}
